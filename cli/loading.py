"""Loading what a command needs, and no more slowly than it has to be."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Look for no garbage in this block, nor among what it has made: modules are none, and there are many."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
