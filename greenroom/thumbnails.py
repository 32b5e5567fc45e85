"""Small pictures of campaigns' images, as far as the operator lets their files be opened."""

from __future__ import annotations

import math
import time
from typing import Final

from greenroom.errors import GreenroomError
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.protocol import ThumbnailOrder
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.rules import MIB
from greenroom.settings import Settings
from greenroom.sources import Sources, is_remote

#: Seconds that one picture may compute, and take in all; and all pictures of a page that is a file.
_SECONDS: Final = 5.0
_PATIENCE: Final = 10.0
#: Bytes that making one may take: an image of 90 megapixels, whole.
_MEMORY: Final = 384 * MIB
PAGE_SECONDS: Final = 30.0


class Thumbnails:
    """Makes pictures, in processes of their own; nothing is fetched for one.

    Args:
        settings: which files may be opened.
        seconds: after so many, no more are made.
    """

    def __init__(self, settings: Settings, *, seconds: float = math.inf) -> None:
        self._sources = Sources.of(settings)
        self._pool = ProcessPool(ResourceLimits(memory=_MEMORY, processor=_SECONDS, patience=_PATIENCE))
        self._over_at = time.monotonic() + seconds

    def of(self, source: str) -> bytes:
        """A picture of a file of this machine in WebP; nothing where it may not, or cannot, be made."""
        if is_remote(source) or time.monotonic() > self._over_at:
            return b""
        try:
            with self._sources.copy(source) as path:
                return self._pool.thumbnail(ThumbnailOrder(path=path))
        except GreenroomError:
            return b""

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
