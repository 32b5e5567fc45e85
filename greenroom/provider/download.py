"""Writes the answer to a download into a stream, and checks it against what the look-up announced."""

from __future__ import annotations

from hashlib import sha256
from typing import IO

from greenroom.errors import ProviderUnavailable, RequestRefused
from greenroom.provider.http_response import Unreadable
from greenroom.provider.reply import Reply
from greenroom.provider.values import Downloaded, MediaLocation


def write_download(reply: Reply, into: IO[bytes], *, max_bytes: int) -> Downloaded:
    """Write all of it.

    Raises:
        RequestRefused: it is larger than ``max_bytes``.
        ProviderUnavailable: it broke off.
        OSError: writing failed.
    """
    digest, size = sha256(), 0
    try:
        for piece in reply.pieces():
            size += len(piece)
            if size > max_bytes:
                raise RequestRefused(f"download is larger than the {max_bytes:,} bytes allowed")
            digest.update(piece)
            into.write(piece)
    except Unreadable as error:
        problem = str(error)
    else:
        return Downloaded(size=size, sha256=digest.hexdigest())
    raise ProviderUnavailable(f"download broke off after {size:,} bytes: {problem}")


def require_announced(written: Downloaded, location: MediaLocation) -> None:
    """Refuse what is not what was announced.

    Raises:
        ProviderUnavailable: its size or SHA-256 differs.
    """
    if location.size is not None and written.size != location.size:
        raise ProviderUnavailable(f"download gave {written.size:,} bytes of {location.size:,} announced")
    if location.sha256 is not None and written.sha256 != location.sha256:
        raise ProviderUnavailable("download gave another content than announced (SHA-256 differs)")
