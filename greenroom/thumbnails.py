"""Small pictures of campaigns' images, as far as the operator lets their files be opened."""

from __future__ import annotations

import time
from typing import Final

from greenroom.errors import GreenroomError
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.protocol import ThumbnailOrder
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.settings import Settings
from greenroom.sources import Sources, is_remote

#: Seconds that one picture may compute, and take in all; and all pictures of a page together.
_SECONDS: Final = 5.0
_PATIENCE: Final = 10.0
_ALL_SECONDS: Final = 30.0


class Thumbnails:
    """Makes pictures, in processes of their own; nothing is fetched for one."""

    def __init__(self, settings: Settings) -> None:
        self._sources = Sources.of(settings)
        self._pool = ProcessPool(ResourceLimits(processor=_SECONDS, patience=_PATIENCE))
        self._over_at = time.monotonic() + _ALL_SECONDS

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
