"""Verify: look needed media IDs up at the provider, so that one that is dead is found before its send-out.

A look-up that succeeds costs nothing; one that fails counts against the number, see `models.lookups`.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from pydantic import SecretStr

from greenroom.errors import (
    ChannelError,
    LookupBlocked,
    MediaGone,
    RequestRefused,
    SettingsError,
    TransientError,
)
from greenroom.figures import counted
from greenroom.log_fields import about
from greenroom.task_names import TaskName
from models.channel import ChannelRow, get_channel, pause_channel
from models.lookups import (
    DueLookup,
    book_failure,
    channels_to_verify,
    claim_lookups,
    count_at,
    lock_lookups,
    no_more_lookups,
    record_alive,
    record_doubt,
    return_lookups,
    take_back,
)
from models.usage_reports import UsageReport, record_dead
from tasks.runtime.announcements import Message, announce
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask
from tasks.runtime.sentences import what_was_done

logger = logging.getLogger(__name__)

#: Look-ups of one number in one task.
VERIFY_CHUNK = 100


def verify(context: Context, channel_id: str | None = None) -> dict[str, int]:
    """Look up what is due; returns how many IDs were found ``alive`` and how many ``dead``.

    Args:
        context: the world.
        channel_id: the number whose IDs are looked up; None to ask for a task for each number that has any.
    """
    if channel_id is None:
        with context.database.read() as connection:
            channels = channels_to_verify(connection, now=context.clock.now())
        for each in channels:
            _ask_for(context, each)
        return {"alive": 0, "dead": 0}
    return _Verification(context, channel_id).run()


def _ask_for(context: Context, channel_id: str) -> None:
    """Have the next IDs of a number looked up."""
    summary = f"media IDs that are due on {channel_id}"
    announce(context, Message(name=TaskName.VERIFY, args=[channel_id], summary=summary))


class _Verification:
    """One run over the IDs of one number."""

    def __init__(self, context: Context, channel_id: str) -> None:
        self._context = context
        self._channel_id = channel_id
        self._booking: int | None = None
        self._alive: list[DueLookup] = []
        self._dead = 0

    def run(self) -> dict[str, int]:
        context = self._context
        now = context.clock.now()
        with context.database.write() as connection:
            channel = get_channel(connection, self._channel_id)
            if channel.paused_at is not None:
                return {"alive": 0, "dead": 0}
            self._booking = book_failure(connection, channel.id, now=now)
            if self._booking is None:
                logger.info(
                    "Look-ups of channel %s wait: enough have failed for an hour.",
                    channel.id,
                    extra=about(channel=channel.id),
                )
                return {"alive": 0, "dead": 0}
            rules = context.settings.life_rules(channel.media_life)
            due = claim_lookups(connection, channel.id, now=now, rules=rules, limit=VERIFY_CHUNK)
        left = self._look_up(channel, due)
        with context.database.write() as connection:
            now = context.clock.now()
            lock_lookups(connection, [*self._alive, *left])
            record_alive(connection, channel.id, self._alive, now=now, rules=rules)
            return_lookups(connection, left, now=now)
            if self._booking is not None:
                take_back(connection, self._booking)
        if len(due) == VERIFY_CHUNK and not left:
            _ask_for(context, channel.id)
        return {"alive": len(self._alive), "dead": self._dead}

    def _look_up(self, channel: ChannelRow, due: list[DueLookup]) -> list[DueLookup]:
        """Look IDs up, one after the other; returns those that have to wait."""
        try:
            key = self._context.vault.decrypt(channel.api_key)
        except SettingsError as error:
            self._pause(channel, error)
            return due
        for place, lookup in enumerate(due):
            if self._booking is None and not self._book():
                return due[place:]
            if not self._look_up_one(channel, key, lookup):
                return due[place + 1 :]
        return []

    def _look_up_one(self, channel: ChannelRow, key: SecretStr, lookup: DueLookup) -> bool:
        """Look one ID up; returns whether to continue with the next."""
        context = self._context
        try:
            context.provider.media_url(key, lookup.media_id)
        except MediaGone as error:
            logger.warning(
                "Media %s of channel %s is dead: %s",
                lookup.media_id,
                self._channel_id,
                error,
                extra=self._about(lookup),
            )
            self._count()
            self._bury(lookup)
            return True
        except LookupBlocked as error:
            logger.warning(
                "Look-ups of channel %s are blocked: %s", self._channel_id, error, extra=self._about(lookup)
            )
            with context.database.write() as connection:
                return_lookups(connection, [lookup], now=context.clock.now())
                no_more_lookups(connection, self._channel_id, now=context.clock.now())
            return False
        except RequestRefused as error:
            # "If a request [...] returns a status code of 400, do not retry it": never asked for again.
            logger.warning(
                "Media %s of channel %s is in doubt: %s",
                lookup.media_id,
                self._channel_id,
                error,
                extra=self._about(lookup),
            )
            self._count()
            with context.database.write() as connection:
                record_doubt(connection, lookup, now=context.clock.now())
            return True
        except ChannelError as error:
            self._count()
            self._pause(channel, error)
            with context.database.write() as connection:
                return_lookups(connection, [lookup], now=context.clock.now())
            return False
        except TransientError as error:
            logger.info(
                "Media %s could not be looked up now: %s", lookup.media_id, error, extra=self._about(lookup)
            )
            self._count()
            with context.database.write() as connection:
                return_lookups(connection, [lookup], now=context.clock.now())
            return False
        self._alive.append(lookup)
        return True

    def _about(self, lookup: DueLookup) -> dict[str, Any]:
        return about(channel=self._channel_id, media_id=lookup.media_id)

    def _book(self) -> bool:
        with self._context.database.write() as connection:
            self._booking = book_failure(connection, self._channel_id, now=self._context.clock.now())
        return self._booking is not None

    def _count(self) -> None:
        """The look-up failed, and the provider counts it: the booking stays, from this moment on."""
        if self._booking is not None:
            with self._context.database.write() as connection:
                count_at(connection, self._booking, at=self._context.clock.now())
        self._booking = None

    def _bury(self, lookup: DueLookup) -> None:
        context, now = self._context, self._context.clock.now()
        report = UsageReport(channel_id=self._channel_id, media_id=lookup.media_id, at=now)
        with context.database.write() as connection:
            record_dead(connection, [report], now=now)
        self._dead += 1

    def _pause(self, channel: ChannelRow, error: ChannelError | SettingsError) -> None:
        now = self._context.clock.now()
        with self._context.database.write() as connection:
            paused = pause_channel(connection, channel.id, reason=str(error), now=now, tried=channel.api_key)
        if paused:
            logger.error("Channel %s is paused: %s", channel.id, error, extra=about(channel=channel.id))


@shared_task(base=ReportingTask, name=TaskName.VERIFY)
def verify_task(channel_id: str | None = None) -> str:
    """Look media IDs up at the provider."""
    found = verify(current_context(), channel_id)
    alive, dead = found["alive"], found["dead"]
    return what_was_done(
        {
            f"found {counted(alive, 'media ID')} alive": alive,
            f"found {counted(dead, 'media ID')} dead, which will be replaced": dead,
        }
    )
