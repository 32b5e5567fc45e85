"""What the doctor says of call-backs: which are not delivered, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cli.formats import counted, moment
from models.outbox import UndeliveredCallback, undelivered_callbacks

#: Those that were given up are told of for so long.
GIVEN_UP_LATELY = timedelta(days=7)
#: Those that are looked at, and of which failures are told.
MOST = 1_000
MOST_FAILURES = 3


def undelivered_in_words(connection: Connection, *, now: datetime) -> str:
    """Which call-backs have failed, a sentence for each reason; empty where none has."""
    found = undelivered_callbacks(connection, given_up_since=now - GIVEN_UP_LATELY, limit=MOST)
    by_failure: dict[str, list[UndeliveredCallback]] = {}
    for one in found:
        by_failure.setdefault(one.failure, []).append(one)
    most_first = sorted(by_failure.items(), key=lambda each: -len(each[1]))
    sentences = [_sentence(failure, of_it) for failure, of_it in most_first[:MOST_FAILURES]]
    if len(by_failure) > MOST_FAILURES:
        sentences.append(f"There are {len(by_failure) - MOST_FAILURES:,} reasons more.")
    return " ".join(sentences)


def _sentence(failure: str, callbacks: Sequence[UndeliveredCallback]) -> str:
    first = callbacks[0]
    given_up = sum(one.given_up_at is not None for one in callbacks)
    fate = f", {given_up:,} of them given up" if given_up else ""
    return (
        f"{counted(len(callbacks), 'call-back is', 'call-backs are')} not delivered{fate}, the first "
        f"{first.event} of campaign {first.campaign_id} since {moment(first.created_at)}: {failure}"
    )
