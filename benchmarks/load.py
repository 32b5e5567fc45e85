"""The embedded stack on PostgreSQL under a steady load: many numbers, campaigns that follow one another.

Files go to an endpoint on loopback that answers at once. Each campaign brings content that its number has not
seen; numbers share the files on disk, since content is known by number. The rows of old campaigns stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from pydantic import SecretStr
from redis import Redis

from benchmarks.endpoint import BenchmarkEndpoint, endpoint_running
from benchmarks.images import write_images
from benchmarks.peers.services import postgres
from benchmarks.processes import Use, uses
from cli.embedded_plan import stack_plan
from greenroom.client import Greenroom
from greenroom.errors import UnknownName
from greenroom.manifest import ManifestItem, parse_plan
from greenroom.vault import Vault
from models import Database
from models.backlog import backlog
from models.channel import add_channel
from worker.embedded.stack import Stack, embedded_stack
from worker.embedded.state_dir import StateDir

PATIENCE = 60.0
#: The endpoint keeps a stamp of each upload; it is emptied after so many.
EMPTIED_AFTER = 100_000
#: Seconds between two looks at how much was uploaded.
LOOK_EVERY_SECONDS = 0.25
#: Campaigns that are handed over in one go, between two looks.
AT_A_TIME = 5


class Uploads:
    """Counts uploads over all the times that the endpoint was emptied."""

    def __init__(self, endpoint: BenchmarkEndpoint) -> None:
        self._endpoint = endpoint
        self._counted = 0

    def so_far(self) -> int:
        """Since the beginning."""
        now = self._endpoint.uploads()
        if now < EMPTIED_AFTER:
            return self._counted + now
        self._counted += now
        self._endpoint.reset()
        return self._counted


class Load:
    """A stack that runs, and keeps being given campaigns."""

    def __init__(
        self,
        *,
        folder: Path,
        stack: Stack,
        to: BenchmarkEndpoint,
        postgres_pid: int,
        numbers: int,
        files: int,
    ) -> None:
        self.state_dir = StateDir(folder=folder / "home")
        self.redis = Redis.from_url(stack.settings.redis_url.get_secret_value())
        self.database = Database(stack.settings.database_url)
        self._folder = folder / "files"
        self._stack = stack
        self._uploads = Uploads(to)
        self._postgres = postgres_pid
        self._numbers = numbers
        self._files = files
        self._client = Greenroom(stack.settings.celery_broker, timeout=2 * PATIENCE)
        self._turns = count()
        self._written: tuple[int, list[Path]] = (-1, [])
        self.handed_over = 0
        self._add_numbers()

    def uploads(self) -> int:
        """So far, as the endpoint counts them."""
        return self._uploads.so_far()

    def uses(self) -> dict[str, Use]:
        """What the stack's processes use."""
        return uses(self.state_dir, postgres=self._postgres)

    def waiting_for_inspection(self) -> int:
        """Files that nobody has looked at yet."""
        with self.database.read() as connection:
            return backlog(connection).inspections

    def restarted(self) -> list[str]:
        """Parts that died and were started again since the last call."""
        return self._stack.news()

    def keep_busy(self, *, most: int) -> int:
        """Hand campaigns over as far as there is room, a few at most; returns the uploads so far.

        Room is for one campaign on each number.

        Args:
            most: files that are handed over in all.
        """
        for _ in range(AT_A_TIME):
            done = self.uploads()
            if self.handed_over >= most or self.handed_over - done > (self._numbers - 1) * self._files:
                return done
            self._hand_over()
        return self.uploads()

    def _hand_over(self) -> None:
        generation, number = divmod(next(self._turns), self._numbers)
        if self._written[0] != generation:
            folder = self._folder / str(generation)
            self._written = generation, write_images(folder, f"image-{generation}", self._files)
        now = datetime.now(UTC).replace(microsecond=0)
        plan = parse_plan(
            {
                "id": f"campaign-{number}-{generation}",
                "channel": _channel(number),
                "send_at": now + timedelta(hours=6),
                "keep_until": now + timedelta(days=3),
            }
        )
        self._client.add_items(
            plan, [ManifestItem(ref=path.name, source=str(path)) for path in self._written[1]]
        )
        self.handed_over += self._files

    def _add_numbers(self) -> None:
        vault = Vault(self._stack.settings.secret_key)
        with self.database.write() as connection:
            for number in range(self._numbers):
                add_channel(
                    connection,
                    channel_id=_channel(number),
                    api_base_url=self._stack.settings.api_base_url,
                    api_key=vault.encrypt(SecretStr(f"key-{number}")),
                    now=datetime.now(UTC),
                )
        # Answered by a worker: from now on all of it is up.
        with suppress(UnknownName):
            self._client.resolve("none", ["none"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self.database.close()
        self.redis.close()


def _channel(number: int) -> str:
    return f"4915{number:08}"


@contextmanager
def running_load(folder: Path, *, numbers: int, files: int, workers: int, concurrency: int) -> Iterator[Load]:
    """The stack, PostgreSQL and the endpoint, for a block.

    Args:
        folder: for all that they keep.
        numbers: phone numbers.
        files: in a campaign.
        workers: processes that upload.
        concurrency: processes that inspect.
    """
    plan = stack_plan(
        folder / "home",
        workers=workers,
        concurrency=concurrency,
        sandbox=False,
        latency="0",
        media=[folder / "files"],
    )
    with endpoint_running() as to, postgres(folder / "postgres") as (address, pid):
        plan.environment.update(GREENROOM_DATABASE_URL=address, GREENROOM_API_BASE_URL=to.address)
        with embedded_stack(plan) as stack:
            load = Load(folder=folder, stack=stack, to=to, postgres_pid=pid, numbers=numbers, files=files)
            try:
                yield load
            finally:
                load.close()
