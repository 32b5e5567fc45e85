"""Each query on the life of media IDs does what it says to the rows that it means, and to no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, delete, insert, select, update

from models import Asset, Campaign, Channel, Item, LookupFailure, Media, retention
from models.asset import Priority
from models.cancellation import cancel_campaign
from models.channel import get_channel, set_media_life
from models.lookups import (
    DueLookup,
    book_failure,
    channels_to_verify,
    claim_lookups,
    count_at,
    drop_old_failures,
    no_more_lookups,
    record_alive,
    room_at,
    take_back,
)
from models.references import check_references_again, follow_send_times, needed_now, needed_until, want_again
from models.retention import channels_with_other_rules, queue_refreshes, retire_unneeded, work_out_anew
from models.usage_reports import UsageReport, record_dead, record_uses
from tests.support.rows import ready_item
from tests.support.world import CHANNEL, World

OTHER = "4930"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Assets with a media ID each: two of one campaign, one of another, one on another channel."""

    one: int
    two: int
    autumn: int
    other: int


@pytest.fixture
def cast(world: World) -> Cast:
    """Ready since this moment; the campaigns last for a week and an hour."""
    world.add_channel(OTHER, "another-key")
    return Cast(
        one=ready_item(world, "one", media_id="1"),
        two=ready_item(world, "two", media_id="2"),
        autumn=ready_item(world, "three", media_id="3", campaign="autumn"),
        other=ready_item(world, "four", media_id="4", campaign="other", channel=OTHER),
    )


def rows(world: World, table: type[Media | Asset | LookupFailure | Channel]) -> dict[Any, Row[Any]]:
    """All rows by their IDs; media by those of their assets."""
    key = "asset_id" if table is Media else "id"
    with world.database.read() as connection:
        found: list[Row[Any]] = list(connection.execute(select(*table.__table__.columns)))
    return {getattr(row, key): row for row in found}


def set_media(world: World, asset_id: int, **values: Any) -> None:
    """Change the ID of an asset by hand."""
    with world.database.write() as connection:
        connection.execute(update(Media).where(Media.asset_id == asset_id).values(**values))


def set_asset(world: World, asset_id: int, **values: Any) -> None:
    """Change an asset by hand."""
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == asset_id).values(**values))


def unchanged(world: World, before: Sequence[dict[Any, Row[Any]]], *asset_ids: int) -> bool:
    """Whether these assets and their media are as they were."""
    media, assets = before
    now = rows(world, Media), rows(world, Asset)
    return all(now[0][one] == media[one] and now[1][one] == assets[one] for one in asset_ids)


def snapshot(world: World) -> tuple[dict[Any, Row[Any]], dict[Any, Row[Any]]]:
    """Media and assets as they are."""
    return rows(world, Media), rows(world, Asset)


def test_a_look_for_renewal(world: World, cast: Cast) -> None:
    """What is needed is queued; what is not is deleted before it would expire; the others wait."""
    now = world.clock.now()
    cancelled, due, later = cast.autumn, cast.one, cast.two
    set_media(world, cancelled, refresh_at=now - HOUR)
    set_media(world, due, refresh_at=now, retire_at=now + 3 * DAY)
    set_media(world, later, refresh_at=now + MOMENT)
    set_asset(world, due, attempts=3, not_before=now + HOUR, state="failed")
    with world.database.write() as connection:
        connection.execute(update(Campaign).where(Campaign.id == "autumn").values(cancelled_at=now))
    before = snapshot(world)
    rules_of = world.context.settings.life_rules
    with world.database.write() as connection:
        found = queue_refreshes(connection, now=now, rules_of=rules_of, limit=10)
    assert found == {"looked": 2, "queued": 1}
    again = now + rules_of(None).look_every
    media, assets = snapshot(world)
    assert (media[cancelled].is_current, media[cancelled].delete_after) == (False, now)
    assert assets[cancelled].state == "idle"
    assert (media[due].refresh_at, media[due].retire_at) == (again, now + 3 * DAY)
    asset = assets[due]
    assert (asset.state, asset.priority, asset.attempts, asset.not_before) == (
        "waiting",
        Priority.REFRESH,
        0,
        None,
    )
    assert asset.due_at == now + 30 * DAY
    assert unchanged(world, before, later, cast.other)


