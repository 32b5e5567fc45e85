"""A whole Greenroom in one thread, a provider, what campaigns expect of both, and the checks that say so."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image
from pydantic import SecretStr
from redis import Connection, ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import select

from greenroom.clock import ManualClock
from greenroom.rate_limit.limiter import ChannelStatus, Limiter
from greenroom.rate_limit.sliding_log import PROVIDER_LIMIT_PER_SECOND
from greenroom.settings import Settings
from greenroom.task_names import TaskName
from greenroom.vault import Vault, new_secret_key
from models import Database, Media
from models.channel import add_channel
from tasks.deliver import deliver
from tasks.dispatch import batches_from_json, claims_from_json, dispatch
from tasks.foresee import foresee
from tasks.inspect import inspect
from tasks.mark_used import mark_dead, mark_used
from tasks.move import cancel, move
from tasks.note_ready import note_ready
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.runtime.announcements import Message, OutsideTask
from tasks.runtime.context import Context
from tasks.start_uploads import start_uploads
from tasks.sweep import sweep
from tasks.upload import upload
from tasks.verify import verify
from tests.support.direct_provider import DirectProvider

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: What ticks that come hours apart may take longer than ticks that come each minute.
SLACK = 13 * HOUR


class Violation(AssertionError):
    """A promise was broken; the text says which and for whom."""


class MovingChannel:
    """A pace that is kept by moving the clock on, instead of by waiting."""

    lost = False

    def __init__(self, clock: ManualClock, channel_id: str) -> None:
        self.channel_id = channel_id
        self._clock = clock

    def wait(self, **_: object) -> None:
        """The slot comes at once, a twenty-fifth of a second later."""
        self._clock.advance(timedelta(seconds=1 / PROVIDER_LIMIT_PER_SECOND))

    def on_throttled(self, retry_after: float | None) -> float:
        """Time passes instead of the channel's being held back."""
        seconds = 1.0 if retry_after is None else retry_after
        self._clock.advance(timedelta(seconds=seconds))
        return seconds

    def sent(self, late: float = 0.0) -> None:
        """Nobody else sends."""

    return_slot = heartbeat = drain = release = require_ownership = sent


class NoConnection(Connection):
    """Ends whoever would ask a Redis."""

    def connect(self) -> NoReturn:
        """There is none."""
        raise Violation("the simulation asked a Redis")


class MovingLimiter(Limiter):
    """Gives a channel to whoever wants it: the simulation has one thread."""

    def __init__(self, clock: ManualClock) -> None:
        # Never asked: whatever is not answered below would wait for a server that is not there.
        super().__init__(Redis(connection_pool=ConnectionPool(connection_class=NoConnection)))
        self._clock = clock

    def acquire(self, channel_id: str, **_: object) -> MovingChannel:  # type: ignore[override] # see there
        """The channel."""
        return MovingChannel(self._clock, channel_id)

    def peek(self, channel_ids: Sequence[str]) -> dict[str, ChannelStatus]:
        """All are free."""
        return dict.fromkeys(channel_ids, ChannelStatus(owned=False, held_back=0.0))

    def note_requested(self, channel_ids: Sequence[str]) -> None:
        """Nobody is short of workers."""

    def note_started(self, channel_ids: Sequence[str]) -> None:
        """Nor was."""

    def short_of_workers(self) -> bool:
        """Nor is."""
        return False


class AtOnce(Executor):
    """Work is done where it is asked for: the simulation has one thread, and one order of things.

    What is asked for by work that is being done is done after it.
    """

    def __init__(self) -> None:
        self._asked: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._working = False

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Do it now, or when what is being done is done."""
        mine: Future[Any] = Future()
        self._asked.append((partial(work, *args, **named), mine))
        if not self._working:
            self._working = True
            while self._asked:
                asked, future = self._asked.popleft()
                try:
                    future.set_result(asked())
                except Exception as error:  # noqa: BLE001 - as every executor does
                    future.set_exception(error)
            self._working = False
        return mine


class SkewedClock:
    """The workers' clock: the provider's, and some minutes more or less."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.skew = timedelta(0)

    def now(self) -> datetime:
        """The moment that the workers believe in."""
        return self._clock.now() + self.skew


