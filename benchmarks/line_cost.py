"""What one new line of a manifest costs, part by part: CPU of PostgreSQL, and of the process that writes it.

Run with ``make bench-line``, or ``python -m benchmarks.line_cost [--lines 40000]``; a minute. The same rows
go into tables like `items` that have one thing more each, by a statement like Greenroom's in parts of a
message's size, and by ``COPY``. Then Greenroom writes them, without broker and Celery; what its steps take by
themselves is measured beside, and what the way by the broker takes of client and worker. Each figure is the
least of some rounds, in microseconds of CPU for each line. Writes ``benchmarks/results/line_cost.md``.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from kombu import Connection, Consumer, Message
from kombu import Queue as KombuQueue
from kombu.serialization import loads
from psycopg import Connection as Psycopg
from pydantic import SecretStr

from benchmarks.machine import describe
from benchmarks.peers.services import PATIENCE, postgres, valkey
from greenroom.chunks import chunks
from greenroom.client import ITEMS_A_MESSAGE
from greenroom.manifest import CampaignPlan, ManifestItem, items_as_json, parse_items
from greenroom.sources import Sources
from greenroom.task_calls import TaskCalls
from greenroom.task_names import QUEUES, TaskName
from migrations import upgrade_database
from models import Database
from models.bulk import ListOf
from models.channel import add_channel
from models.item import Item
from models.manifest_items import columns_given
from models.moving import save_and_move
from tasks.prepare import write_beside
from worker import broker_transport
from worker.quarantine import check_task

RESULTS = Path(__file__).parent / "results" / "line_cost.md"
LINES = 40_000
ROUNDS = 3
CHANNEL = "4915112345678"
SEND_AT = datetime(2030, 3, 21, 9, tzinfo=UTC)
FOLDER = "/srv/campaigns/spring"
#: What a table has that has all of it, one after the other.
ADDED = (
    ("the columns alone", ""),
    ("and the primary key", "ALTER TABLE copied ADD PRIMARY KEY (id)"),
    ("and campaign and ref, unique", "ALTER TABLE copied ADD UNIQUE (campaign_id, ref)"),
    (
        "and the index of what waits",
        "CREATE INDEX ON copied (campaign_id, id) WHERE state = 'waiting'",
    ),
    (
        "and foreign keys: a table like `items`",
        (
            "ALTER TABLE copied ADD FOREIGN KEY (campaign_id) REFERENCES campaigns,"
            " ADD FOREIGN KEY (asset_id) REFERENCES assets"
        ),
    ),
)
SAME = "campaign_id, due_at, fix, state, token, attempts, label, detail, notices"
INSERT = (
    f"INSERT INTO copied ({SAME}, ref, source)"  # noqa: S608 - our own names
    " SELECT %s::text, %s::timestamptz, false, 'waiting', 0, 0, '', '', '[]', given.ref, given.source"
    " FROM unnest(%s::text[], %s::text[]) AS given (ref, source)"
)


class Tables:
    """A database of its own, and what its processes compute."""

    def __init__(self, address: str, server: int, lines: int) -> None:
        self._server = psutil.Process(server)
        self.database = Database(SecretStr(address))
        upgrade_database(self.database.engine)
        with self.database.write() as connection:
            add_channel(
                connection,
                channel_id=CHANNEL,
                api_base_url="http://127.0.0.1:9",
                api_key="none",
                now=datetime.now(UTC),
            )
        self.connection = Psycopg.connect(address.replace("+psycopg", ""), autocommit=True)
        refs = [f"customer-{number:08}.jpg" for number in range(lines)]
        self.items = [ManifestItem(ref=ref, source=f"{FOLDER}/{ref}") for ref in refs]
        self._campaigns = 0

    def plan(self) -> CampaignPlan:
        """A campaign that is new, and known."""
        self._campaigns += 1
        keep_until = SEND_AT + timedelta(days=14)
        name = f"campaign-{self._campaigns}"
        plan = CampaignPlan(id=name, channel=CHANNEL, send_at=SEND_AT, keep_until=keep_until)
        with self.database.write() as connection:
            save_and_move(connection, plan, upload_from=datetime.now(UTC), now=datetime.now(UTC))
        return plan

    def make(self, statements: Sequence[str]) -> None:
        """A new table with the columns of items, and what these statements add."""
        self.connection.execute("DROP TABLE IF EXISTS copied")
        self.connection.execute("CREATE TABLE copied (LIKE items INCLUDING DEFAULTS)")
        for statement in filter(None, statements):
            self.connection.execute(statement)

    def insert(self, plan: CampaignPlan) -> None:
        """Rows by a statement for each part."""
        texts = ListOf(Item.ref.type).bind_processor(self.database.engine.dialect)
        for some in chunks(self.items, ITEMS_A_MESSAGE):
            columns, _ = columns_given(some)
            given = [texts(columns[name]) for name in ("ref", "source")]
            self.connection.execute(INSERT, (plan.id, SEND_AT, *given))

    def copy(self, plan: CampaignPlan, *, part: int) -> None:
        """Rows by a COPY for each part."""
        same = (plan.id, SEND_AT.isoformat(), "f", "waiting", "0", "0", "", "", "[]")
        for some in chunks(self.items, part):
            rows = ("\t".join((*same, item.ref, item.source)) for item in some)
            with self.connection.cursor().copy(f"COPY copied ({SAME}, ref, source) FROM STDIN") as copy:
                copy.write("\n".join(rows))

    def hand_over(self, plan: CampaignPlan) -> None:
        """As Greenroom does: JSON values, checked, and written part by part."""
        sources = Sources(roots=[Path(FOLDER).parent])
        now = datetime.now(UTC)
        for some in chunks(self.items, ITEMS_A_MESSAGE):
            rows = parse_items(items_as_json(some))
            with self.database.write() as connection:
                written = write_beside(connection, plan, rows, upload_from=now, now=now)
            if written is None or any(sources.refusal(row.source) for row in rows):
                raise RuntimeError("lines were not written as new ones")

    def cost(self, work: Callable[[CampaignPlan], None]) -> tuple[float, float]:
        """Microseconds for each line: of PostgreSQL, and of this process."""
        found = []
        for _ in range(ROUNDS):
            plan = self.plan()
            theirs, ours = self._theirs(), time.process_time()
            work(plan)
            ours = time.process_time() - ours
            found.append((self._theirs() - theirs, ours))
        scale = 1e6 / len(self.items)
        return min(one for one, _ in found) * scale, min(one for _, one in found) * scale

    def _theirs(self) -> float:
        processes = [self._server, *self._server.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


class Messages:
    """The way by the broker: what a client does of it, and a worker before its task begins."""

    def __init__(self, broker: str, items: Sequence[ManifestItem]) -> None:
        broker_transport.install()
        self._items = items
        self._calls = TaskCalls(broker, result_url=None, sentinel_master=None, timeout=PATIENCE)
        self._connection = Connection(broker)
        self._left = 0

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._calls.close()

    def send(self, plan: CampaignPlan) -> None:
        """As `Greenroom.add_items` does."""
        for some in chunks(self._items, ITEMS_A_MESSAGE):
            self._calls.send(TaskName.PREPARE, [plan.as_message(), items_as_json(some)], plan.id)

    def take(self, _plan: CampaignPlan) -> None:
        """As a worker's consumer does, and Celery once more for the task."""
        self._left = len(list(chunks(self._items, ITEMS_A_MESSAGE)))
        queue = KombuQueue(QUEUES[TaskName.PREPARE])
        with Consumer(self._connection, [queue], on_message=self._handle, accept=["json"]):
            while self._left:
                self._connection.drain_events(timeout=PATIENCE)

    def _handle(self, message: Message) -> None:
        check_task(message.headers, message.payload)
        loads(message.body, message.content_type, message.content_encoding)  # type: ignore[arg-type]  # all are texts
        message.ack()
        self._left -= 1