def test_looks_are_bounded_and_the_first_to_end_comes_first(world: World, cast: Cast) -> None:
    """A tick works in chunks."""
    now = world.clock.now()
    for hours, asset_id in enumerate((cast.other, cast.autumn, cast.two, cast.one)):
        set_media(world, asset_id, refresh_at=now - (9 - hours) * HOUR, retire_at=now - (9 - hours) * HOUR)
    rules_of = world.context.settings.life_rules
    with world.database.write() as connection:
        assert queue_refreshes(connection, now=now, rules_of=rules_of, limit=2)["queued"] == 2
    assert {row.id for row in rows(world, Asset).values() if row.state == "waiting"} == {
        cast.other,
        cast.autumn,
    }
    with world.database.write() as connection:
        found = retire_unneeded(connection, now=now, keep_after=HOUR, limit=3)
    assert found == {"looked": 3, "retired": 0}
    assert rows(world, Media)[cast.one].retire_at == now - 6 * HOUR


@pytest.mark.parametrize("state", ["claimed", "uploading"])
def test_what_is_with_a_worker_is_left_to_it(world: World, cast: Cast, state: str) -> None:
    """Neither queued nor retired; looked at again."""
    now = world.clock.now()
    set_asset(world, cast.one, state=state)
    set_media(world, cast.one, refresh_at=now, retire_at=now)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=now)
    before = rows(world, Asset)
    with world.database.write() as connection:
        found = retire_unneeded(connection, now=now, keep_after=HOUR, limit=10)
    assert found["retired"] == 1  # the other one of the campaign
    media = rows(world, Media)[cast.one]
    assert (media.is_current, media.retire_at, media.refresh_at) == (True, now + timedelta(minutes=1), now)
    rules_of = world.context.settings.life_rules
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(cancelled_at=None, keep_until=now + 60 * DAY))
        assert queue_refreshes(connection, now=now + 29 * DAY, rules_of=rules_of, limit=1)["queued"] == 0
    assert rows(world, Asset)[cast.one] == before[cast.one]
    # Nor is it taken out of service at its renewal, once nothing needs it.
    set_media(world, cast.one, refresh_at=now)
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(cancelled_at=now))
        queue_refreshes(connection, now=now, rules_of=rules_of, limit=1)
    assert rows(world, Asset)[cast.one] == before[cast.one]
    assert rows(world, Media)[cast.one].is_current


def test_a_renewal_that_hurries_takes_no_other_with_it(world: World, cast: Cast) -> None:
    """Its own priority changes, and only while it waits."""
    now = world.clock.now()
    for asset_id in (cast.one, cast.two):
        set_asset(world, asset_id, state="waiting", priority=Priority.REFRESH)
    set_media(world, cast.one, refresh_at=now)
    later = now + 29 * DAY
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(keep_until=later + DAY))
        set_media_life(connection, OTHER, 60 * DAY)
        queue_refreshes(connection, now=later, rules_of=world.context.settings.life_rules, limit=1)
    assets = rows(world, Asset)
    assert assets[cast.one].priority == Priority.CAMPAIGN
    assert assets[cast.two].priority == Priority.REFRESH


def test_a_look_takes_nothing_from_a_campaigns_own_upload(world: World, cast: Cast) -> None:
    """What waits as a campaign's upload does not become a renewal, which would stand behind all campaigns."""
    now = world.clock.now()
    set_asset(world, cast.one, state="waiting", priority=Priority.CAMPAIGN)
    # Nor does a renewal that has time yet become a campaign's upload.
    set_asset(world, cast.two, state="waiting", priority=Priority.REFRESH)
    for asset_id in (cast.one, cast.two):
        set_media(world, asset_id, refresh_at=now)
    before = rows(world, Asset)
    with world.database.write() as connection:
        queue_refreshes(connection, now=now, rules_of=world.context.settings.life_rules, limit=9)
    assert rows(world, Asset) == before


def test_a_trusted_use_moves_the_end_of_a_renewal(world: World, cast: Cast) -> None:
    """Its place in the order is that of the ID's end."""
    now = world.clock.now()
    trusting = world.context.settings.model_copy(update={"trust_last_use": True})
    set_media(world, cast.one, refresh_at=now, last_used_at=now + 5 * DAY)
    with world.database.write() as connection:
        queue_refreshes(connection, now=now, rules_of=trusting.life_rules, limit=9)
    assert rows(world, Asset)[cast.one].due_at == now + 35 * DAY


