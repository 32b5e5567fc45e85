"""No campaign ever meets a dead media ID, over 400 days of everything that can go wrong.

On PostgreSQL it is 160 days: the rules are the same code, its own are the statements, and each of its days
costs more than twice as much.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.simulation.scenario import ScenarioPlan, run

PLANS = {"sqlite": ScenarioPlan(), "postgresql": ScenarioPlan(days=160, campaigns=20, files=2_000)}
#: What has to have happened in 400 days for the run to prove anything. What happens in fewer goes with their
#: square: there are fewer media, for fewer days.
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
def test_a_year_and_more(database_url: str, tmp_path: Path) -> None:
    """Every promise is looked at in every step; the first that is broken ends the run with its name."""
    plan = PLANS["sqlite" if database_url.startswith("sqlite") else "postgresql"]
    counts = run(plan, database_url, tmp_path)
    sys.stdout.write("".join(f"{number:>10,}  {name}\n" for name, number in counts.most_common()))
    part = (plan.days / ScenarioPlan().days) ** 2
    least = {name: int(number * part) for name, number in AT_LEAST.items()}
    short = {name: (counts[name], number) for name, number in least.items() if counts[name] < number}
    assert not short
