"""The most telling faults on one real stack: workers, beat, PostgreSQL, broker; `make chaos` has them all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.chaos import faults
from benchmarks.chaos.campaign import File, make_files
from benchmarks.chaos.run import FAULTS, PATIENCE_SECONDS, Fault, Row, Run
from benchmarks.chaos.stack import Production, production

__all__ = ["faults"]

#: What is told of a busy machine as well.
OF_THE_MACHINE = ("recovered after", "throttled")
FIRST, SECOND = 30, 15
SEED = 15
#: On one stack, in this order; xdist gives all of them to one process.
TELLING = (
    "worker: kill -9 after answer",
    "broker: kill -9, three times",
    "database: sessions ended, five times",
)

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A stack as in production, with a short lease."""
    with production(tmp_path_factory.mktemp("chaos")) as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[File]:
    """The files of each campaign."""
    return make_files(tmp_path_factory.mktemp("files"), FIRST + SECOND)


def run(stack: Production, fault: Fault, files: list[File], *, patience: float = PATIENCE_SECONDS) -> Row:
    """Run a fault on few files."""
    small = replace(fault, first=FIRST, second=SECOND)
    chance = random.Random(f"{SEED} {fault.slug}")
    return Run(stack=stack, fault=small, chance=chance, files=files, patience=patience).go()


@pytest.mark.parametrize("name", TELLING)
def test_nothing_is_lost(stack: Production, files: list[File], name: str) -> None:
    """All that was accepted is ready, no more comes twice than was in flight, and no worker ends by itself.

    How long it takes, and whether the pace holds, depends on what else the machine has to do: `make chaos`.
    """
    (fault,) = [each for each in FAULTS if f"{each.group}: {each.name}" == name]
    row = run(stack, fault, files)
    assert not [problem for problem in row.problems if not any(word in problem for word in OF_THE_MACHINE)]


def test_a_planted_loss_is_found(stack: Production, files: list[File]) -> None:
    """A worker leaves one media ID unrecorded: one file is lost, and the provider has one ID too many."""
    plant = Fault(group="harness", name="plants a loss", do=lambda run: run.forget_one())
    row = run(stack, plant, files, patience=3.0)
    assert row.lost == 1
    assert "1 lost" in row.problems
    assert "1 orphans, with 0 in flight" in row.problems