def test_each_channels_own_life_counts(world: World, cast: Cast) -> None:
    """What is due is due by its channel's rules."""
    now = world.clock.now()
    with world.database.write() as connection:
        set_media_life(connection, OTHER, 4 * HOUR)
    for asset_id in (cast.one, cast.other):
        set_media(world, asset_id, refresh_at=now)
    with world.database.write() as connection:
        queue_refreshes(connection, now=now, rules_of=world.context.settings.life_rules, limit=10)
    media, assets = snapshot(world)
    assert media[cast.one].refresh_at == now + 6 * HOUR
    assert media[cast.other].refresh_at == now + HOUR / 12
    assert (assets[cast.one].due_at, assets[cast.other].due_at) == (now + 30 * DAY, now + 4 * HOUR)


def test_a_look_at_the_need(world: World, cast: Cast) -> None:
    """Its end is written down; one that is over, with the time that media are kept after it, is retired."""
    end = world.clock.now() + HOUR + 7 * DAY
    set_asset(world, cast.one, reason="upload_failed", detail="x", not_before=end, state="failed")
    with world.database.write() as connection:
        # An ID that was replaced before keeps the moment of its own deletion.
        old = dict(rows(world, Media)[cast.one]._mapping)
        old |= {"id": 99, "media_id": "old", "is_current": False, "delete_after": end - DAY}
        connection.execute(insert(Media).values(**old))
    world.clock.advance(7 * DAY)
    now = world.clock.now()
    with world.database.write() as connection:
        assert retire_unneeded(connection, now=now, keep_after=DAY, limit=10) == {"looked": 4, "retired": 0}
    assert {row.retire_at for row in rows(world, Media).values() if row.is_current} == {end + DAY}
    # A longer need is found out when the moment has come.
    with world.database.write() as connection:
        connection.execute(update(Campaign).where(Campaign.id != "spring").values(keep_until=end + 9 * DAY))
        assert retire_unneeded(connection, now=end + DAY - MOMENT, keep_after=DAY, limit=10)["looked"] == 0
        assert retire_unneeded(connection, now=end + DAY, keep_after=DAY, limit=10)["retired"] == 2
    with world.database.read() as connection:
        columns = (Media.media_id, Media.is_current, Media.delete_after, Media.retire_at)
        found = {row.media_id: tuple(row)[1:] for row in connection.execute(select(*columns))}
    assert found["1"][:2] == found["2"][:2] == (False, end + DAY)
    assert found["3"] == found["4"] == (True, None, end + 10 * DAY)
    assert found["old"][:2] == (False, end - DAY)
    asset = rows(world, Asset)[cast.one]
    assert (asset.state, asset.reason, asset.detail, asset.not_before) == ("idle", None, "", None)
    assert rows(world, Asset)[cast.autumn].state == "ready"


