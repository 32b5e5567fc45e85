"""A Greenroom stack with a backlog that was looked at beforehand, and is released at one moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import func, select, update

from benchmarks.endpoint import BenchmarkEndpoint
from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.services import postgres
from cli.embedded_plan import stack_plan
from greenroom.client import Greenroom
from greenroom.manifest import ManifestItem, parse_plan
from greenroom.readiness import Readiness
from greenroom.vault import Vault
from models import Channel, Database, Item, Media
from models.campaign_readiness import readiness_of
from models.channel import add_channel
from models.item import ItemState
from worker.embedded.stack import Stack, embedded_stack
from worker.embedded.state_dir import StateDir

#: Seconds that looking at all files may take.
PATIENCE = 900.0


class Backlog:
    """What a benchmark does with the stack."""

    def __init__(
        self, client: Greenroom, database: Database, stack: Stack, state_dir: StateDir, postgres: int
    ) -> None:
        self._client = client
        self._database = database
        self._vault = Vault(stack.settings.secret_key)
        self._address = stack.settings.api_base_url
        self._state_dir = state_dir
        self._postgres = postgres

    def processes(self) -> dict[str, int]:
        """The first process of each part of the stack."""
        return {**self._state_dir.noted(), "postgres": self._postgres}

    def add_numbers(self, keys: Sequence[str]) -> None:
        """Make numbers known, on which nothing is uploaded yet."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            for key in keys:
                add_channel(
                    connection,
                    channel_id=key,
                    api_base_url=self._address,
                    api_key=self._vault.encrypt(SecretStr(key)),
                    now=now,
                )
            connection.execute(
                update(Channel).where(Channel.id.in_(keys)).values(paused_at=now, paused_reason="not yet")
            )

    def hand_over(
        self,
        campaign: str,
        key: str,
        files: Sequence[str],
        *,
        due: timedelta,
        upload_from: datetime | None = None,
    ) -> None:
        """A campaign on one number."""
        send_at = datetime.now(UTC) + due
        plan = parse_plan(
            {
                "id": campaign,
                "channel": key,
                "send_at": send_at,
                "keep_until": send_at + timedelta(days=3),
                "upload_from": upload_from,
            }
        )
        self._client.add_items(plan, [ManifestItem(ref=path, source=path) for path in files])

    def await_inspection(self) -> float:
        """Wait until all files were looked at; returns how many seconds that took."""
        began = time.monotonic()
        settled = (ItemState.ACCEPTED, ItemState.REJECTED)
        while time.monotonic() - began < PATIENCE:
            with self._database.read() as connection:
                left = connection.execute(
                    select(func.count()).select_from(Item).where(Item.state.not_in(settled))
                ).scalar_one()
            if not left:
                return time.monotonic() - began
            time.sleep(0.2)
        raise RuntimeError(f"{left} files were not looked at in {PATIENCE:.0f} s")

    def uploaded_at(self, campaigns: Sequence[str]) -> dict[str, list[float]]:
        """When the files of these campaigns were uploaded: seconds since 1970, for each campaign."""
        statement = (
            select(Item.campaign_id, Media.uploaded_at)
            .join(Media, Media.asset_id == Item.asset_id)
            .where(Item.campaign_id.in_(campaigns))
        )
        found: dict[str, list[float]] = {campaign: [] for campaign in campaigns}
        with self._database.read() as connection:
            for row in connection.execute(statement):
                found[row.campaign_id].append(row.uploaded_at.timestamp())
        return found

    def readiness(self, campaign: str) -> Readiness:
        """When it will be ready, as an operator would be told now."""
        with self._database.read() as connection:
            return readiness_of(connection, campaign, now=datetime.now(UTC), allowed=float(LIMIT_PER_SECOND))

    def release(self) -> None:
        """Begin to upload on all numbers; the next tick of beat sees it."""
        with self._database.write() as connection:
            connection.execute(update(Channel).values(paused_at=None, paused_reason=None))


@contextmanager
def backlog(folder: Path, endpoint: BenchmarkEndpoint, *, workers: int) -> Iterator[Backlog]:
    """A stack on PostgreSQL with so many uploading processes, for as long as the block runs."""
    plan = stack_plan(
        folder / "home", workers=workers, concurrency=2, sandbox=False, latency="0", media=[folder]
    )
    with postgres(folder / "postgres") as (address, pid):
        plan.environment.update(GREENROOM_DATABASE_URL=address, GREENROOM_API_BASE_URL=endpoint.address)
        with embedded_stack(plan) as stack:
            database = Database(stack.settings.database_url)
            client = Greenroom(stack.settings.celery_broker, timeout=300)
            try:
                yield Backlog(client, database, stack, StateDir(folder=folder / "home"), pid)
            finally:
                client.close()
                database.close()
