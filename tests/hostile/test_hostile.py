"""The hostile corpus: nothing in it crashes, hangs or grows, and each case ends as its line says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.hostile.case import Case
from tests.hostile.cases import CASES
from tests.hostile.measure import Row, measured

#: All cases run before the first of these tests, and each may wait for a while on a busy machine.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("hostile")]
SMALL = [case for case in CASES if not case.large]


@pytest.fixture(scope="module")
def rows() -> Mapping[tuple[str, str], Row]:
    """What came of each case."""
    return {(row.kind, row.name): row for row in measured()}


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.kind}: {case.name}")
def test_what_becomes_of_it(case: Case, rows: Mapping[tuple[str, str], Row]) -> None:
    """A verdict or one sentence, in bounded memory and time."""
    row = rows[case.kind, case.name]
    assert row.well, f"{row.happened} ({row.memory:.0f} MB, {row.seconds:.1f} s)"


def test_no_two_cases_have_one_name() -> None:
    """Else one of them would be looked at in place of the other."""
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES)
