"""What an installation costs that has nothing to do: CPU, memory, statements and commands.

Run with ``make bench-rest``, or ``python -m benchmarks.at_rest [--rows N] [--channels N] [--seconds N]
[--beside REVISION]``; some minutes, most of them to fill the tables. Writes ``benchmarks/results/at_rest.md``
where as many rows and seconds are asked for as by default.

What `docker-compose.yml` starts runs on a PostgreSQL of many rows (:mod:`benchmarks.full_tables`) of which
nothing waits, and the embedded stack of ``greenroom run`` beside it later, after one file. Each rests for a
while first. CPU is counted for some minutes, statements and commands in a minute of their own, for PostgreSQL
writes each into its log then. Memory is the proportional set (PSS): a page that processes share counts once.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.chaos.services import Postgres, Valkey
from benchmarks.checkouts import checked_out, git
from benchmarks.compose_services import ComposeServices, await_checks
from benchmarks.full_tables import FullTables
from benchmarks.machine import describe
from benchmarks.peers.contender import CHECKOUT
from benchmarks.peers.family import Family
from benchmarks.start import Side, resting
from benchmarks.tick_cost import make_context
from migrations import upgrade_database
from worker.embedded.ports import free_port

RESULTS = Path(__file__).parent / "results" / "at_rest.md"
ROWS, CHANNELS, SECONDS = 1_000_000, 1_000, 120.0
#: Seconds for which an installation rests first: what it does when it starts is over.
SETTLING = 45.0
#: Seconds in which statements and commands are counted, and files of the embedded stack looked at.
COUNTING = 60.0
#: Seconds that all services may take to be healthy.
PATIENCE = 120.0
#: Characters of a statement, and how many of them, that the page shows.
LONGEST, MOST_SHOWN = 70, 12
DATABASE, BROKER, CHECKS = "PostgreSQL", "Valkey", "health checks"
BESIDE = (DATABASE, BROKER)
#: Nothing waits, and all that is known is consistent.
AT_REST = (
    "UPDATE assets SET state = 'ready';"
    "UPDATE items SET state = 'accepted', asset_id = CAST(ref AS bigint) WHERE asset_id IS NULL"
)
#: A statement in PostgreSQL's log; its further lines begin with a tab.
_STATEMENT = re.compile(r"(?:statement|execute [^:]*): (.*(?:\n\t.*)*)")


@dataclass(kw_only=True)
class Rest:
    """What one installation did while it had nothing to do.

    Attributes:
        title: which.
        cpu: percent of one core, by part.
        memory: MB, by part.
        statements: that PostgreSQL got in a minute, by their text.
        commands: that the broker got in a minute, by name.
    """

    title: str
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    statements: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)


def note(rest: Rest, readings: Mapping[str, Callable[[], float]], seconds: float) -> None:
    """Watch what was computed, CPU seconds so far by part, for so long."""
    before, began = {name: reading() for name, reading in readings.items()}, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    rest.cpu = {name: 100 * (reading() - before[name]) / took for name, reading in readings.items()}


def count_commands(redis: Redis) -> Counter[str]:
    """All commands so far, by name."""
    found: dict[str, Any] = redis.info("commandstats")
    # The monitor's own question is not the installation's.
    return Counter(
        {name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items() if name != "cmdstat_info"}
    )


def compose(rest: Rest, folder: Path, code: Path, beside: tuple[Postgres, Valkey], seconds: float) -> None:
    """Rest with what `docker-compose.yml` starts."""
    postgres, broker = beside
    database = postgres.address("greenroom")
    stack = ComposeServices(folder, database=database, redis=broker.url, code=code)
    with broker.client() as redis:
        redis.flushdb()
        stack.start()
        try:
            await_checks(stack, seconds=PATIENCE)
            time.sleep(SETTLING)
            postgres.sql("CHECKPOINT")
            families = {name: Family([service.pid]) for name, service in stack.running.items()}
            families |= {DATABASE: Family([postgres.pid]), BROKER: Family([broker.pid])}
            with stack.checked() as checks:
                note(rest, {CHECKS: checks.cpu} | {name: one.cpu for name, one in families.items()}, seconds)
            if checks.failed:
                raise RuntimeError(f"not healthy: {checks.failed[0]}")
            rest.memory = {name: one.memory()[0] for name, one in families.items()}
            before, begin = count_commands(redis), postgres.log.stat().st_size
            postgres.set(log_statement="all")
            time.sleep(COUNTING)
            rest.commands = count_commands(redis) - before
            postgres.reset("log_statement")
        finally:
            stack.stop()
    with postgres.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(begin)
        rest.statements = Counter(" ".join(each.split()) for each in _STATEMENT.findall(log.read()))
    for ours in [one for one in rest.statements if "log_statement" in one or "pg_reload_conf" in one]:
        del rest.statements[ours]


def embedded(rest: Rest, folder: Path, code: Path, seconds: float) -> None:
    """Rest with the stack of ``greenroom run``, which has done one file."""
    with resting(Side(title=rest.title, folder=code), folder) as (supervisor, settings):
        time.sleep(SETTLING)
        noted = json.loads((folder / "resting" / "processes.json").read_text(encoding="utf-8"))
        families = {name: Family([int(row["pid"])]) for name, row in noted.items()}
        every, parts = Family([supervisor]), list(families.values())
        readings = {name: one.cpu for name, one in families.items()}
        # The others are its children.
        readings["supervisor"] = lambda: every.cpu() - sum(one.cpu() for one in parts)
        with Redis.from_url(settings["GREENROOM_REDIS_URL"]) as redis:
            before = count_commands(redis)
            note(rest, readings, seconds)
            after = count_commands(redis)
        rest.commands = Counter(
            {name: round(count * 60 / seconds) for name, count in (after - before).items()}
        )
        rest.memory = {name: one.memory()[0] for name, one in families.items()}
        rest.memory["supervisor"] = every.memory()[0] - sum(rest.memory.values())


def page(rests: Sequence[Rest], *, rows: int, channels: int, seconds: float) -> str:
    """The table."""
    machine = describe()
    lines = [
        "# What an installation costs that has nothing to do",
        "",
        (
            f"Written by `make bench-rest`; [what is measured](../../docs/explanation/speed.md#at-rest). "
            f"What Compose starts rests on a PostgreSQL with {channels:,} channels and {rows:,} rows in each "
            f"of three tables; the embedded stack on the SQLite of one file. CPU over {seconds:.0f} s."
        ),
        "",
        *(f"- {name}: {machine[name]}" for name in ("date", "processor", "kernel", "python", "libraries")),
        "",
        "| | CPU, % of one core | memory, MB (PSS) | statements a minute | Redis commands a minute |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for rest in rests:
        own = [name for name in rest.memory if name not in BESIDE]
        cpu = sum(rest.cpu.get(name, 0.0) for name in (*own, CHECKS))
        counts = (_count(rest.statements), _count(rest.commands))
        lines.append(
            f"| **{rest.title}** | **{cpu:.2f}** | **{sum(rest.memory[name] for name in own):.0f}** | "
            f"{' | '.join(counts)} |"
        )
        for name in (*own, CHECKS, *BESIDE):
            if name in rest.cpu or name in rest.memory:
                cells = [
                    f"{one[name]:.{digits}f}" if name in one else ""
                    for one, digits in ((rest.cpu, 2), (rest.memory, 0))
                ]
                beside = "beside it: " if name in BESIDE else ""
                lines.append(f"| {beside}{name} | {' | '.join(cells)} | | |")
    lines += ["", "What was asked most often, in a minute:", ""]
    for rest in rests:
        for counted in (rest.statements, rest.commands):
            if counted:
                often = "; ".join(
                    f"{count} `{_short(text)}`" for text, count in counted.most_common(MOST_SHOWN)
                )
                lines.append(f"- {rest.title}: {often}")
    return "\n".join([*lines, ""])


def _count(counted: Counter[str]) -> str:
    return f"{counted.total():,}" if counted else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def filled(postgres: Postgres, broker: Valkey, *, rows: int, channels: int) -> None:
    """Fill the tables with what is long done."""
    with broker.client() as redis:
        context = make_context(postgres.address("greenroom"), redis)
        upgrade_database(context.database.engine)
        tables = FullTables(context, rows=rows, channels=channels)
        tables.fill()
        tables.run(AT_REST)
        context.database.close()
    # As its owner: all of it, and what only a superuser may.
    postgres.sql("VACUUM FULL ANALYZE")
    postgres.sql("CHECKPOINT")


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.at_rest", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each of three tables")
    parser.add_argument("--channels", type=int, default=CHANNELS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for which CPU is counted")
    parser.add_argument(
        "--beside", metavar="REVISION", action="append", default=[], help="another one, before"
    )
    given = parser.parse_args()
    rests = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greenroom-rest-")))
        # PostgreSQL has an account of its own where we are root.
        scratch.chmod(0o755)
        sides = {git("rev-parse", "--short", one): one for one in given.beside}
        codes = {
            f"`{name}`": stack.enter_context(checked_out(one, scratch / name)) for name, one in sides.items()
        }
        broker = Valkey(scratch, free_port())
        broker.start()
        stack.callback(broker.kill)
        postgres = Postgres(scratch, free_port())
        postgres.start()
        stack.callback(postgres.kill)
        postgres.make_database()
        filled(postgres, broker, rows=given.rows, channels=given.channels)
        for name, code in {**codes, "now": CHECKOUT}.items():
            rest = Rest(title=f"Compose's default, {name}")
            compose(rest, Path(tempfile.mkdtemp(dir=scratch)), code, (postgres, broker), given.seconds)
            alone = Rest(title=f"the embedded stack, {name}")
            embedded(alone, Path(tempfile.mkdtemp(dir=scratch)), code, given.seconds)
            rests += [rest, alone]
    text = page(rests, rows=given.rows, channels=given.channels, seconds=given.seconds)
    print(text)
    if given.rows >= ROWS and given.seconds >= SECONDS:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
