"""What the database and the provider say of a fault's channels, each asked by itself and then compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from sqlalchemy import Select, func, select

from benchmarks.chaos.campaign import Channel, Place
from benchmarks.chaos.stack import Stack
from greenroom.errors import DatabaseUnavailable
from models import Asset, Database, Item, Media
from models.asset import AssetState
from models.item_asset import Holding, on_all_channels
from models.media import alive

#: Seconds that the sandbox may take to answer a question about itself.
PATIENCE = 20.0


class Sandbox:
    """The sandbox's controls."""

    def __init__(self, address: str) -> None:
        self._address = f"{address}/_sandbox"
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, what: str) -> Any:
        """One of its answers."""
        answer = self._session.get(f"{self._address}/{what}", timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()

    def faults(self, *commands: Mapping[str, Any]) -> None:
        """Set faults, or clear them."""
        answer = self._session.post(f"{self._address}/faults", json=list(commands), timeout=PATIENCE)
        answer.raise_for_status()

    def sum(self, channels: Sequence[Channel], *counts: str) -> int:
        """Of counts of all keys of channels."""
        stats = self.ask("stats")
        keys = [key for channel in channels for key in channel.keys if key in stats]
        return sum(int(stats[key][count]) for key in keys for count in counts)

    def peak(self, channels: Sequence[Channel]) -> int:
        """The most arrivals in a second on one of the channels."""
        stats = self.ask("stats")
        return max((int(stats[key]["peak_rps"]) for channel in channels for key in channel.keys), default=0)

    def contents(self, channels: Sequence[Channel]) -> dict[str, dict[str, str]]:
        """The SHA-256 of each media, by channel and media ID."""
        found = self.ask("contents")
        return {
            channel.id: {
                media_id: digest for key in channel.keys for media_id, digest in found.get(key, {}).items()
            }
            for channel in channels
        }


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the database knows of channels.

    Attributes:
        current: the media ID in service, by its place.
        media_ids: all that were ever recorded, by channel.
        with_workers: assets that are handed out or being uploaded.
    """

    current: Mapping[Place, str]
    media_ids: Mapping[str, frozenset[str]]
    with_workers: int


def known(database: Database, channels: Sequence[Channel]) -> Known:
    """Ask the database; once more, where the connection was one of before the database was killed."""
    with suppress(DatabaseUnavailable):
        return _known(database, channels)
    return _known(database, channels)


def _known(database: Database, channels: Sequence[Channel]) -> Known:
    ids = [channel.id for channel in channels]
    now = datetime.now(UTC)

    def in_service(held: Holding) -> Select[str, str, str, str]:
        columns = (Item.campaign_id, Media.channel_id, Item.ref, Media.media_id)
        found = select(*columns).select_from(held.items).join(Media, Media.asset_id == held.asset_id)
        return found.where(Media.channel_id.in_(ids), alive(now))

    with database.read() as connection:
        current = connection.execute(on_all_channels(in_service)).all()
        recorded = connection.execute(
            select(Media.channel_id, Media.media_id).where(Media.channel_id.in_(ids))
        ).all()
        busy = connection.execute(
            select(func.count())
            .select_from(Asset)
            .where(Asset.channel_id.in_(ids), Asset.state.in_((AssetState.CLAIMED, AssetState.UPLOADING)))
        ).scalar_one()
    by_channel: dict[str, set[str]] = {channel_id: set() for channel_id in ids}
    for channel_id, media_id in recorded:
        by_channel[channel_id].add(media_id)
    return Known(
        current={(campaign, channel, ref): media_id for campaign, channel, ref, media_id in current},
        media_ids={channel_id: frozenset(found) for channel_id, found in by_channel.items()},
        with_workers=busy,
    )


def lost_answers(database: Database, channels: Sequence[Channel]) -> int:
    """Uploads of which the database knows that their answer never came."""
    ids = [channel.id for channel in channels]
    with database.read() as connection:
        total = select(func.coalesce(func.sum(Asset.lost_answers), 0)).where(Asset.channel_id.in_(ids))
        return connection.execute(total).scalar_one()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the database says, held against the provider's own word.

    Attributes:
        ready: items whose ID is there, on their own number, and is of their own file.
        wrong: items whose ID is another file's, or is not there.
        twice: files that the provider has more than once, each time counted.
        orphans: IDs at the provider that the database does not know.
    """

    ready: int
    wrong: int
    twice: int
    orphans: int


def compare(stack: Stack, channels: Sequence[Channel], wanted: Mapping[Place, str]) -> Comparison:
    """Ask both, the provider first: what it gets later is no orphan yet."""
    sandbox = Sandbox(f"http://127.0.0.1:{stack.provider.port}")
    contents = sandbox.contents(channels)
    told = known(stack.database, channels)
    found = {
        place: contents[place[1]].get(media_id) for place, media_id in told.current.items() if place in wanted
    }
    ready = sum(digest == wanted[place] for place, digest in found.items())
    return Comparison(
        ready=ready,
        wrong=len(found) - ready,
        # As many as are there, and as it has counted: some may be deleted, some be of a number's older key.
        twice=max(
            sum(len(media) - len(set(media.values())) for media in contents.values()),
            sandbox.sum(channels, "duplicates"),
        ),
        orphans=sum(len(media.keys() - told.media_ids[channel]) for channel, media in contents.items()),
    )