@dataclass(kw_only=True)
class Campaign:
    """What the outside world knows of a campaign."""

    id: str
    channel: str
    send_at: datetime
    keep_until: datetime
    #: Each ref's content, by the name of the file that it came with.
    files: dict[str, Path]
    submitted_at: datetime
    needed_until: datetime
    cancelled: bool = False


@dataclass(kw_only=True)
class Death:
    """An ID that the provider lost before its time."""

    at: datetime
    uploaded_at: datetime
    #: When Greenroom could know.
    known_at: datetime | None = None


@dataclass
class Harness:
    """See the module."""

    database_url: str
    folder: Path
    chance: random.Random
    channels: tuple[str, ...] = ("4910", "4920")
    settings: dict[str, Any] = field(default_factory=dict)
    start: datetime = START

    def __post_init__(self) -> None:
        self.clock = ManualClock(self.start)
        self.workers_clock = SkewedClock(self.clock)
        self.provider = DirectProvider(self.clock, self.folder / "provider")
        self.provider.before_delete = self._check_delete
        key = new_secret_key()
        values = Settings.model_validate(
            {
                "database_url": self.database_url,
                "redis_url": "redis://127.0.0.1:1/0",
                "secret_key": key,
                "batch_size": 50,
                "uploads_per_second": 24,
                "media_roots": [self.folder],
                **self.settings,
            }
        )
        self.database = Database(values.database_url)
        self.published: list[Message] = []
        self.called_back: list[OutsideTask] = []
        self.context = Context(
            settings=values,
            database=self.database,
            # Nowhere, and told so at once.
            redis=Redis(port=1, retry=Retry(NoBackoff(), 0)),
            limiter=MovingLimiter(self.clock),
            provider=self.provider,
            vault=Vault(key),
            clock=self.workers_clock,
            publish=self.published.append,
            publish_outside=self.called_back.append,
            sleep=lambda seconds: self.clock.advance(timedelta(seconds=seconds)),
        )
        # In the place of the cached properties of those names.
        at_once = AtOnce()
        vars(self.context).update(upload_threads=at_once, other_threads=at_once, channel_threads=AtOnce())
        with self.database.write() as connection:
            for channel in self.channels:
                add_channel(
                    connection,
                    channel_id=channel,
                    api_base_url=values.api_base_url,
                    api_key=self.context.vault.encrypt(SecretStr(self.key(channel))),
                    now=self.clock.now(),
                )
        self.campaigns: dict[str, Campaign] = {}
        self.deaths: dict[str, Death] = {}
        self.counts: Counter[str] = Counter()
        self.beat_is_down = False
        self.lose_messages = 0.0
        #: Whether the next message is lost in any case.
        self.lose_next = False
        #: The last moment at which the provider or beat was away.
        self.trouble_until = START
        self._shas: dict[Path, str] = {}
        self._changed: dict[Path, str] = {}
        #: Who wants a content on a channel.
        self._wanting: defaultdict[tuple[str, str], list[Campaign]] = defaultdict(list)
        self._late_uses: list[list[str]] = []
        #: Contents whose files are gone or hold something else by now.
        self.vanished: set[str] = set()

    def close(self) -> None:
        """Close everything."""
        self.context.upload_threads.shutdown()
        self.context.files.close()
        self.provider.close()
        self.database.close()

    @staticmethod
    def key(channel: str) -> str:
        """The API key of a channel."""
        return f"key-of-{channel}"

    # What people do

    def make_file(self, name: str) -> Path:
        """An image that no other is equal to."""
        path = self.folder / "media" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "JPEG", comment=name.encode())
        return path

    def submit(
        self, campaign_id: str, channel: str, files: dict[str, Path], *, send_in: timedelta, keep: timedelta
    ) -> None:
        """A scheduler hands a campaign over."""
        now = self.clock.now()
        self.campaigns[campaign_id] = Campaign(
            id=campaign_id,
            channel=channel,
            send_at=now + send_in,
            keep_until=now + send_in + keep,
            files=files,
            submitted_at=now,
            needed_until=now + send_in + keep,
        )
        for path in files.values():
            self._note_contents(self.campaigns[campaign_id], path)
        self._hand_over(campaign_id)
        self.counts["campaigns"] += 1
        self.counts["files"] += len(files)

    def move(self, campaign_id: str, *, send_in: timedelta, keep: timedelta) -> None:
        """Its dates change; from now on, or from now to the far end."""
        campaign = self.campaigns[campaign_id]
        campaign.send_at = self.clock.now() + send_in
        campaign.keep_until = campaign.send_at + keep
        campaign.needed_until = campaign.keep_until
        campaign.submitted_at = self.clock.now()
        move(self.context, campaign_id, campaign.send_at.isoformat(), campaign.keep_until.isoformat())
        self.counts["moves"] += 1

    def cancel(self, campaign_id: str) -> None:
        """It needs nothing any more."""
        campaign = self.campaigns[campaign_id]
        campaign.cancelled = True
        campaign.needed_until = self.clock.now()
        cancel(self.context, campaign_id)
        self.counts["cancels"] += 1

    def _hand_over(self, campaign_id: str) -> None:
        campaign = self.campaigns[campaign_id]
        plan = {
            "id": campaign.id,
            "channel": campaign.channel,
            "send_at": campaign.send_at.isoformat(),
            "keep_until": campaign.keep_until.isoformat(),
        }
        items = [{"ref": ref, "source": str(path)} for ref, path in campaign.files.items()]
        prepare(self.context, plan, items)

    def send(self, campaign_id: str) -> None:
        """The campaign is sent: every file must have an ID that the provider has."""
        campaign = self.campaigns[campaign_id]
        found = resolve(self.context, campaign_id, list(campaign.files))
        now = self.clock.now()
        self.counts["sends"] += 1
        uses, dead = [], []
        for ref, path in campaign.files.items():
            self.counts["invariant checks"] += 1
            media_id = found.get(ref)
            if media_id is None:
                self._check_absence(campaign, path)
                continue
            stored = self._stored(campaign.channel, media_id)
            if stored is None:
                self._check_dead(campaign, media_id)
                dead.append([campaign.channel, media_id, now.isoformat()])
                continue
            if stored not in self._contents(path):
                raise Violation(f"{campaign_id}/{ref}: {media_id} is another file's")
            self.provider.use(self.key(campaign.channel), media_id)
            uses.append([campaign.channel, media_id, now.isoformat()])
            self.counts["messages"] += 1
        self._report(uses, dead)

    def _report(self, uses: list[list[str]], dead: list[list[str]]) -> None:
        """Most uses are reported at once, some twice, some late, some never; in no order."""
        self.chance.shuffle(uses)
        at_once = [use for use in uses if self.chance.random() < 0.8]
        self._late_uses.extend(use for use in uses if self.chance.random() < 0.1)
        if at_once:
            mark_used(self.context, at_once + at_once[:3])
        if dead:
            mark_dead(self.context, dead)
            for _, media_id, _ in dead:
                self._known(media_id)

    # What goes wrong

    def vanish(self, path: Path) -> None:
        """A file is removed from its place."""
        if path.exists() and path not in self._shas:
            self.sha_of(path)
        path.unlink(missing_ok=True)
        self.vanished.add(self.sha_of(path))
        self.counts["sources that vanished"] += 1

    def change(self, path: Path) -> None:
        """Another file takes its place."""
        sha = self.sha_of(path)
        Image.new("RGB", (8, 8), "red").save(path, "JPEG", comment=f"not {path.name}".encode())
        self.vanished.add(sha)
        self._changed[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        for campaign in self.campaigns.values():
            if path in campaign.files.values():
                self._note_contents(campaign, path)
        self.counts["sources that changed"] += 1

    def _note_contents(self, campaign: Campaign, path: Path) -> None:
        for sha in self._contents(path):
            self._wanting[campaign.channel, sha].append(campaign)

    def kill(self, media_id: str) -> None:
        """The provider loses an ID before its time."""
        uploaded_at = self.provider.uploaded_at[media_id]
        self.provider.rules.remove(media_id)
        self.deaths[media_id] = Death(at=self.clock.now(), uploaded_at=uploaded_at)
        self.counts["IDs that died early"] += 1

    def live(self, channel: str) -> list[str]:
        """What the provider has of a number."""
        return self.provider.rules.live_media().get(self.key(channel), [])

    # What beat and the workers do

    def tick(self) -> None:
        """All that beat asks for, and all that comes of it."""
        now = self.clock.now()
        if self.provider.away or self.beat_is_down:
            self.trouble_until = now
        if self.beat_is_down:
            return
        if self._late_uses and self.chance.random() < 0.5:
            mark_used(self.context, self._late_uses)
            self._late_uses = []
        for _ in range(2 if self.chance.random() < 0.05 else 1):
            self._beat()
        self.counts["ticks"] += 1

    def _beat(self) -> None:
        context = self.context
        sweep(context)
        start_uploads(context)
        foresee(context)
        note_ready(context)
        deliver(context)
        refresh(context)
        retired = retire(context)
        self.counts["deletes"] += retired["deleted"]
        self.published.clear()
        verify(context)
        for message in list(self.published):
            if message.name is TaskName.VERIFY:
                self._verify(message.args[0])
        if self.clock.now().hour < 6:
            self.counts["rows pruned"] += prune(context)
        self.work()

    def _verify(self, channel: str) -> None:
        before = {media_id for media_id, death in self.deaths.items() if death.known_at is None}
        looked = verify(self.context, channel)
        self.counts["verifications"] += looked["alive"] + looked["dead"]
        if looked["dead"]:
            with self.database.read() as connection:
                dead = connection.execute(
                    select(Media.media_id).where(Media.media_id.in_(before), Media.died_at.is_not(None))
                ).scalars()
                for media_id in dead:
                    self._known(media_id)

    def work(self) -> None:
        """Inspect and upload until there is nothing to do."""
        for _ in range(400):
            self.published.clear()
            dispatch(self.context)
            worked = False
            # Grows meanwhile: what was inspected is handed out at once.
            for message in self.published:
                if message.name not in (TaskName.INSPECT, TaskName.UPLOAD):
                    continue
                worked = True
                if self.chance.random() < self.lose_messages or self.lose_next:
                    self.lose_next = False
                    self.counts["messages lost with a worker"] += 1
                elif message.name is TaskName.INSPECT:
                    inspect(self.context, claims_from_json(message.args[0]))
                else:
                    done = upload(self.context, batches_from_json(message.args[0]))
                    self.counts["uploads"] += done["uploaded"]
                    self.counts["uploads put off"] += done["postponed"]
                    self.counts["uploads given up"] += done["failed"]
            if not worked:
                return
        raise Violation("the backlog never ends")

    # What must be true

    def sha_of(self, path: Path) -> str:
        """The content with which a file was handed over."""
        if path not in self._shas:
            self._shas[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._shas[path]

    def _contents(self, path: Path) -> tuple[str, ...]:
        """What may be sent for a file: its content, and once no copy of that is left, what took its place."""
        return (self.sha_of(path), self._changed[path]) if path in self._changed else (self.sha_of(path),)

    def _stored(self, channel: str, media_id: str) -> str | None:
        """The content of an ID that the provider has."""
        if media_id in self.deaths:
            return None
        number = self.key(channel)
        found = self.provider.rules._store.find(media_id, number, now=self.clock.now().timestamp())
        if found is None:
            return None
        if number in self.provider.from_upload and self.provider.uploaded_at[media_id] <= (
            self.clock.now() - 30 * DAY
        ):
            return None
        return found.sha256

    def _known(self, media_id: str) -> None:
        death = self.deaths.get(media_id)
        if death is not None and death.known_at is None:
            death.known_at = self.clock.now()
            self.counts["early deaths found"] += 1

    def _in_trouble(self, *, since: timedelta) -> bool:
        return self.clock.now() - self.trouble_until <= since

    def _check_absence(self, campaign: Campaign, path: Path) -> None:
        """Absence is right where there is nothing to upload from, or no time was to do it."""
        sha = self.sha_of(path)
        if sha in self.vanished and self._nothing_left(campaign.channel, sha):
            self.counts["files without any copy"] += 1
            return
        if self._in_trouble(since=SLACK) or self.clock.now() - campaign.submitted_at < SLACK:
            return
        if any(
            death.known_at is not None and self.clock.now() - death.known_at < SLACK
            for death in self.deaths.values()
        ):
            self.counts["files on their way after a death"] += 1
            return
        raise Violation(f"{campaign.id}: {path.name} has no ID at {self.clock.now():%Y-%m-%d %H:%M}")

    def _nothing_left(self, channel: str, sha: str) -> bool:
        stored = [self._stored(channel, media_id) for media_id in self.live(channel)]
        return sha not in stored

    def _check_dead(self, campaign: Campaign, media_id: str) -> None:
        """An ID may be dead only since so short a time that no look-up could have found it."""
        death = self.deaths.get(media_id)
        if death is None:
            raise Violation(f"{campaign.id} is sent with {media_id}, which the provider does not have")
        rules = self.context.settings.life_rules(None)
        due = max(death.at, death.uploaded_at + rules.verify_after) + rules.verify_every
        if self.clock.now() > due + SLACK and not self._in_trouble(since=2 * DAY):
            raise Violation(
                f"{campaign.id}: {media_id} is dead since {death.at:%Y-%m-%d}, and nobody found out"
            )
        self.counts["sends that met an unseen death"] += 1

    def _check_delete(self, key: str, media_id: str) -> None:
        """No ID is deleted while it is the current one of a needed asset."""
        self.counts["invariant checks"] += 1
        with self.database.read() as connection:
            row = connection.execute(
                select(Media.channel_id, Media.sha256, Media.is_current).where(Media.media_id == media_id)
            ).one()
        if row.is_current and self._needed_until(row.channel_id, row.sha256) > self.clock.now():
            raise Violation(f"{media_id} of {key} is deleted while it is needed")

    def _needed_until(self, channel: str, sha: str) -> datetime:
        wanting = self._wanting.get((channel, sha), ())
        return max((campaign.needed_until for campaign in wanting), default=START)

    def check(self) -> None:
        """What must be true at every step."""
        for channel in self.channels:
            number = self.provider.rules.number(self.key(channel))
            self.counts["invariant checks"] += 1
            if number.counts.lookups_blocked:
                raise Violation(f"look-ups of {channel} were blocked")
            if number.counts.throttled:
                raise Violation(f"uploads of {channel} were throttled")
        self._check_leftovers()

    def _check_leftovers(self) -> None:
        """Nothing unneeded lives longer than its time."""
        settings, now = self.context.settings, self.clock.now()
        if self._in_trouble(since=2 * DAY):
            return
        current, replaced = self._known_media()
        live = self.provider.rules.live_media()
        for media_id in chain.from_iterable(live.get(self.key(channel), ()) for channel in self.channels):
            self.counts["invariant checks"] += 1
            if media_id in current:
                until = self._needed_until(*current[media_id]) + settings.keep_after
            elif media_id in replaced:
                until = replaced[media_id] or START
            elif media_id in self.provider.orphans:
                continue
            else:
                raise Violation(f"{media_id} lives at the provider, and nobody knows of it")
            if now > until + SLACK:
                raise Violation(f"{media_id} lives on, and was to be deleted at {until:%Y-%m-%d %H:%M}")

    def _known_media(self) -> tuple[dict[str, tuple[str, str]], dict[str, datetime | None]]:
        """What Greenroom believes that the provider has: channel and content, or when it is to be deleted."""
        with self.database.read() as connection:
            there = select(Media.media_id, Media.channel_id, Media.sha256).where(Media.deleted_at.is_(None))
            current = connection.execute(there.where(Media.is_current)).all()
            ends = select(Media.media_id, Media.delete_after).where(Media.deleted_at.is_(None))
            replaced = connection.execute(ends.where(~Media.is_current)).all()
        return {row[0]: (row[1], row[2]) for row in current}, {row[0]: row[1] for row in replaced}
