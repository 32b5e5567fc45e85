"""Is it a path or an address: the one question about a source that a scheduler's side has to answer, too."""

from __future__ import annotations

import re

_URL = re.compile(r"https?:", re.IGNORECASE)


def is_url(source: str) -> bool:
    """Whether the source is meant as an http(s) address, and not as a path."""
    return _URL.match(source) is not None