def test_moments_are_worked_out_anew_in_parts(
    world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one channel, of IDs in service, all of them, and each once."""
    monkeypatch.setattr(retention, "REWRITE_CHUNK", 2)
    now = world.clock.now()
    used = now + 2 * DAY
    set_media(world, cast.one, last_used_at=used, retire_at=None)
    set_media(world, cast.two, is_current=False, refresh_at=None)
    set_media(world, cast.autumn, seen_alive_at=now + 8 * DAY, retire_at=now + 4 * DAY)
    ready_item(world, "five", media_id="5")
    before = snapshot(world)
    rules = world.context.settings.life_rules(40 * DAY)
    later = now + HOUR
    with world.database.write() as connection:
        after = work_out_anew(connection, CHANNEL, rules, after=0, now=later)
    assert after == rows(world, Media)[cast.autumn].id
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).id in channels_with_other_rules(
            connection, rules_of=lambda _: rules
        )
    with world.database.write() as connection:
        assert work_out_anew(connection, CHANNEL, rules, after=after or 0, now=later) is None
    media = rows(world, Media)
    assert (media[cast.one].expires_at, media[cast.one].retire_at) == (used + 40 * DAY, later)
    assert media[cast.one].refresh_at == rules.refresh_at(now, None, lot=cast.one)
    assert media[cast.one].verify_at == now + 7 * DAY
    assert (media[cast.autumn].verify_at, media[cast.autumn].retire_at) == (now + 10 * DAY, now + 4 * DAY)
    assert media[max(media)].expires_at == now + 40 * DAY
    assert unchanged(world, before, cast.two, cast.other)
    with world.database.read() as connection:
        assert list(channels_with_other_rules(connection, rules_of=lambda _: rules)) == [OTHER]


def test_a_doubted_id_stays_doubted(world: World, cast: Cast) -> None:
    """It is never looked up again, and its renewal comes no later than before."""
    now = world.clock.now()
    rules = world.context.settings.life_rules(40 * DAY)
    set_media(world, cast.one, doubted_at=now, refresh_at=now, verify_at=None)
    set_media(world, cast.two, doubted_at=now, refresh_at=now + 90 * DAY, verify_at=None)
    set_media(world, cast.autumn, refresh_at=now)
    with world.database.write() as connection:
        work_out_anew(connection, CHANNEL, rules, after=0, now=now)
    media = rows(world, Media)
    assert (media[cast.one].refresh_at, media[cast.one].verify_at) == (now, None)
    assert media[cast.two].refresh_at == rules.refresh_at(now, None, lot=cast.two)
    assert media[cast.autumn].refresh_at == rules.refresh_at(now, None, lot=cast.autumn)


def test_who_needs_what_until_when(world: World, cast: Cast) -> None:
    """Until `keep_until`, and no moment longer; of the assets that were asked for."""
    end = world.clock.now() + HOUR + 7 * DAY
    everything = [cast.one, cast.two, cast.autumn, cast.other]
    with world.database.write() as connection:
        connection.execute(update(Campaign).where(Campaign.id == "other").values(keep_until=end + DAY))
        assert needed_now(connection, everything, now=end - MOMENT) == set(everything)
        assert needed_now(connection, everything, now=end) == {cast.other}
        assert needed_now(connection, [cast.one], now=end - MOMENT) == {cast.one}
        assert needed_until(connection, [cast.one, cast.other]) == {cast.one: end, cast.other: end + DAY}
        cancel_campaign(connection, "spring", now=end - DAY)
        assert needed_now(connection, everything, now=end - MOMENT) == {cast.autumn, cast.other}
        assert needed_until(connection, everything) == {cast.autumn: end, cast.other: end + DAY}


def test_cancelling_concerns_one_campaign_once(world: World, cast: Cast) -> None:
    """The first time counts; other campaigns' media are not even looked at."""
    now = world.clock.now()
    before = snapshot(world)
    set_media(world, cast.two, is_current=False, retire_at=now + DAY)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=now + HOUR)
        cancel_campaign(connection, "spring", now=now + 2 * HOUR)
        columns = select(Campaign.id, Campaign.cancelled_at)
        cancelled = {row.id: row.cancelled_at for row in connection.execute(columns)}
    assert cancelled == {"spring": now + HOUR, "autumn": None, "other": None}
    assert rows(world, Media)[cast.one].retire_at == now + 2 * HOUR
    assert rows(world, Media)[cast.two].retire_at == now + DAY
    assert unchanged(world, before, cast.autumn, cast.other)
    with world.database.write() as connection:
        check_references_again(connection, [cast.autumn], now=now + 3 * HOUR)
    assert rows(world, Media)[cast.autumn].retire_at == now + 3 * HOUR
    assert unchanged(world, before, cast.other)


def test_a_campaign_that_is_handed_over_again_wants_what_it_lost(world: World, cast: Cast) -> None:
    """What is given up or at rest goes round again, for the refs that were named, and nobody else's."""
    now = world.clock.now()
    for asset_id, state in ((cast.one, "failed"), (cast.two, "idle"), (cast.autumn, "failed")):
        set_asset(
            world,
            asset_id,
            state=state,
            priority=Priority.REFRESH,
            attempts=4,
            not_before=now + DAY,
            reason="missing",
            detail="It is gone.",
        )
    before = snapshot(world)
    with world.database.write() as connection:
        want_again(connection, "spring", refs=["one"], due_at=now + 5 * DAY, now=now + HOUR)
    asset = rows(world, Asset)[cast.one]
    assert (asset.state, asset.priority, asset.attempts) == ("waiting", Priority.CAMPAIGN, 0)
    assert (asset.due_at, asset.not_before, asset.reason, asset.detail) == (now + 5 * DAY, None, None, "")
    assert rows(world, Media)[cast.one].retire_at == now + HOUR
    assert unchanged(world, before, cast.two, cast.autumn, cast.other)
    with world.database.write() as connection:
        want_again(connection, "spring", refs=None, due_at=now + 6 * DAY, now=now)
    assets = rows(world, Asset)
    assert (assets[cast.two].state, assets[cast.two].due_at) == ("waiting", now + 6 * DAY)
    assert assets[cast.one].due_at == now + 5 * DAY  # on its way already
    assert unchanged(world, before, cast.autumn, cast.other)


