"""The harness of the faults: whatever must not be makes its line fail, and every fault has its place."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.chaos import faults
from benchmarks.chaos.observation import Comparison
from benchmarks.chaos.run import FAULTS, RECOVERY_SECONDS, Fault, Row, judged
from benchmarks.chaos.table import line, page
from worker.checkout import CHECKOUT

__all__ = ["faults"]

HELD = Row(
    fault=Fault(group="worker", name="kill -9", do=lambda _: None),
    stack="production",
    accepted=360,
    counted=Comparison(ready=360, wrong=0, twice=20, orphans=20),
    in_flight=20,
    throttled=0,
    peak=25,
    recovered=RECOVERY_SECONDS,
    problems=(),
)


def test_a_line_that_held() -> None:
    """As many twice as were in flight, and all ready in time."""
    row = judged(HELD)
    assert not row.problems
    assert line(row).startswith("✓")
    assert "| 360 | 360 | 0 | 20 | 20 | 0 | 20 | 20.0 s | held |" in page([row], of=1, seed=1, command="x")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(HELD, counted=replace(HELD.counted, ready=359)), "1 lost"),
        (replace(HELD, counted=replace(HELD.counted, wrong=1)), "1 under an ID that is not theirs"),
        (replace(HELD, counted=replace(HELD.counted, twice=21)), "21 seen twice, with 20 in flight"),
        (replace(HELD, counted=replace(HELD.counted, orphans=21)), "21 orphans, with 20 in flight"),
        (replace(HELD, throttled=2, peak=26), "2 throttled, at most 26 in a second"),
        (replace(HELD, recovered=RECOVERY_SECONDS + 1), "recovered after 21 s"),
    ],
    ids=["lost", "wrong", "twice", "orphans", "throttled", "late"],
)
def test_a_line_that_did_not_hold(row: Row, said: str) -> None:
    """Each by itself, and it is said in the table."""
    row = judged(row)
    assert row.problems == (said,)
    assert said in page([row], of=1, seed=1, command="x")
    assert "✗" in line(row)


def test_names_are_their_own() -> None:
    """Channels are named by their fault."""
    assert len({fault.slug[:60] for fault in FAULTS}) == len(FAULTS)


def test_every_point_is_in_the_code(tmp_path: object) -> None:
    """Names that the points replace are still there: else a worker would be killed nowhere."""
    script = "from benchmarks.chaos import points; print(sorted(set(points.SET)) == sorted(points.POINTS))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT), "CHAOS_CONTROLS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "True", result.stderr
