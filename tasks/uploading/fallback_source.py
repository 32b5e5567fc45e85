"""Second sources: where a content is read from once its first source is gone, or holds another one by now.

Another item may have the same content at another place; and while a media ID is alive, the provider has a
copy. Asking for that is a look-up, whose failure the provider counts, see `models.lookups`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Connection

from greenroom.errors import (
    ChannelError,
    FileRejected,
    GreenroomError,
    LookupBlocked,
    MediaGone,
    RequestRefused,
    SourceMissing,
    SourceUnavailable,
    TransientError,
)
from greenroom.sources import shown
from greenroom.spool import spooled
from models.asset_claims import AssetUnderUpload
from models.asset_items import other_sources
from models.lookups import book_failure, count_at, no_more_lookups, room_at, take_back
from models.media import live_media_id
from models.usage_reports import UsageReport, record_dead
from tasks.runtime.context import Context

#: Other places that are tried for one content.
MAX_OTHER_PLACES = 3


@dataclass(kw_only=True)
class FallbackSource:
    """Where else a content may be had.

    Attributes:
        why: what was wrong with the first source, a sentence.
        places: sources of other items with the same content.
        media_id: of the provider's copy; None where there is none.
        booking: the failure that was booked for its look-up; None where there is no room for one.
        room_at: when there will be room for one.
        failure: what the provider answered instead of its copy.
    """

    why: str
    places: tuple[str, ...]
    media_id: str | None
    booking: int | None
    room_at: datetime
    failure: GreenroomError | None = None


def find_fallback_source(
    connection: Connection, channel_id: str, asset: AssetUnderUpload, *, why: str, now: datetime
) -> FallbackSource | None:
    """Where else to read an asset from; None where there is no other place.

    Books a look-up's failure, which :func:`settle` takes back or leaves.
    """
    places = other_sources(connection, asset.claim.id, but=asset.source, limit=MAX_OTHER_PLACES)
    media_id = live_media_id(connection, asset.claim.id, now=now)
    second = FallbackSource(
        why=why,
        places=places,
        media_id=media_id,
        booking=None,
        room_at=now,
    )
    if media_id is not None:
        second.booking = book_failure(connection, channel_id, now=now)
        second.room_at = room_at(connection, channel_id, now=now)
    return second if second.places or media_id is not None else None


@contextmanager
def fallback_copy(
    context: Context, api_key: SecretStr, asset: AssetUnderUpload, second: FallbackSource
) -> Iterator[Path]:
    """The content as a local file, from wherever else it can be had.

    Raises:
        SourceMissing: from nowhere, for good; the text says what was tried.
        TransientError: not at this moment.
        ChannelError: the key or the account is refused.
    """
    with ExitStack() as stack:
        for place in second.places:
            with ExitStack() as attempt:
                try:
                    path = attempt.enter_context(context.sources.copy(place, sha256=asset.sha256))
                    same = _holds(path, asset)
                except (SourceMissing, SourceUnavailable, FileRejected, OSError):
                    continue
                if same:
                    stack.push(attempt.pop_all())
                    yield path
                    return
        yield stack.enter_context(_provider_copy(context, api_key, asset, second))


def _holds(path: Path, asset: AssetUnderUpload) -> bool:
    if path.stat().st_size != asset.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == asset.sha256


@contextmanager
def _provider_copy(
    context: Context, api_key: SecretStr, asset: AssetUnderUpload, second: FallbackSource
) -> Iterator[Path]:
    if second.media_id is None:
        raise SourceMissing(f"{second.why} {_elsewhere(second)}")
    if second.booking is None:
        wait = (second.room_at - context.clock.now()).total_seconds()
        raise LookupBlocked(
            f"{second.why} The provider's own copy can be asked for again when fewer look-ups have failed.",
            retry_after=max(wait, 1.0),
        )
    with spooled() as (file, path):
        try:
            location = context.provider.media_url(api_key, second.media_id)
            copy = context.provider.download(api_key, location, file)
        except ChannelError as error:
            second.failure = error
            raise
        except TransientError as error:
            second.failure = error
            raise type(error)(
                f"{second.why} {_elsewhere(second)} The provider's own copy cannot be had now: {error}",
                retry_after=error.retry_after,
            ) from error
        except RequestRefused as error:
            second.failure = error
            raise SourceMissing(
                f"{second.why} {_elsewhere(second)} The provider's own copy cannot be had: {error}"
            ) from error
        if copy.sha256 != asset.sha256:
            raise SourceMissing(f"{second.why} {_elsewhere(second)} The provider's copy has another content.")
        file.flush()
        yield path


def _elsewhere(second: FallbackSource) -> str:
    if not second.places:
        return "No other file of a campaign has the same content."
    return f"Nor is the content at {' or '.join(shown(place) for place in second.places)}."


def record_lookup(context: Context, connection: Connection, channel_id: str, second: FallbackSource) -> None:
    """Count the look-up, and what it said of the media ID."""
    now = context.clock.now()
    if second.booking is not None and second.failure is None:
        take_back(connection, second.booking)
    elif second.booking is not None:
        count_at(connection, second.booking, at=now)
    if isinstance(second.failure, LookupBlocked):
        no_more_lookups(connection, channel_id, now=now)
    if isinstance(second.failure, MediaGone) and second.media_id is not None:
        report = UsageReport(channel_id=channel_id, media_id=second.media_id, at=now)
        record_dead(connection, [report], now=now)