def test_waiting_uploads_follow_the_earliest_send_time(world: World, cast: Cast) -> None:
    """Of all campaigns that hold the file and were not cancelled; renewals keep their own order."""
    now = world.clock.now()
    ready_item_again(world, cast.one, "autumn", "shared")
    ready_item_again(world, cast.one, "other", "shared")
    ready_item(world, "unrelated", media_id="6", campaign="soon", hours=0.5)
    for asset_id in (cast.one, cast.two, cast.autumn, cast.other):
        set_asset(world, asset_id, state="waiting", due_at=now - DAY)
    set_asset(world, cast.two, priority=Priority.REFRESH)
    with world.database.write() as connection:
        times = {"spring": 9 * DAY, "autumn": 4 * DAY, "other": 2 * DAY}
        for campaign_id, send_in in times.items():
            connection.execute(
                update(Campaign).where(Campaign.id == campaign_id).values(send_at=now + send_in)
            )
        connection.execute(update(Campaign).where(Campaign.id == "other").values(cancelled_at=now))
    before = snapshot(world)
    with world.database.write() as connection:
        follow_send_times(connection, "spring")
    assert rows(world, Asset)[cast.one].due_at == now + 4 * DAY
    assert unchanged(world, before, cast.two, cast.autumn, cast.other)
    set_asset(world, cast.one, state="ready")
    with world.database.write() as connection:
        connection.execute(update(Campaign).where(Campaign.id == "autumn").values(send_at=now + DAY))
        follow_send_times(connection, "autumn")
    assets = rows(world, Asset)
    assert (assets[cast.one].due_at, assets[cast.autumn].due_at) == (now + 4 * DAY, now + DAY)
    # Once nothing needs a file, it keeps its place until its turn comes.
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(cancelled_at=now))
        follow_send_times(connection, "autumn")
    assert rows(world, Asset)[cast.autumn].due_at == now + DAY


def ready_item_again(world: World, asset_id: int, campaign_id: str, ref: str) -> None:
    """Another campaign's item that shares an asset."""
    with world.database.write() as connection:
        connection.execute(
            insert(Item).values(
                campaign_id=campaign_id,
                ref=ref,
                source="/elsewhere.jpg",
                due_at=world.clock.now(),
                state="accepted",
                asset_id=asset_id,
                token=0,
                attempts=0,
                fix=False,
                label="",
                detail="",
                fixed="[]",
                notices="[]",
            )
        )


def booked_at(world: World) -> list[tuple[str, datetime]]:
    """All failures that are counted."""
    found = rows(world, LookupFailure).values()
    return sorted((row.channel_id, row.at) for row in found)


@pytest.mark.usefixtures("cast")
def test_failures_are_counted_by_number_and_hour(world: World) -> None:
    """Four within the last hour, to the moment; another number has its own four."""
    now = world.clock.now()
    with world.database.write() as connection:
        bookings = [book_failure(connection, CHANNEL, now=now + place * MOMENT) for place in range(4)]
        assert book_failure(connection, CHANNEL, now=now + HOUR - MOMENT) is None
        assert room_at(connection, CHANNEL, now=now + 5 * MOMENT) == now + HOUR
        assert room_at(connection, OTHER, now=now) == now
        other = book_failure(connection, OTHER, now=now)
        assert other is not None
        assert room_at(connection, OTHER, now=now) == now
        # An hour after the first, there is room for one, and for one only.
        assert room_at(connection, CHANNEL, now=now + HOUR) == now + HOUR
        assert book_failure(connection, CHANNEL, now=now + HOUR) is not None
        assert book_failure(connection, CHANNEL, now=now + HOUR) is None
        assert room_at(connection, CHANNEL, now=now + HOUR) == now + HOUR + MOMENT
        take_back(connection, bookings[1] or 0)
        assert book_failure(connection, CHANNEL, now=now + HOUR) is not None
        count_at(connection, other, at=now + DAY)
    assert booked_at(world) == [
        (CHANNEL, now),
        (CHANNEL, now + 2 * MOMENT),
        (CHANNEL, now + 3 * MOMENT),
        (CHANNEL, now + HOUR),
        (CHANNEL, now + HOUR),
        (OTHER, now + DAY),
    ]


