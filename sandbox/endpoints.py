"""The four endpoints of the provider's page, and the one of messages, which it leads to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import HttpVersion11, hdrs, web

from sandbox.arrivals import ARRIVED_AT
from sandbox.error_responses import LINK_DEAD, Refusal
from sandbox.faults import Drop, Fault, FaultEndpoint
from sandbox.latency import Latency
from sandbox.links import PATH as DOWNLOAD_PATH
from sandbox.links import Link
from sandbox.message_reader import read_message
from sandbox.phone_numbers import PhoneNumber
from sandbox.state import SandboxState
from sandbox.upload import receive

KEY_HEADER = "D360-API-KEY"
_FIRST_ERROR_STATUS = 400
_NO_FAULT = Fault(on="any")
#: Where a handler finds the fault that its request has met.
_FAULT = web.RequestKey("fault", Fault)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is special to one endpoint.

    Attributes:
        endpoint: its name.
        admit: called first, with the moment of arrival, and nothing of the body read; counts, and refuses
            what is beyond a limit.
        answer: does what the page says.
        failed: called when an admitted request is answered with an error.
    """

    endpoint: FaultEndpoint
    admit: Callable[[PhoneNumber, float], None]
    answer: Callable[[web.Request, PhoneNumber], Awaitable[web.StreamResponse]]
    failed: Callable[[PhoneNumber], None]


