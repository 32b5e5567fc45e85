"""How long a file is left alone."""

from __future__ import annotations

import pytest

from tasks.runtime.backoff import FIRST_SECONDS, JITTER, LONGEST_ASKED_SECONDS, LONGEST_SECONDS, backoff


@pytest.mark.parametrize(
    ("attempts", "asked", "least"),
    [
        (0, None, FIRST_SECONDS),
        (3, None, 8 * FIRST_SECONDS),
        (10**6, None, LONGEST_SECONDS),
        (0, 100.0, 100.0),
        (10, 1.0, LONGEST_SECONDS),
        (0, LONGEST_ASKED_SECONDS, LONGEST_ASKED_SECONDS),
        # A wrong clock, or a provider that means never: the file is asked for again all the same.
        (0, 1e18, LONGEST_ASKED_SECONDS),
        (0, float("inf"), LONGEST_ASKED_SECONDS),
    ],
)
def test_the_wait(attempts: int, asked: float | None, least: float) -> None:
    """Twice as long each time, or as long as the other side asks for, within reason."""
    assert least <= backoff(attempts, asked=asked).total_seconds() <= least * (1 + JITTER)
