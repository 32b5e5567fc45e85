"""No campaign ever meets a dead media ID, over 400 days of everything that can go wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.simulation.scenario import Plan, run

#: What has to have happened for the run to prove anything.
AT_LEAST = {
    "campaigns": 50,
    "files": 5_000,
    "sends": 100,
    "moves": 5,
    "cancels": 1,
    "sources that vanished": 10,
    "sources that changed": 10,
    "IDs that died early": 20,
    "early deaths found": 10,
    "provider outages": 5,
    "days without beat": 1,
    "messages lost with a worker": 1,
    "deletes": 5_000,
    "verifications": 5_000,
    "uploads": 8_000,
    "rows pruned": 1_000,
    "invariant checks": 500_000,
}


@pytest.mark.timeout(600)
def test_four_hundred_days(database_url: str, tmp_path: Path) -> None:
    """Every promise is looked at in every step; the first that is broken ends the run with its name."""
    counts = run(Plan(), database_url, tmp_path)
    sys.stdout.write("".join(f"{number:>10,}  {name}\n" for name, number in counts.most_common()))
    short = {name: (counts[name], least) for name, least in AT_LEAST.items() if counts[name] < least}
    assert not short
