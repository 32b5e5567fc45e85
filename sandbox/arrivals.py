"""When a request arrived at this machine, whenever the sandbox was given the processor to see it.

"25 requests per second" is about arrivals. On a busy machine a handler runs tens of milliseconds after its
request has come, one more and another less, and would count 26 in a second that had 25. Linux notes when the
bytes came (``SO_TIMESTAMPNS``, see socket(7)); elsewhere the moment of reading them counts.
"""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.stamped_socket import STAMPED

#: Where a handler finds the moment: seconds, by `time.monotonic`.
ARRIVED_AT = web.RequestKey("arrived_at", float)


@web.middleware
async def note_arrival(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the handler when its request arrived."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    stamped = None if sock is None else STAMPED.get(sock.fileno())
    request[ARRIVED_AT] = time.monotonic() if stamped is None else stamped.take_moment()
    try:
        return await handler(request)
    finally:
        if stamped is not None:
            stamped.take_moment()  # of the body; the next bytes are the next request's
