"""Is it a path or an address: the one question about a source that a scheduler's side has to answer, too."""

from __future__ import annotations

import re

_URL = re.compile(r"https?:", re.IGNORECASE)
_STORE = re.compile(r"(?:az|gs|s3|sftp)://", re.IGNORECASE)


def is_url(source: str) -> bool:
    """Whether the source is meant as an http(s) address, and not as a path."""
    return _URL.match(source) is not None


def is_store(source: str) -> bool:
    """Whether the source is meant as a file in a store, like ``s3://bucket/key``."""
    return _STORE.match(source) is not None


def is_remote(source: str) -> bool:
    """Whether the source has to be fetched: an http(s) address, or a file in a store."""
    return is_url(source) or is_store(source)