class Endpoints:
    """The handlers; :meth:`routes` says which is where."""

    def __init__(self, world: SandboxState, *, latency: Latency) -> None:
        self._world = world
        self._latency = latency

    def routes(self) -> list[web.RouteDef]:
        """The page's table of endpoints; downloads work with and without the last slash."""
        upload, lookup = self._handler(self._uploading()), self._handler(self._looking_up())
        download, delete = self._handler(self._downloading()), self._handler(self._deleting())
        return [
            web.post("/messages", self._handler(self._sending())),
            web.post("/media", upload, expect_handler=_leave_to_the_handler),
            web.get(DOWNLOAD_PATH, download, allow_head=False),
            web.get(DOWNLOAD_PATH.rstrip("/"), download, allow_head=False),
            web.get("/{media_id}", lookup, allow_head=False),
            web.delete("/{media_id}", delete),
        ]

    def _uploading(self) -> Work:
        return Work(
            endpoint=FaultEndpoint.UPLOAD,
            admit=self._world.admit_upload,
            answer=self._upload,
            failed=self._world.upload_failed,
        )

    def _looking_up(self) -> Work:
        return Work(
            endpoint=FaultEndpoint.MEDIA_URL,
            admit=lambda number, _: self._world.admit_lookup(number),
            answer=self._media_url,
            failed=self._world.lookup_failed,
        )

    def _downloading(self) -> Work:
        return Work(
            endpoint=FaultEndpoint.DOWNLOAD, admit=_count_download, answer=self._download, failed=_nothing
        )

    def _deleting(self) -> Work:
        return Work(
            endpoint=FaultEndpoint.DELETE, admit=lambda *_: None, answer=self._delete, failed=_nothing
        )

    def _sending(self) -> Work:
        return Work(
            endpoint=FaultEndpoint.MESSAGE, admit=lambda *_: None, answer=self._send, failed=_count_refused
        )

    def _handler(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The order of things that all endpoints share: key, limits, faults, work, latency."""

        async def handle(request: web.Request) -> web.StreamResponse:
            fault = _NO_FAULT
            try:
                number = self._world.number(request.headers.get(KEY_HEADER))
                work.admit(number, request[ARRIVED_AT])
                fault = self._fault(work.endpoint, number)
                response = await self._answer(work, request, number, fault)
            except Refusal as refusal:
                response = refusal.response()
            await self._pause(fault)
            if fault.drop is not None:
                _close_connection(request, fault.drop, response)
            return response

        return handle

    def _fault(self, endpoint: FaultEndpoint, number: PhoneNumber) -> Fault:
        fault = self._world.faults.take(endpoint, number.api_key)
        if fault is None:
            return _NO_FAULT
        number.counts.faults += 1
        return fault

    async def _answer(
        self, work: Work, request: web.Request, number: PhoneNumber, fault: Fault
    ) -> web.StreamResponse:
        if fault.drop is Drop.WITHIN:
            await request.content.read(1)  # the head of the body has come, and the rest is on its way
        if fault.drop in (Drop.BEFORE, Drop.WITHIN):
            return web.Response()  # never sent
        try:
            request[_FAULT] = fault
            if fault.answer is not None:
                response: web.StreamResponse = fault.answer.response()
            else:
                response = await work.answer(request, number)
        except Refusal:
            work.failed(number)
            raise
        if response.status >= _FIRST_ERROR_STATUS:
            work.failed(number)
        return response

    async def _pause(self, fault: Fault) -> None:
        seconds = self._latency.sample() + fault.delay_seconds
        if seconds:
            await asyncio.sleep(seconds)

    async def _upload(self, request: web.Request, number: PhoneNumber) -> web.Response:
        await _continue(request)
        with self._world.incoming() as incoming:
            try:
                mime_type = await receive(request, incoming)
            except ConnectionError:
                number.counts.aborted += 1
                raise
            media_id = self._world.store(number, incoming, mime_type)
        return web.json_response({"id": media_id})

    async def _media_url(self, request: web.Request, number: PhoneNumber) -> web.Response:
        media = self._world.media(number, request.match_info["media_id"], method="get")
        link = self._world.links.sign(media.media_id, number.api_key, now=self._world.clock.now())
        fields = {
            "url": link.url,
            "mime_type": media.mime_type,
            "sha256": media.sha256,
            "file_size": media.file_size,
            "id": media.media_id,
            "messaging_product": "whatsapp",
        }
        # The page's example has the path's slashes escaped, and tells people to remove three backslashes.
        escaped_path = DOWNLOAD_PATH.replace("/", "\\/")
        return web.Response(
            text=json.dumps(fields).replace(DOWNLOAD_PATH, escaped_path), content_type="application/json"
        )

    async def _download(self, request: web.Request, number: PhoneNumber) -> web.StreamResponse:
        link = Link.from_query(request.query)
        if link is None or not self._world.links.valid(link, number.api_key, now=self._world.clock.now()):
            raise Refusal(LINK_DEAD)
        media = self._world.media(number, link.mid, method="get")
        return web.FileResponse(self._world.content_path(media), headers={hdrs.CONTENT_TYPE: media.mime_type})

    async def _delete(self, request: web.Request, number: PhoneNumber) -> web.Response:
        media = self._world.media(number, request.match_info["media_id"], method="delete")
        self._world.remove(media.media_id)
        number.counts.deletes += 1
        return web.json_response({"success": True})

    async def _send(self, request: web.Request, number: PhoneNumber) -> web.Response:
        message = await read_message(request)
        message_id = self._world.send(number, message, fail=request[_FAULT].fail)
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": message.to, "wa_id": message.wa_id}],
                "messages": [{"id": message_id}],
            }
        )


async def _leave_to_the_handler(request: web.Request) -> None:
    """An upload beyond the limit is refused before its client is asked to go on (``100 Continue``)."""


async def _continue(request: web.Request) -> None:
    if request.version == HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as aiohttp's own handler does: the answer's head is still to come


def _close_connection(request: web.Request, drop: Drop, response: web.StreamResponse) -> None:
    if request.transport is None:
        return
    if drop is Drop.WITHIN:
        request.transport.abort()
        return
    if drop is Drop.HALFWAY:
        request.transport.write(_first_half(response))
    request.transport.close()


def _first_half(response: web.StreamResponse) -> bytes:
    """The head of an answer, and as much of its body as makes no sense."""
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    head = f"HTTP/1.1 {response.status} {response.reason}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2]


def _count_download(number: PhoneNumber, _: float) -> None:
    number.counts.downloads += 1


def _count_refused(number: PhoneNumber) -> None:
    number.counts.messages_refused += 1


def _nothing(_number: PhoneNumber) -> None:
    """This endpoint has no limit, and its errors cost nothing."""
