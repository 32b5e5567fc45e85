"""What was rejected or given up is tried again, and nothing else is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from greenroom.answers import RetriedPage
from greenroom.errors import Misuse, UnknownName
from greenroom.reasons import ADVICE, PASSING, Reason
from greenroom.task_names import TaskName
from models import Asset, Campaign, Item
from models.item_pages import ITEMS_A_LOOK
from tasks.move import cancel
from tasks.prepare import prepare
from tasks.retry import retry
from tasks.runtime.announcements import begins
from tests.support.rows import accepted_item, asset_row, item_rows, media_rows, ready_item
from tests.support.world import World


def rejected(world: World, **reasons: Reason) -> None:
    """A campaign with an item for each of these refs, rejected for its reason."""
    lines = [{"ref": ref, "source": f"/media/{ref}.jpg"} for ref in reasons]
    prepare(world.context, world.campaign(), lines)
    with world.database.write() as connection:
        for ref, reason in reasons.items():
            values = {"state": "rejected", "reason": reason, "detail": "why", "attempts": 3}
            connection.execute(update(Item).where(Item.ref == ref).values(**values))
    begins(world.context, TaskName.INSPECT)
    world.published.clear()


def given_up(world: World, content: str, reason: Reason = Reason.UPLOAD_FAILED) -> int:
    """An item whose upload was given up; returns its asset's ID."""
    asset_id = accepted_item(world, content)
    values = {"state": "failed", "reason": reason, "detail": "why", "attempts": 0}
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == asset_id).values(**values))
    return asset_id


def states(world: World) -> dict[str, str]:
    """Of the campaign's items, by ref."""
    return {row.ref: row.state for row in item_rows(world)}


def asked_for(world: World) -> list[str]:
    """The tasks that were announced."""
    return [message.name for message in world.published]


def test_what_may_have_passed_is_tried_again(world: World) -> None:
    """A place, a right, an allowance or a channel; not what is in the file, which nobody has changed."""
    rejected(world, **{str(reason): reason for reason in Reason})
    assert retry(world.context, "spring") == RetriedPage(inspected=len(PASSING), uploaded=0, after=None)
    waiting = {ref for ref, state in states(world).items() if state == "waiting"}
    assert waiting == {"missing", "not_allowed", "unreadable", "upload_failed"}
    anew = next(row for row in item_rows(world) if row.ref == "missing")
    assert (anew.reason, anew.detail, anew.attempts) == (None, "", 0)
    assert asked_for(world) == [TaskName.INSPECT]
    assert set(ADVICE) > PASSING


def test_a_file_that_is_named_is_tried_again_for_whatever_reason(world: World) -> None:
    """Somebody has put another one in its place; and all are, where that is asked for."""
    rejected(world, a=Reason.BROKEN, b=Reason.BROKEN, c=Reason.EMPTY)
    assert retry(world.context, "spring").inspected == 0
    assert asked_for(world) == []
    assert retry(world.context, "spring", ["a"]).inspected == 1
    assert states(world) == {"a": "waiting", "b": "rejected", "c": "rejected"}
    assert retry(world.context, "spring", None, True).inspected == 2  # noqa: FBT003 - as the message has it
    assert set(states(world).values()) == {"waiting"}
    # Once more finds nothing: what waits already is left alone.
    assert retry(world.context, "spring", ["a", "b"]) == RetriedPage(inspected=0, uploaded=0, after=None)


def test_uploads_that_were_given_up_are_in_the_backlog_again(world: World) -> None:
    """From the beginning, with all their attempts; what the provider refuses only if that is asked for."""
    failed, refused = given_up(world, "a"), given_up(world, "b", Reason.REFUSED_BY_PROVIDER)
    world.published.clear()
    assert retry(world.context, "spring") == RetriedPage(inspected=0, uploaded=1, after=None)
    row = asset_row(world, failed)
    assert (row.state, row.attempts, row.reason, row.detail) == ("waiting", 0, None, "")
    assert asset_row(world, refused).state == "failed"
    assert asked_for(world) == [TaskName.DISPATCH]
    assert retry(world.context, "spring", ["b"]).uploaded == 1
    assert asset_row(world, refused).state == "waiting"


def test_nothing_is_uploaded_twice(world: World) -> None:
    """What is ready, waits, is with a worker or with another campaign stays as it is."""
    ready_item(world, "a", media_id="id-a")
    accepted_item(world, "b")
    with world.database.write() as connection:
        uploading = {"state": "uploading", "token": 7}
        connection.execute(update(Asset).where(Asset.file_name == "b.jpg").values(**uploading))
    given_up(world, "c")
    given = [row._mapping for row in item_rows(world)]
    page = retry(world.context, "spring", ["a", "b", "c"])
    assert page == RetriedPage(inspected=0, uploaded=1, after=None)
    assert [row._mapping for row in item_rows(world)] == given
    assert [(row.media_id, row.is_current) for row in media_rows(world)] == [("id-a", True)]
    with world.database.read() as connection:
        rows = connection.execute(select(Asset.file_name, Asset.state).order_by(Asset.id)).all()
    assert [tuple(row) for row in rows] == [("a.jpg", "ready"), ("b.jpg", "uploading"), ("c.jpg", "waiting")]


def test_before_uploads_begin_nothing_is_queued(world: World) -> None:
    """What another campaign gave up is uploaded when this one begins."""
    asset_id = given_up(world, "a")
    with world.database.write() as connection:
        later = world.clock.now() + timedelta(minutes=30)
        connection.execute(update(Campaign).values(upload_from=later))
    assert retry(world.context, "spring") == RetriedPage(inspected=0, uploaded=0, after=None)
    assert asset_row(world, asset_id).state == "failed"


def test_many_come_by_pages(world: World) -> None:
    """Each is a short transaction."""
    rejected(world, **{f"{number:05}": Reason.MISSING for number in range(ITEMS_A_LOOK + 5)})
    first = retry(world.context, "spring")
    assert (first.inspected, first.after) == (ITEMS_A_LOOK, f"{ITEMS_A_LOOK - 1:05}")
    assert retry(world.context, "spring", after=str(first.after)).inspected == 5
    assert set(states(world).values()) == {"waiting"}


def test_what_cannot_be_tried_again_says_why(world: World) -> None:
    """A name that is misspelt, a campaign that is over or cancelled; nothing is written then."""
    with pytest.raises(UnknownName, match="nobody"):
        retry(world.context, "nobody")
    rejected(world, a=Reason.MISSING)
    with pytest.raises(UnknownName, match="'b'"):
        retry(world.context, "spring", ["a", "b"])
    assert states(world) == {"a": "rejected"}
    world.clock.advance(timedelta(days=30))
    with pytest.raises(Misuse, match="is over"):
        retry(world.context, "spring")
    cancel(world.context, "spring")
    with pytest.raises(Misuse, match="was cancelled"):
        retry(world.context, "spring")
    assert states(world) == {"a": "rejected"}
