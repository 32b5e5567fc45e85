"""What every task is given: settings, database, limiter, provider, clock, and a way to enqueue more."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from redis import Redis

from greenroom.callbacks.http_sender import CallbackSender
from greenroom.clock import Clock, SystemClock
from greenroom.isolation.process_pool import ProcessPool
from greenroom.provider import ProviderClient
from greenroom.rate_limit.limiter import Limiter
from greenroom.redis_client import connect
from greenroom.settings import Settings
from greenroom.sources import Sources
from greenroom.vault import Vault
from models import Database
from tasks.runtime.announcements import Message, OutsideTask, publish_outside_task, publish_to_broker
from tasks.runtime.batcher import Batcher
from tasks.runtime.behind import Behind
from tasks.runtime.chosen_settings import chosen_settings
from tasks.runtime.fetching import FETCH_THREADS, Fetching
from tasks.runtime.task_events import EventQueue, EventThread

if TYPE_CHECKING:
    from tasks.runtime.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

#: Seconds that a channel waits for the process's others, to claim or to record together with them. They look
#: at the same moments, and a transaction costs as much as fifty rows (`make bench-backlog`).
GATHER_SECONDS = 0.03
#: The same where many do: channels with small campaigns begin and end at moments of their own.
GATHER_MANY_SECONDS = 0.1
#: And to record together: what is written down a moment later keeps no file waiting.
RECORD_MANY_SECONDS = 0.2
#: And between two looks of one inspection: campaigns that come in meanwhile share its transactions, and the
#: messages that their files are uploaded by. Only the first one is looked at at once.
GATHER_CAMPAIGNS_SECONDS = 0.2
#: And that a channel waits which was handed out together with others, until they all are there.
BEGIN_SECONDS = 0.003
#: Seconds for which a channel that has nothing to upload keeps its worker, and looks for more: while its
#: files are inspected, more comes. A turn that ends and begins anew costs as much as sending ten files.
LINGER_SECONDS = 1.0
#: Seconds that Redis may take to connect, and to answer. Owners of channels ask it, who have four seconds,
#: and media IDs to write down meanwhile.
REDIS_PATIENCE_SECONDS = 1.5
#: Channels that a process uploads on at the same time; others wait for their turn.
CHANNELS_AT_ONCE = 64
#: Deletions that are in flight at once.
OTHER_THREADS = 8


def name_of_this_process() -> str:
    """A name that no other process has, on any machine, ever."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(6)}"


@dataclass(frozen=True, kw_only=True)
class Context:
    """The world that a task sees; tests hand in another one."""

    settings: Settings
    database: Database
    redis: Redis
    limiter: Limiter
    provider: ProviderClient
    vault: Vault
    clock: Clock
    publish: Callable[[Message], None]
    #: Enqueues a task of another program's; see `tasks.runtime.announcements`.
    publish_outside: Callable[[OutsideTask], None] = publish_outside_task
    sleep: Callable[[float], None] = time.sleep
    #: The name under which this process claims.
    worker: str = field(default_factory=name_of_this_process)
    #: Seconds for which an upload task waits for more files on its channel before it ends.
    linger_seconds: float = 0.0

    #: Seconds between two looks of one inspection for what has come in.
    gather_seconds: float = 0.0

    #: Set when the process is to end: whoever works on begins nothing more.
    stopping: threading.Event = field(default_factory=threading.Event)

    #: Lets channels that were handed to the process together begin together.
    beginning: Batcher[Any, Any] = field(default_factory=Batcher)
    #: Lets all channels of the process write down together what came of their uploads.
    recording: Batcher[Any, Any] = field(default_factory=Batcher)
    #: And lets them claim together what they send next.
    taking: Batcher[Any, Any] = field(default_factory=Batcher)
    #: And hand out together, once they are released, what has come for them meanwhile.
    handing_out: Batcher[Any, Any] = field(default_factory=Batcher)

    #: What Flower is told beside what Celery tells it.
    events: EventQueue = field(default_factory=EventQueue)

    #: Channels whose uploads are redirected elsewhere, which the log has been told of.
    redirected: set[str] = field(default_factory=set)

    #: How far this machine's clock is behind that of Redis.
    behind: Behind = field(default_factory=Behind)

    #: Processes that look at files and fix them, the first of which is started when it is needed.
    files: ProcessPool = field(default_factory=ProcessPool)
    #: Threads that fetch files, beside the tasks.
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def lease(self) -> timedelta:
        """How long a claim holds from now on, by this machine's clock."""
        return self.lease_of(self.settings.lease)

    def lease_of(self, lease: timedelta) -> timedelta:
        """The same for a claim that holds for a time of its own."""
        return lease + self.behind.by

    @cached_property
    def sources(self) -> Sources:
        """Opens the files that campaigns name, as far as the operator allows."""
        return Sources.of(self.settings)

    @cached_property
    def callbacks(self) -> CallbackSender:
        """Delivers call-backs by HTTP, as far as the operator allows."""
        return CallbackSender(self.settings, self.clock)

    @cached_property
    def channel_threads(self) -> ThreadPoolExecutor:
        """One for each channel that this process is the owner of, or is to be."""
        return ThreadPoolExecutor(CHANNELS_AT_ONCE, thread_name_prefix="channel")

    @cached_property
    def upload_threads(self) -> ThreadPoolExecutor:
        """Kept from batch to batch, so that each thread's connection to the provider stays open."""
        return ThreadPoolExecutor(self.settings.upload_threads, thread_name_prefix="upload")

    @cached_property
    def other_threads(self) -> ThreadPoolExecutor:
        """For requests that nobody waits for."""
        return ThreadPoolExecutor(OTHER_THREADS, thread_name_prefix="other")

    @property
    def threads(self) -> tuple[ThreadPoolExecutor, ...]:
        """All pools of threads."""
        return self.channel_threads, self.upload_threads, self.other_threads


