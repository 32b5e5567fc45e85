"""What goes into the provider's client and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from pydantic import SecretStr


@dataclass(frozen=True, kw_only=True)
class UploadContent:
    """The content to be uploaded, as inspection saw it.

    Attributes:
        open: gives a new binary stream from the first byte on; the client closes it. It may be called
            again, where the provider redirects. May raise :class:`greenroom.errors.SourceMissing` or
            :class:`greenroom.errors.SourceUnavailable`.
        size: bytes.
        sha256: 64 lower-case hex digits.
    """

    open: Callable[[], BinaryIO]
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class MediaLocation:
    """Where the provider keeps one file, for the next few minutes.

    Attributes:
        path_and_query: as the provider gave them; whoever has them can read the file, so they are kept
            as a secret and neither logged nor stored.
        mime_type: the provider's word for the type; empty where it gave none.
        sha256: of the content, 64 lower-case hex digits, or None where the provider gave none.
        size: bytes, or None where the provider gave none.
        valid_until: after this moment a new location must be asked for.
    """

    path_and_query: SecretStr
    mime_type: str
    sha256: str | None
    size: int | None
    valid_until: datetime


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What was written by a download.

    Attributes:
        size: bytes.
        sha256: 64 lower-case hex digits.
    """

    size: int
    sha256: str
