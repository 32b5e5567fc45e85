"""Thumbnails of campaigns' images, made when a browser asks for them, and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from greenroom.thumbnails import Thumbnails

#: Thumbnails that are kept: of two or three KB each.
MOST_KEPT: Final = 2_000


class ThumbnailCache:
    """Of use in several threads.

    Args:
        thumbnails: makes them, in processes that can be ended.
    """

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def of(self, source: str, sha256: str) -> bytes:
        """A thumbnail of a source with this content, in WebP; nothing where none can be made."""
        key = (source, sha256)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._thumbnails.of(source)
        with self._lock:
            # Also that there is none: a file that cannot be read is not tried again and again.
            self._kept[key] = made
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made

    def close(self) -> None:
        """End the processes."""
        self._thumbnails.close()