def provider_of(settings: Settings) -> ProviderClient:
    """The client that these settings describe: the one way of asking the provider.

    Raises:
        SettingsError: its address, proxy or CA bundle cannot be used.
    """
    return ProviderClient(
        base_url=settings.api_base_url,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        proxy=settings.https_proxy,
        ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        allow_plain_http=settings.allow_plain_http,
        content_types={"audio/ogg": settings.ogg_content_type},
    )


def make_context(settings: Settings) -> Context:
    """The context of a worker process.

    Raises:
        SettingsError: a setting is wrong in a way that only using it shows.
    """
    redis = connect(
        settings.redis_url,
        sentinel_master=settings.sentinel_master,
        patience=REDIS_PATIENCE_SECONDS,
        answer=REDIS_PATIENCE_SECONDS,
    )
    return Context(
        settings=settings,
        database=Database(settings.database_url),
        redis=redis,
        limiter=Limiter(
            redis,
            uploads_per_second=settings.uploads_per_second,
            sole_since=settings.sole_uploader_since,
        ),
        provider=provider_of(settings),
        vault=Vault(settings.secret_key),
        clock=SystemClock(),
        publish=publish_to_broker,
        linger_seconds=LINGER_SECONDS,
        gather_seconds=GATHER_CAMPAIGNS_SECONDS,
        beginning=Batcher(gather=BEGIN_SECONDS),
        recording=Batcher(gather=GATHER_SECONDS, gather_many=RECORD_MANY_SECONDS),
        taking=Batcher(gather=GATHER_SECONDS, gather_many=GATHER_MANY_SECONDS),
        handing_out=Batcher(gather=GATHER_SECONDS, gather_many=GATHER_MANY_SECONDS),
        events=EventQueue(files=settings.file_events),
        fetching=Fetching(FETCH_THREADS),
    )


_contexts: dict[int, Context] = {}
_heartbeats: dict[int, Heartbeat] = {}
_event_threads: dict[int, EventThread] = {}
_making = threading.Lock()


def current_context() -> Context:
    """This process's context, made at first use: connections must not be shared across a fork."""
    from tasks.runtime.file_events import events_of  # noqa: PLC0415 - they need what stands above
    from tasks.runtime.heartbeat import Heartbeat  # noqa: PLC0415 - as above

    pid = os.getpid()
    # A pool of threads may ask for it many times at once.
    with _making:
        if pid not in _contexts:
            context = make_context(chosen_settings())
            _contexts.clear()
            _heartbeats.clear()
            _event_threads.clear()
            # Made here, for without the lock two threads would make them twice.
            logger.debug("Threads are ready: %d pools", len(context.threads))
            heartbeat = Heartbeat(context)
            heartbeat.start()
            event_thread = EventThread(context.events, context.database, events_of)
            event_thread.start()
            _contexts[pid], _heartbeats[pid], _event_threads[pid] = context, heartbeat, event_thread
        return _contexts[pid]


def stop_soon() -> None:
    """Begin nothing more in this process: it is to end."""
    if context := _contexts.get(os.getpid()):
        context.stopping.set()


def close_context() -> None:
    """Close what this process's context holds open, if there is one."""
    if context := _contexts.get(os.getpid()):
        # First, for others would take over at once what a process has that says nothing any more.
        context.fetching.close()
    heartbeat, context = _heartbeats.pop(os.getpid(), None), _contexts.pop(os.getpid(), None)
    if heartbeat is not None:
        heartbeat.stop()
    if event_thread := _event_threads.pop(os.getpid(), None):
        event_thread.stop()
    if context is not None:
        for threads in context.threads:
            threads.shutdown(wait=False, cancel_futures=True)
        context.files.close()
        context.provider.close()
        context.database.close()
        context.redis.close()
