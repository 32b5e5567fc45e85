"""Greenroom itself: broker, PostgreSQL, workers, beat; campaigns come by the schedulers' client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection as Psycopg
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import func, select

from benchmarks.peers.contender import Contender, Stage, Work
from benchmarks.peers.services import PATIENCE, postgres
from cli.embedded_plan import stack_plan
from greenroom.chunks import chunks
from greenroom.client import ITEMS_A_MESSAGE, MESSAGES_AHEAD, Greenroom
from greenroom.clock import SystemClock
from greenroom.errors import UnknownName
from greenroom.manifest import CampaignPlan, ManifestItem, parse_plan
from greenroom.provider import ProviderClient
from greenroom.rate_limit.limiter import Limiter
from greenroom.vault import Vault
from models import Database, Item
from models.cancellation import cancel_campaign
from models.channel import add_channel
from tasks.prepare import prepare
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context
from worker.embedded.programs import UPLOADER_THREADS
from worker.embedded.stack import Stack, embedded_stack
from worker.embedded.state_dir import StateDir

#: Worker processes, and pool processes in each: as many as make two cores busy.
WORKERS, CONCURRENCY = 2, 2
CHANNEL_OF_MANIFESTS = "manifests"
MANIFESTS = Path("/srv/campaigns/spring")
TUNING = f"PostgreSQL, {WORKERS} workers of {CONCURRENCY} processes, beat; all else as it comes"


class GreenroomStack:
    """A stack that runs."""

    def __init__(self, stage: Stage, stack: Stack, state_dir: StateDir, postgres_pid: int) -> None:
        self._stage = stage
        self._stack = stack
        self._pids = [postgres_pid, state_dir.noted_pid("broker")]
        self.database = Database(stack.settings.database_url)
        self.client = Greenroom(stack.settings.celery_broker, timeout=120)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self.database.close()

    def processes(self) -> Sequence[int]:
        """The database is nobody's child."""
        return self._pids

    def add_numbers(self, keys: Sequence[str]) -> None:
        """As ``greenroom channel add`` does."""
        vault = Vault(self._stack.settings.secret_key)
        with self.database.write() as connection:
            for key in keys:
                add_channel(
                    connection,
                    channel_id=key,
                    api_base_url=self._stack.settings.api_base_url,
                    api_key=vault.encrypt(SecretStr(key)),
                    now=datetime.now(UTC),
                )

    def upload(self, work: Work) -> None:
        """Hand over a campaign for each number."""
        for plan, items in self._campaigns(work):
            self.client.add_items(plan, items)

    def _campaigns(self, work: Work) -> Iterator[tuple[CampaignPlan, list[ManifestItem]]]:
        by_key: dict[str, list[ManifestItem]] = {key: [] for key in work.keys}
        for path, key in work.uploads(self._stage):
            by_key[key].append(ManifestItem(ref=path, source=path))
        for key, items in by_key.items():
            if items:
                yield _plan(f"{work.name}-{key}", key), items

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Measure what only Greenroom can do: reuse, and manifests."""
        if what == "again":
            return self._again(Work(**{**options, "keys": tuple(options["keys"])}))
        files = int(options["files"])
        self.add_numbers([CHANNEL_OF_MANIFESTS])
        name = f"{what}-{time.monotonic_ns()}"
        seconds = {
            "enqueue": self._enqueue,
            "save": self._save,
            "save_together": self._save_together,
            "copy": self._copy,
            "bare": self._bare,
        }[what](name, self._items(files))
        if what not in ("copy", "bare"):
            # Or they would be inspected while the next thing is measured.
            with self.database.write() as connection:
                cancel_campaign(connection, name, now=datetime.now(UTC))
        return {"files": files, "seconds": seconds}

    def _again(self, work: Work) -> dict[str, float]:
        """The same campaigns handed over again, until every media ID is known."""
        deadline = time.monotonic() + PATIENCE
        while self._known(work) < work.files and time.monotonic() < deadline:
            # The last answers have come, and are being written down.
            time.sleep(0.1)
        started = time.monotonic()
        found = 0
        for plan, items in self._campaigns(work):
            self.client.add_items(plan, items)
            found += len(self.client.resolve(plan.id, [item.ref for item in items]))
        return {"files": work.files, "found": found, "seconds": time.monotonic() - started}

    def _known(self, work: Work) -> int:
        return sum(
            len(self.client.resolve(plan.id, [item.ref for item in items]))
            for plan, items in self._campaigns(work)
        )

    def _items(self, files: int) -> list[ManifestItem]:
        return [
            ManifestItem(ref=f"customer-{n:08}.jpg", source=str(MANIFESTS / f"customer-{n:08}.jpg"))
            for n in range(files)
        ]

    def _enqueue(self, name: str, items: list[ManifestItem]) -> float:
        """By client, broker and workers, until every row is acknowledged; then they are counted."""
        started = time.monotonic()
        self.client.add_items(_plan(name, CHANNEL_OF_MANIFESTS), items)
        seconds = time.monotonic() - started
        self._must_be_there(name, len(items))
        return seconds

    def _save_together(self, name: str, items: list[ManifestItem]) -> float:
        """What one worker process does of it: as many parts at a time as the client lets there be."""
        return self._save(name, items, threads=min(MESSAGES_AHEAD, UPLOADER_THREADS))

    def _save(self, name: str, items: list[ManifestItem], *, threads: int = 1) -> float:
        """Checks, rows, commits, without the way by the broker; by one thread, part after part."""
        published: list[Message] = []
        settings = self._stack.settings
        redis = Redis.from_url(settings.redis_url.get_secret_value())
        context = Context(
            settings=settings,
            database=self.database,
            redis=redis,
            limiter=Limiter(redis, uploads_per_second=settings.uploads_per_second),
            provider=ProviderClient(base_url=settings.api_base_url),
            vault=Vault(settings.secret_key),
            clock=SystemClock(),
            publish=published.append,
        )
        plan = _plan(name, CHANNEL_OF_MANIFESTS).model_dump(mode="json")
        rows = [item.model_dump(mode="json", exclude_none=True) for item in items]
        parts = list(chunks(rows, ITEMS_A_MESSAGE))
        with ThreadPoolExecutor(threads) as pool:
            started = time.monotonic()
            list(pool.map(lambda part: prepare(context, plan, part), parts))
            seconds = time.monotonic() - started
        redis.close()
        self._must_be_there(name, len(items))
        return seconds

    def _bare(self, name: str, items: list[ManifestItem]) -> float:
        """COPY of the same rows into a table that has their columns, and no index or foreign key."""
        return self._copy(name, items, bare=True)

    def _copy(self, name: str, items: list[ManifestItem], *, bare: bool = False) -> float:
        """The limit: one COPY of the same rows into a table with the same indexes and foreign keys."""
        columns = "campaign_id, due_at, ref, source, fix, state, token, attempts, label, detail, notices"
        address = self._stack.settings.database_url.get_secret_value()
        now = datetime.now(UTC)
        with Psycopg.connect(address.replace("+psycopg", "")) as connection:
            connection.execute("DROP TABLE IF EXISTS copied")
            including = "DEFAULTS" if bare else "ALL"
            connection.execute(f"CREATE TABLE copied (LIKE items INCLUDING {including})")
            keys = () if bare else (("campaign_id", "campaigns"), ("asset_id", "assets"))
            for column, table in keys:
                connection.execute(f"ALTER TABLE copied ADD FOREIGN KEY ({column}) REFERENCES {table}")
            connection.execute(
                "INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                (name, CHANNEL_OF_MANIFESTS, now, now, now),
            )
            connection.commit()
            started = time.monotonic()
            with connection.cursor().copy(f"COPY copied ({columns}) FROM STDIN") as copy:
                for item in items:
                    copy.write_row(
                        (name, now, item.ref, item.source, item.fix, "waiting", 0, 0, "", "", "[]")
                    )
            connection.commit()
            return time.monotonic() - started

    def _must_be_there(self, campaign_id: str, files: int) -> None:
        with self.database.read() as connection:
            rows = connection.execute(
                select(func.count()).select_from(Item).where(Item.campaign_id == campaign_id)
            ).scalar_one()
        if rows != files:
            raise RuntimeError(f"{rows} rows were written of {files}")


def _plan(campaign_id: str, channel: str) -> CampaignPlan:
    now = datetime.now(UTC).replace(microsecond=0, second=0, minute=0)
    return parse_plan(
        {
            "id": campaign_id,
            "channel": channel,
            "send_at": now + timedelta(hours=6),
            "keep_until": now + timedelta(days=3),
        }
    )


@contextmanager
def greenroom_stack(stage: Stage) -> Iterator[Contender]:
    """The stack that ``greenroom run`` starts, on PostgreSQL, sending to the endpoint."""
    state_dir = StateDir(folder=stage.folder / "home")
    plan = stack_plan(
        state_dir.folder,
        workers=WORKERS,
        concurrency=CONCURRENCY,
        sandbox=False,
        latency="0",
        # Those of manifests are never there: their place is allowed, or they would not even wait.
        media={*(Path(file).parent for file in stage.files), MANIFESTS},
    )
    with postgres(stage.folder / "postgres") as (address, pid):
        plan.environment.update(GREENROOM_DATABASE_URL=address, GREENROOM_API_BASE_URL=stage.endpoint)
        with embedded_stack(plan) as stack:
            greenroom = GreenroomStack(stage, stack, state_dir, pid)
            try:
                # Answered by a worker: from now on all of it is up.
                with suppress(UnknownName):
                    greenroom.client.resolve("none", ["none"])
                yield greenroom
            finally:
                greenroom.close()
