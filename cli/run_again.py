"""A run of files that came before: looked at and written down by the command itself, without a stack.

A stack would have nothing to upload. The files are judged as ever, in processes of their own, and what is
accepted gets the media ID that its content has; only broker, workers and sandbox are not started for that.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from cli.embedded import RunOutcome, RunRequest, save_channel
from cli.embedded_plan import PLACEHOLDERS
from greenroom.clock import SystemClock
from greenroom.errors import SourceMissing, SourceUnavailable, SourceUnreadable
from greenroom.is_url import is_remote
from greenroom.isolation.process_pool import ProcessPool
from greenroom.manifest import ManifestItem
from greenroom.rate_limit.limiter import Limiter
from greenroom.rules import MIB
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources
from greenroom.vault import Vault
from models import Database
from models.item_reports import campaign_items
from models.known_files import live_contents, nothing_waits, rejected_sources
from models.progress import campaign_progress
from models.schema import revision_of
from tasks.inspect import inspect_all
from tasks.prepare import prepare
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context, provider_of
from worker.embedded.schema_upgrade import newest_revision
from worker.embedded.stack_plan import StackPlan
from worker.embedded.state_dir import StateDir

#: Files and bytes that one process looks at about as soon as workers have started.
MOST_FILES, MOST_BYTES = 100, 100 * MIB


class _NoRedis(Redis):
    """Where nobody has to be asked for work, and none is asked."""

    def execute_command(self, *_words: Any, **_options: Any) -> NoReturn:
        raise RedisAway("there is no broker")


def run_known(plan: StackPlan, request: RunRequest, files: ProcessPool) -> RunOutcome | None:
    """Get files ready that are; None where something is to be uploaded, or may be: a stack finds out.

    What was done until then stays: the stack goes on with it.

    Args:
        plan: of the stack that would have to be started.
        request: what is to be got ready.
        files: the processes that look at them.

    Raises:
        Misuse: another stack is at work in the state folder, or the campaign is refused.
    """
    started = time.monotonic()
    state_dir = StateDir(folder=Path(plan.state_dir))
    # A stack that was killed may have left processes, which the next one ends.
    if not state_dir.database.exists() or state_dir.processes.exists():
        return None
    with state_dir.locked(), _context(plan, state_dir, files) as context:
        if not _is_known(context, request):
            return None
        save_channel(context.database, context.settings, request, sandbox=plan.sandbox)
        campaign = request.campaign.model_dump(mode="json", exclude_none=True)
        prepare(context, campaign, [item.model_dump(mode="json") for item in request.items])
        inspect_all(context)
        now = datetime.now(UTC)
        with context.database.read() as connection:
            progress = campaign_progress(connection, request.campaign.id, now=now)
            if progress.settled < progress.total:
                return None
            items = list(campaign_items(connection, request.campaign.id, now=now))
    return RunOutcome(progress=progress, items=items, seconds=time.monotonic() - started, sandbox=None)


@contextmanager
def _context(plan: StackPlan, state_dir: StateDir, files: ProcessPool) -> Iterator[Context]:
    """The world of the stack's tasks, without a broker."""
    redis = {"GREENROOM_REDIS_URL": PLACEHOLDERS["GREENROOM_REDIS_URL"]}
    settings = load_settings({**redis, **state_dir.settings, **plan.environment}, dotenv=None)
    context = Context(
        settings=settings,
        database=Database(settings.database_url),
        redis=(no_redis := _NoRedis()),
        limiter=Limiter(no_redis),
        provider=provider_of(settings),
        vault=Vault(settings.secret_key),
        clock=SystemClock(),
        publish=_nobody_is_asked,
        files=files,
    )
    try:
        yield context
    finally:
        context.provider.close()
        context.database.close()


def _nobody_is_asked(_message: Message) -> None:
    """What it would ask for is done here, or by the stack's first tick."""


def _is_known(context: Context, request: RunRequest) -> bool:
    """Whether all of it seems to have come before, and nothing else waits."""
    contents = _contents(context.sources, request.items)
    if contents is None:
        return False
    now = datetime.now(UTC)
    with context.database.read() as connection:
        if revision_of(connection) != newest_revision() or not nothing_waits(connection):
            return False
        live = live_contents(
            connection, request.campaign.channel, set(filter(None, contents.values())), now=now
        )
        others = [source for source, sha256 in contents.items() if sha256 not in live]
        return rejected_sources(connection, others) == set(others)


def _contents(sources: Sources, items: Collection[ManifestItem]) -> dict[str, str | None] | None:
    """The SHA-256 of each file, None of one that cannot be read; None where they are too many for here."""
    if len(items) > MOST_FILES:
        return None
    contents: dict[str, str | None] = {}
    size = 0
    for item in items:
        if item.fix or is_remote(item.source):
            return None
        try:
            with sources.open(item.source) as file:
                size += os.fstat(file.fileno()).st_size
                if size > MOST_BYTES:
                    return None
                contents[item.source] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # its stubs want more
        except (OSError, SourceMissing, SourceUnavailable, SourceUnreadable):
            contents[item.source] = None
    return contents
