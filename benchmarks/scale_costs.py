"""What one upload and one tick cost each part of an installation: read from a file, or measured in part."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.load import LOOK_EVERY_SECONDS, Load, running_load
from benchmarks.processes import POSTGRES, cpu_between

FILE = Path(__file__).parent / "results" / "unit_costs.json"
#: The load under which costs are measured.
NUMBERS, FILES, WORKERS, CONCURRENCY = 20, 200, 1, 1
#: Seconds for which it runs before it is measured: processes import, connections open.
WARM_UP_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class UnitCosts:
    """Milliseconds of CPU, on cores like those they were measured on.

    Attributes:
        upload_ms: in upload processes, for each upload.
        inspection_ms: in inspection processes, for each file.
        redis_ms: in Redis, broker included, for each upload.
        redis_commands: for each upload.
        postgres_ms: in PostgreSQL, for each upload, from the manifest to the recorded ID.
        tick_ms: in the worker that runs it, for each tick of the dispatcher.
        tick_channel_ms: the same, for each channel that waits or uploads.
        postgres_tick_ms: in PostgreSQL, for each tick of the dispatcher.
        postgres_tick_channel_ms: the same, for each channel that waits or uploads.
        measured: in words, how and on what.
    """

    upload_ms: float
    inspection_ms: float
    redis_ms: float
    redis_commands: float
    postgres_ms: float
    tick_ms: float
    tick_channel_ms: float
    postgres_tick_ms: float
    postgres_tick_channel_ms: float
    measured: str

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name != "measured" and not value >= 0:
                raise ValueError(f"{name} must be a number that is not negative")


def read_costs(path: Path) -> UnitCosts:
    """The costs of a file.

    Raises:
        ValueError: it lacks one, has one that there is not, or one that is no cost.
    """
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        return UnitCosts(**values)
    except TypeError as error:
        raise ValueError(f"{path.name}: {error}") from None


def write_costs(path: Path, costs: UnitCosts) -> None:
    """Write them down."""
    path.write_text(json.dumps(asdict(costs), indent=2) + "\n", encoding="utf-8")


def measure(costs: UnitCosts, *, seconds: float, where: str) -> UnitCosts:
    """Run the stack for a while, and answer the costs with those replaced that can be told from outside.

    The costs of a tick are not among them: they are lost in those of uploads. They come from ``make
    bench-plans``: its ticks, less and more channels.

    Args:
        costs: what is known so far.
        seconds: how long it is measured.
        where: on what, in words.
    """
    with (
        tempfile.TemporaryDirectory(prefix="greenroom-scale-") as folder,
        running_load(
            Path(folder), numbers=NUMBERS, files=FILES, workers=WORKERS, concurrency=CONCURRENCY
        ) as load,
    ):
        _keep_busy(load, WARM_UP_SECONDS)
        uses, uploads, inspected = load.uses(), load.uploads(), _inspected(load)
        commands = _commands(load)
        _keep_busy(load, seconds)
        cpu = cpu_between(uses, load.uses())
        uploads, inspected = load.uploads() - uploads, _inspected(load) - inspected
        commands = _commands(load) - commands
    if not uploads or not inspected:
        raise RuntimeError("Nothing was uploaded: see whether the stack runs at all.")
    return replace(
        costs,
        upload_ms=round(1000 * cpu["upload"] / uploads, 3),
        inspection_ms=round(1000 * cpu["inspection"] / inspected, 3),
        redis_ms=round(1000 * cpu["Valkey"] / uploads, 4),
        redis_commands=round(commands / uploads, 2),
        postgres_ms=round(1000 * cpu[POSTGRES] / uploads, 3),
        measured=f"{uploads:,} uploads in {seconds:.0f} s on {NUMBERS} numbers; {where}",
    )


def _keep_busy(load: Load, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        load.keep_busy(most=10**9)
        time.sleep(LOOK_EVERY_SECONDS)


def _commands(load: Load) -> int:
    return int(load.redis.info("stats")["total_commands_processed"])


def _inspected(load: Load) -> int:
    return load.handed_over - load.waiting_for_inspection()
