"""What a scheduler is told of a campaign: how far it is, what is bad, and which media IDs it has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from greenroom.answers import ANSWERS, CampaignState
from greenroom.errors import UnknownName
from greenroom.reasons import ADVICE, Reason
from greenroom.task_names import TaskName
from models import Asset, Item, Media, item_pages
from models.campaign import Campaign
from models.cancellation import cancel_campaign
from models.channel import pause_channel
from tasks.prepare import prepare
from tasks.resolve import media_ids
from tasks.status import rejected, status
from tests.support.rows import accepted_item, ready_item
from tests.support.world import CHANNEL, World


@pytest.fixture
def campaign(world: World) -> World:
    """Two ready, one waiting, one uploading, one to be checked, one rejected, one given up."""
    for ref in ("a", "b"):
        ready_item(world, ref, media_id=f"id-{ref}")
    for ref in ("waiting", "uploading", "failed", "checking", "rejected"):
        accepted_item(world, ref)
    with world.database.write() as connection:
        for change in (
            update(Asset).where(Asset.file_name == "uploading.jpg").values(state="uploading"),
            update(Asset)
            .where(Asset.file_name == "failed.jpg")
            .values(state="failed", reason="upload_failed", detail="No."),
            update(Item).where(Item.ref == "checking").values(state="waiting", asset_id=None),
            update(Item)
            .where(Item.ref == "rejected")
            .values(state="rejected", asset_id=None, reason="empty", detail="It has no bytes."),
        ):
            connection.execute(change)
    return world


def test_each_item_is_counted_where_it_stands(campaign: World) -> None:
    """Rejected, waiting and uploading are told apart; nothing is settled before all is."""
    found = status(campaign.context, "spring")
    assert (found.checking, found.waiting, found.uploading) == (1, 1, 1)
    assert (found.ready, found.rejected, found.failed, found.total) == (2, 1, 1, 7)
    assert (found.state, found.channel, found.at_risk) == (CampaignState.RUNNING, CHANNEL, 0)
    assert not found.is_settled
    assert not found.is_ready
    with campaign.database.write() as connection:
        connection.execute(
            update(Item).where(Item.ref.in_(("waiting", "uploading", "checking"))).values(state="rejected")
        )
    found = status(campaign.context, "spring")
    assert (found.is_settled, found.is_ready) == (True, False)


def test_a_campaign_is_ready_when_all_of_it_is(world: World) -> None:
    """And one without items never is."""
    ready_item(world, "a", media_id="id-a")
    assert status(world.context, "spring").is_ready
    prepare(world.context, world.campaign("empty"), [])
    found = status(world.context, "empty")
    assert (found.is_ready, found.is_settled, found.total) == (False, True, 0)


def test_why_nothing_happens_is_said(campaign: World) -> None:
    """A paused channel with its reason; a campaign that was cancelled or is over, which waits for nothing."""
    with campaign.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key is wrong.", now=campaign.clock.now())
    found = status(campaign.context, "spring")
    assert (found.state, found.paused_reason, found.is_settled) == ("paused", "The key is wrong.", False)
    campaign.clock.advance(timedelta(days=8))
    found = status(campaign.context, "spring")
    assert (found.state, found.is_settled) == ("over", True)
    with campaign.database.write() as connection:
        cancel_campaign(connection, "spring", now=campaign.clock.now())
    assert status(campaign.context, "spring").state == "cancelled"


def test_ids_that_end_soon_and_were_not_renewed_are_at_risk(campaign: World) -> None:
    """They are still ready, and count as such; not one that lasts for as long as the campaign needs it."""
    with campaign.database.write() as connection:
        connection.execute(
            update(Asset).where(Asset.file_name == "a.jpg").values(state="failed", reason="missing")
        )
    found = status(campaign.context, "spring")
    assert (found.ready, found.at_risk) == (2, 0)
    with campaign.database.write() as connection:
        connection.execute(update(Campaign).values(keep_until=campaign.clock.now() + timedelta(days=31)))
    found = status(campaign.context, "spring")
    assert (found.ready, found.at_risk) == (2, 1)


@pytest.mark.parametrize("ask", [status, rejected, media_ids])
def test_a_campaign_that_is_not_known_is_said(world: World, ask: object) -> None:
    """Instead of counting nothing."""
    assert callable(ask)
    with pytest.raises(UnknownName, match="nobody"):
        ask(world.context, "nobody")


def test_what_is_rejected_comes_with_its_reason_and_advice(campaign: World) -> None:
    """Rejected by inspection, or given up; by ref, each once."""
    page = rejected(campaign.context, "spring")
    assert [(one.ref, one.status, one.reason, one.detail, one.advice) for one in page.items] == [
        ("failed", "failed", "upload_failed", "No.", ADVICE[Reason.UPLOAD_FAILED]),
        ("rejected", "rejected", "empty", "It has no bytes.", ADVICE[Reason.EMPTY]),
    ]
    assert page.after is None


def pages_of(world: World, ask: object) -> list[dict[str, object]]:
    """All pages, as their JSON has them, each asked for by what the last one ended with."""
    assert callable(ask)
    found, after = [], ""
    while after is not None:
        page = ask(world.context, "spring", after)
        found.append(page.model_dump(mode="json"))
        after = page.after
    return found


def test_pages_are_bounded_and_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in which the database has the refs, and however many items have nothing to say."""
    monkeypatch.setattr(item_pages, "ITEMS_A_LOOK", 3)
    monkeypatch.setattr(item_pages, "MOST_LOOKS", 2)
    refs = ["Zebra", "apple", "Ärger", "b-1", "b_2", "B 3", "z", "ü", "0", "~", "a", "c", "d"]
    for number, ref in enumerate(refs):
        if number % 2:
            ready_item(world, ref, media_id=f"id-{number}")
        else:
            accepted_item(world, ref)
    with world.database.write() as connection:
        bad = (
            update(Item).where(Item.ref.in_(refs[:4])).values(state="rejected", asset_id=None, reason="empty")
        )
        connection.execute(bad)
    pages = pages_of(world, media_ids)
    answered = [ref for page in pages for ref in page["media_ids"]]  # type: ignore[attr-defined] # JSON
    assert sorted(answered) == sorted(refs[5::2])
    assert all(len(page["media_ids"]) <= 3 for page in pages)  # type: ignore[arg-type] # JSON
    pages = pages_of(world, rejected)
    assert sorted(item["ref"] for page in pages for item in page["items"]) == sorted(refs[:4])  # type: ignore[attr-defined] # JSON
    # A page that finds nothing says where to continue all the same.
    with world.database.write() as connection:
        connection.execute(update(Media).values(expires_at=world.clock.now()))
    pages = pages_of(world, media_ids)
    assert len(pages) == 3
    assert not any(page["media_ids"] for page in pages)


def test_the_client_reads_what_the_worker_writes(campaign: World) -> None:
    """By the same models, through JSON; what a newer worker adds is passed over."""
    for name, answer in (
        (TaskName.STATUS, status(campaign.context, "spring")),
        (TaskName.REJECTED, rejected(campaign.context, "spring")),
        (TaskName.MEDIA_IDS, media_ids(campaign.context, "spring")),
    ):
        written = answer.model_dump(mode="json")
        assert ANSWERS[name].validate_python({**written, "newer": 1}) == answer
