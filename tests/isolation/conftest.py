"""The corpus of inspection, and a look at what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psutil
import pytest

from tests.support.corpus_files import corpus

__all__ = ["corpus"]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No test leaves a process or a thread behind."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}, threading.active_count()
    yield
    after = {process.pid for process in psutil.Process().children(recursive=True)}, threading.active_count()
    assert after == before