def measure(tables: Tables, messages: Messages) -> dict[str, tuple[float, float]]:
    """Each table and each way, then the steps of ours."""
    found = {}
    statements: list[str] = []
    for title, statement in ADDED:
        statements.append(statement)
        for way, work in (
            ("`INSERT` of parts", tables.insert),
            ("`COPY` of parts", lambda plan: tables.copy(plan, part=ITEMS_A_MESSAGE)),
            ("one `COPY`", lambda plan: tables.copy(plan, part=len(tables.items))),
        ):
            if way == "`INSERT` of parts" or title in (ADDED[0][0], ADDED[-1][0]):
                tables.make(statements)
                found[f"{way}, {title}"] = tables.cost(work)
    found["**Greenroom: checked and written**"] = tables.cost(tables.hand_over)
    sources, items = Sources(roots=[Path(FOLDER).parent]), tables.items
    parts = [items_as_json(some) for some in chunks(items, ITEMS_A_MESSAGE)]
    steps: dict[str, Callable[[], object]] = {
        "of that: items to JSON values, for this measurement": lambda: [
            items_as_json(some) for some in chunks(items, ITEMS_A_MESSAGE)
        ],
        "of that: checking items": lambda: [parse_items(some) for some in parts],
        "of that: whether sources may be opened": lambda: [
            sources.refusal(one.source) for one in tables.items
        ],
    }
    for title, step in steps.items():
        found[title] = tables.cost(lambda _, step=step: step() and None)  # type: ignore[misc]  # bound at once
    found["beside that, the client: messages to the broker"] = tables.cost(messages.send)
    found["beside that, a worker: messages from the broker"] = tables.cost(messages.take)
    return found


def report(found: dict[str, tuple[float, float]], lines: int) -> str:
    """The page."""
    machine = describe()
    on = f"{machine['processor']}, Python {machine['python']}, {machine['kernel']}"
    return "\n".join(
        [
            "# What one new line of a manifest costs",
            "",
            f"`make bench-line`; {lines:,} lines by {ITEMS_A_MESSAGE:,}, least of {ROUNDS} rounds; {on}.",
            "",
            "| µs of CPU for each line | PostgreSQL | Python |",
            "| --- | ---: | ---: |",
            *(f"| {title} | {theirs:.1f} | {ours:.1f} |" for title, (theirs, ours) in found.items()),
            "",
        ]
    )


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=LINES)
    lines = arguments.parse_args().lines
    with (
        tempfile.TemporaryDirectory() as folder,
        valkey(Path(folder) / "valkey") as broker,
        postgres(Path(folder) / "postgres") as (address, server),
    ):
        tables = Tables(address, server, lines)
        messages = Messages(broker, tables.items)
        # As in a worker, which has loaded all that it needs.
        gc.collect()
        gc.freeze()
        page = report(measure(tables, messages), lines)
        messages.close()
        tables.connection.close()
        tables.database.close()
    print(page)
    if lines == LINES:
        RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
