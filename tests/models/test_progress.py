"""How far a campaign is: counts and lines, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Connection, event, update

from models import Asset, Item, Media, progress
from models.item_reports import campaign_items
from models.progress import FollowedCampaign, ItemStatus, Progress, campaign_progress
from tests.support.rows import accepted_item, ready_item
from tests.support.world import World

FILES = 12


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a dozen files are some pages, the last one full."""
    monkeypatch.setattr(progress, "PAGE", 4)


@pytest.fixture
def campaign(world: World) -> list[str]:
    """Files of each stage, in an order that is not their refs'; returns the refs as they were handed over."""
    refs = [
        f"File {place * 7 % FILES:02}" if place % 2 else f"file-{place * 5 % FILES:02}"
        for place in range(FILES)
    ]
    for place, ref in enumerate(refs):
        if place < FILES // 2:
            ready_item(world, ref, media_id=ref)
        else:
            accepted_item(world, ref)
    ready_item(world, "of another campaign", media_id="other", campaign="autumn")
    now = world.clock.now()
    with world.database.write() as connection:
        changes = [
            update(Item).where(Item.ref == refs[6]).values(state="rejected", asset_id=None, reason="empty"),
            update(Item).where(Item.ref == refs[7]).values(state="waiting", asset_id=None),
            update(Item).where(Item.ref == refs[8]).values(state="inspecting", asset_id=None),
            update(Asset)
            .where(Asset.file_name == f"{refs[9]}.jpg")
            .values(state="failed", reason="source_missing", detail="It is gone."),
            update(Asset).where(Asset.file_name == f"{refs[11]}.jpg").values(state="claimed"),
            update(Media).where(Media.media_id == refs[0]).values(expires_at=now),
        ]
        for change in changes:
            connection.execute(change)
    return refs


def test_counts_are_of_all_pages_and_of_one_campaign(world: World, campaign: list[str]) -> None:
    """Whatever the order in which the database has the refs."""
    with world.database.read() as connection:
        found = campaign_progress(connection, "spring", now=world.clock.now())
        nothing = campaign_progress(connection, "unknown", now=world.clock.now())
    assert (found.ready, found.rejected, found.failed, found.checking) == (5, 1, 1, 2)
    assert (found.waiting, found.uploading) == (2, 1)
    assert (found.total, found.settled) == (FILES, 7)
    assert not found.hindrance
    assert nothing.total == 0
    assert len(campaign) == FILES


@pytest.mark.parametrize("place", [7, 10])
def test_what_keeps_a_file_waiting_is_said(world: World, campaign: list[str], place: int) -> None:
    """Of a file that is still to be looked at, and of one that is still to be uploaded; until it is over."""
    now = world.clock.now()
    later = now + timedelta(minutes=1)
    with world.database.write() as connection:
        table = Item if place == 7 else Asset
        mine = Item.ref == campaign[place] if place == 7 else Asset.file_name == f"{campaign[place]}.jpg"
        connection.execute(update(table).where(mine).values(not_before=later, detail="No disk."))
    with world.database.read() as connection:
        assert campaign_progress(connection, "spring", now=now).hindrance == "No disk."
        assert not campaign_progress(connection, "spring", now=later).hindrance


def test_lines_come_in_the_order_of_the_manifest(world: World, campaign: list[str]) -> None:
    """All of them, or those of some stages; and other statements may be sent meanwhile."""
    now = world.clock.now()
    with world.database.read() as connection:
        lines = []
        for line in campaign_items(connection, "spring", now=now):
            lines.append(line)
            campaign_progress(connection, "spring", now=now)
        bad = list(
            campaign_items(connection, "spring", now=now, statuses=(ItemStatus.REJECTED, ItemStatus.FAILED))
        )
        assert not list(campaign_items(connection, "unknown", now=now))
    assert [line.ref for line in lines] == campaign
    assert lines[1].media_id == campaign[1]
    assert lines[0].media_id is None
    assert [(line.ref, line.reason) for line in bad] == [
        (campaign[6], "empty"),
        (campaign[9], "source_missing"),
    ]
    assert any(one > other for one, other in pairwise(campaign))


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """Those that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(world.database.engine, "before_cursor_execute", note)


def look(world: World, followed: FollowedCampaign) -> tuple[Progress, int]:
    """How far the campaign is, and how many questions that took."""
    with statements(world) as sent, world.database.read() as connection:
        found = followed.look(connection, now=world.clock.now())
    return found, sum("items" in statement for statement in sent)


def test_a_campaign_is_followed_by_what_changes(world: World) -> None:
    """Of its pages, those are read that are worked on, one that waits behind them, and one more in turn."""
    assets = [accepted_item(world, f"{number:02}") for number in range(24)]
    with world.database.write() as connection:
        connection.execute(update(Item).values(state="waiting", asset_id=None))
    followed = FollowedCampaign("spring")
    # The last page is full, so that one more is asked for.
    assert look(world, followed)[1] == 7
    for number, asset_id in enumerate(assets, start=1):
        with world.database.write() as connection:
            mine = update(Item).where(Item.ref == f"{number - 1:02}")
            connection.execute(mine.values(state="accepted", asset_id=asset_id))
        found, questions = look(world, followed)
        assert (found.checking, found.waiting) == (24 - number, number)
        assert questions <= 4
    for number, asset_id in enumerate(assets, start=1):
        with world.database.write() as connection:
            connection.execute(update(Asset).where(Asset.id == asset_id).values(state="failed"))
        found, questions = look(world, followed)
        assert (found.waiting, found.failed) == (24 - number, number)
        # At the end all is counted once more.
        assert questions <= (4 if number < 24 else 4 + 7)


def test_what_changes_out_of_order_is_seen_in_turn(world: World, campaign: list[str]) -> None:
    """And what has come to its end, and lost it, at the latest when all seems done."""
    followed = FollowedCampaign("spring")
    assert look(world, followed)[0].ready == 5
    with world.database.write() as connection:
        connection.execute(update(Item).where(Item.campaign_id == "spring").values(state="rejected"))
        changed = update(Item).where(Item.ref == campaign[3])
        connection.execute(changed.values(state="waiting"))
    for _ in range(FILES):
        found, _ = look(world, followed)
    with world.database.read() as connection:
        assert found == campaign_progress(connection, "spring", now=world.clock.now())
    assert (found.rejected, found.checking) == (FILES - 1, 1)