@pytest.mark.usefixtures("cast")
def test_a_block_leaves_room_for_nothing_and_what_is_old_is_dropped(world: World) -> None:
    """For the whole window, and on the number that was blocked."""
    now = world.clock.now()
    with world.database.write() as connection:
        no_more_lookups(connection, CHANNEL, now=now)
        assert book_failure(connection, CHANNEL, now=now + HOUR - MOMENT) is None
        assert book_failure(connection, OTHER, now=now) is not None
        drop_old_failures(connection, now=now + 2 * HOUR - MOMENT)
        assert len(list(connection.execute(select(LookupFailure.id)))) == 5
        drop_old_failures(connection, now=now + 2 * HOUR)
        assert list(connection.execute(select(LookupFailure.id))) == []


def test_look_ups_are_claimed_by_number_the_longest_due_first(world: World, cast: Cast) -> None:
    """What was replaced is not looked up; what nothing needs, later; a second run leaves the others alone."""
    now = world.clock.now() + DAY
    rules = world.context.settings.life_rules(None)
    set_media(world, cast.one, verify_at=now - HOUR)
    set_media(world, cast.two, verify_at=now - 2 * HOUR)
    set_media(world, cast.autumn, verify_at=now)
    set_media(world, cast.other, verify_at=now - HOUR)
    with world.database.write() as connection:
        assert channels_to_verify(connection, now=now) == [CHANNEL, OTHER]
        first = claim_lookups(connection, CHANNEL, now=now, rules=rules, limit=1)
        assert [lookup.media_id for lookup in first] == ["2"]
        cancel_campaign(connection, "autumn", now=now)
        rest = claim_lookups(connection, CHANNEL, now=now, rules=rules, limit=9)
        assert [lookup.media_id for lookup in rest] == ["1"]
        assert channels_to_verify(connection, now=now) == [OTHER]
    media = rows(world, Media)
    assert media[cast.one].verify_at == media[cast.two].verify_at == now + timedelta(minutes=30)
    assert media[cast.autumn].verify_at == now + rules.verify_every
    assert media[cast.other].verify_at == now - HOUR
    set_media(world, cast.other, is_current=False)
    with world.database.write() as connection:
        assert channels_to_verify(connection, now=now) == []
        assert claim_lookups(connection, OTHER, now=now, rules=rules, limit=9) == []


def test_what_was_found_alive_is_written_down(world: World, cast: Cast) -> None:
    """Of the IDs that were looked up, with the greatest age; and nothing of none."""
    born = world.clock.now()
    now = born + 9 * DAY
    rules = world.context.settings.life_rules(None)
    before = snapshot(world)
    media = rows(world, Media)
    lookups = [
        DueLookup(id=media[asset_id].id, media_id="x", uploaded_at=uploaded_at)
        for asset_id, uploaded_at in ((cast.one, born), (cast.two, born + DAY))
    ]
    with world.database.write() as connection:
        record_alive(connection, CHANNEL, lookups, now=now, rules=rules)
        record_alive(connection, OTHER, [], now=now, rules=rules)
        assert get_channel(connection, CHANNEL).longest_life_seconds == 9 * 86_400
        assert get_channel(connection, OTHER).longest_life_seconds is None
    media = rows(world, Media)
    assert {media[one].seen_alive_at for one in (cast.one, cast.two)} == {now}
    assert {media[one].verify_at for one in (cast.one, cast.two)} == {now + 2 * DAY}
    assert unchanged(world, before, cast.autumn, cast.other)


