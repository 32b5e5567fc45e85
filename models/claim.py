"""A claim: the right to work on one row until its lease ends, proved by a fencing token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row, and the token that it had when it was claimed.

    The token grows by one at each claim. Every later write says ``WHERE id = ? AND token = ?``, so that
    whoever has lost a claim, by a lapsed lease or a message delivered twice, can write nothing.
    """

    id: int
    token: int