def test_uses_of_several_ids(world: World, cast: Cast) -> None:
    """The latest of each; one from before the upload says nothing; each channel has its own life."""
    born = world.clock.now()
    with world.database.write() as connection:
        set_media_life(connection, OTHER, 4 * HOUR)
        connection.execute(delete(Media).where(Media.asset_id == cast.autumn))
    set_media(world, cast.two, last_used_at=born + 6 * DAY)
    refresh_at = rows(world, Media)[cast.one].refresh_at
    uses = [
        UsageReport(channel_id=CHANNEL, media_id="2", at=born + 5 * DAY),
        UsageReport(channel_id=CHANNEL, media_id="1", at=born + 3 * DAY),
        UsageReport(channel_id=CHANNEL, media_id="1", at=born + 2 * DAY),
        UsageReport(channel_id=OTHER, media_id="4", at=born + HOUR),
        UsageReport(channel_id=OTHER, media_id="1", at=born + 20 * DAY),
    ]
    with world.database.write() as connection:
        record_uses(connection, uses, rules_of=world.context.settings.life_rules)
    media = rows(world, Media)
    assert (media[cast.one].last_used_at, media[cast.one].expires_at) == (born + 3 * DAY, born + 33 * DAY)
    assert media[cast.one].refresh_at == refresh_at
    assert media[cast.two].last_used_at == born + 6 * DAY
    assert (media[cast.other].last_used_at, media[cast.other].expires_at) == (born + HOUR, born + 5 * HOUR)
    before = snapshot(world)
    with world.database.write() as connection:
        early = [UsageReport(channel_id=CHANNEL, media_id="1", at=born - DAY)]
        record_uses(connection, early, rules_of=world.context.settings.life_rules)
    assert unchanged(world, before, cast.one, cast.two, cast.other)


def test_a_first_use_from_before_the_upload_says_nothing(world: World, cast: Cast) -> None:
    """A report of the ID that this one replaced, perhaps."""
    born = world.clock.now()
    before = snapshot(world)
    with world.database.write() as connection:
        early = [UsageReport(channel_id=CHANNEL, media_id="1", at=born - MOMENT)]
        record_uses(connection, early, rules_of=world.context.settings.life_rules)
    assert unchanged(world, before, cast.one)


def test_a_trusted_use_moves_the_renewal(world: World, cast: Cast) -> None:
    """By the rules of the channel, and of this ID alone."""
    born = world.clock.now()
    trusting = world.context.settings.model_copy(update={"trust_last_use": True})
    before = snapshot(world)
    with world.database.write() as connection:
        report = UsageReport(channel_id=CHANNEL, media_id="1", at=born + 5 * DAY)
        record_uses(connection, [report], rules_of=trusting.life_rules)
    rules = trusting.life_rules(None)
    expected = rules.refresh_at(born, born + 5 * DAY, lot=cast.one)
    assert rows(world, Media)[cast.one].refresh_at == expected
    assert expected > before[0][cast.one].refresh_at
    assert unchanged(world, before, cast.two, cast.autumn, cast.other)


def test_deaths_of_several_ids(world: World, cast: Cast) -> None:
    """The first report of each counts; what is known to be dead changes nothing; workers keep theirs."""
    born = world.clock.now()
    now = born + 5 * DAY
    set_media(world, cast.two, died_at=born + DAY)
    set_asset(world, cast.autumn, state="uploading", attempts=2)
    set_asset(world, cast.one, attempts=2, not_before=now + DAY)
    before = snapshot(world)
    reports = [
        UsageReport(channel_id=CHANNEL, media_id="2", at=now),
        UsageReport(channel_id=CHANNEL, media_id="1", at=born + 3 * DAY),
        UsageReport(channel_id=CHANNEL, media_id="1", at=born + 4 * DAY),
        UsageReport(channel_id=CHANNEL, media_id="3", at=now),
    ]
    with world.database.write() as connection:
        assert record_dead(connection, reports, now=now) == 2
        channel = get_channel(connection, CHANNEL)
    assert (channel.early_deaths, channel.shortest_life_seconds) == (2, 3 * 86_400)
    media, assets = snapshot(world)
    assert (media[cast.one].died_at, media[cast.one].delete_after) == (born + 3 * DAY, now)
    one = assets[cast.one]
    assert (one.state, one.priority, one.due_at, one.attempts, one.not_before) == ("waiting", 0, now, 0, None)
    assert assets[cast.autumn] == before[1][cast.autumn]
    assert unchanged(world, before, cast.two, cast.other)


@pytest.mark.usefixtures("cast")
def test_an_id_that_dies_in_the_moment_of_its_end_died_in_time(world: World) -> None:
    """One moment before would have been early."""
    born = world.clock.now()
    reports = [
        UsageReport(channel_id=CHANNEL, media_id="1", at=born + 30 * DAY),
        UsageReport(channel_id=OTHER, media_id="4", at=born + 30 * DAY - MOMENT),
    ]
    with world.database.write() as connection:
        record_dead(connection, reports, now=born + 31 * DAY)
        assert get_channel(connection, CHANNEL).early_deaths == 0
        assert get_channel(connection, OTHER).early_deaths == 1
