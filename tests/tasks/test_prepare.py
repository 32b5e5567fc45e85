"""Prepare writes a manifest in bulk and idempotently, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from greenroom.errors import ManifestError, Misuse, UnknownName
from greenroom.task_names import TaskName
from models import Campaign, Item
from models.cancellation import cancel_campaign
from tasks.prepare import prepare
from tests.support.rows import accepted_item, asset_row, item_rows
from tests.support.world import World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

ITEMS = [{"ref": f"file-{number}", "source": f"/media/{number}.jpg"} for number in range(3)]


def count(world: World, table: type[Item | Campaign]) -> int:
    """Rows in a table."""
    with world.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_same_campaign_twice_changes_nothing(world: World) -> None:
    """Rows, states and tokens stay as they were."""
    assert prepare(world.context, world.campaign(), ITEMS) == 3
    before = item_rows(world)
    assert prepare(world.context, world.campaign(), ITEMS) == 3
    assert item_rows(world) == before
    assert count(world, Campaign) == 1


def test_every_character_arrives_as_it_was(world: World) -> None:
    """Whatever way the rows take: what databases quote, what arrays are written with, and no kind at all."""
    texts = [
        'a "quoted" \\ name',
        "{braces, commas}",
        "NULL",
        "O'Brien %s %(x)s",
        "tab\there",
        "grüße \U0001f600",
    ]
    extras: list[dict[str, Any]] = [{}, {"kind": "image"}, {"fix": True}]
    items = [
        {"ref": text, "source": f"/media/{text}.jpg", **extra}
        for text, extra in zip(texts, extras * 2, strict=True)
    ]
    prepare(world.context, world.campaign(), items)
    written = {
        row.ref: (row.source, row.kind, row.fix, row.state, row.fixed, row.notices)
        for row in item_rows(world)
    }
    assert written == {
        item["ref"]: (item["source"], item.get("kind"), item.get("fix", False), "waiting", "[]", "[]")
        for item in items
    }


def test_new_and_known_items_in_one_message(world: World) -> None:
    """The new ones are written, one with another source is looked at anew, the others stay."""
    prepare(world.context, world.campaign(), ITEMS)
    before = {row.ref: row for row in item_rows(world)}
    more = [
        *ITEMS[:2],
        {"ref": "file-2", "source": "/media/other.jpg"},
        {"ref": "x", "source": "/media/x.jpg"},
    ]
    prepare(world.context, world.campaign(), more)
    after = {row.ref: row for row in item_rows(world)}
    assert [after[ref] for ref in ("file-0", "file-1")] == [before[ref] for ref in ("file-0", "file-1")]
    assert (after["file-2"].source, after["file-2"].token) == ("/media/other.jpg", before["file-2"].token + 1)
    assert after["x"].state == "waiting"


def test_an_inspection_is_asked_for_after_the_commit(world: World) -> None:
    """What was handed over is looked at without waiting for beat."""
    prepare(world.context, world.campaign(), ITEMS)
    assert [(message.name, message.args) for message in world.published] == [(TaskName.INSPECT, [[]])]


def test_what_was_rejected_is_inspected_again_when_it_is_handed_over_again(
    world: World, make_image: MakeImage
) -> None:
    """That is what the reasons tell people to do: put the file there, and hand the campaign over again."""
    path = make_image()
    away = path.rename(path.with_suffix(".away"))
    items = [{"ref": "hero", "source": str(path)}]
    prepare(world.context, world.campaign(), items)
    assert inspect_all(world)["rejected"] == 1
    assert inspect_all(world) == {"accepted": 0, "rejected": 0, "postponed": 0}
    away.rename(path)
    prepare(world.context, world.campaign(), items)
    assert (item_rows(world)[0].reason, item_rows(world)[0].detail) == (None, "")
    assert inspect_all(world)["accepted"] == 1


def test_what_was_given_up_is_uploaded_again_when_it_is_handed_over_again(
    world: World, make_image: MakeImage
) -> None:
    """An upload that the provider refused, say; other campaigns' failures are left alone."""
    first, second = make_image("a.jpg", 1), make_image("b.jpg", 2)
    for campaign, path in (("spring", first), ("summer", second)):
        prepare(world.context, world.campaign(campaign), [{"ref": "hero", "source": str(path)}])
    inspect_all(world)
    world.sandbox.faults(
        {"on": "upload", "times": 2, "answer": {"status": 400, "code": 135000, "message": "No"}}
    )
    assert upload_all(world)["failed"] == 2
    prepare(world.context, world.campaign(), [{"ref": "hero", "source": str(first)}])
    assert upload_all(world) == {"uploaded": 1, "postponed": 0, "failed": 0}
    assert sorted(asset_row(world, row.asset_id).state for row in item_rows(world)) == ["failed", "ready"]


def test_a_campaign_that_is_over_is_refused(world: World) -> None:
    """Nothing would ever be uploaded for it, and whoever waits for it would wait for ever."""
    now = world.clock.now().isoformat()
    with pytest.raises(Misuse, match="is over since"):
        prepare(world.context, {**world.campaign(), "send_at": now, "keep_until": now}, ITEMS)
    assert count(world, Campaign) == 0


def test_a_part_with_a_mistake_writes_nothing(world: World) -> None:
    """The error names the item; neither the campaign nor the other items are there."""
    with pytest.raises(ManifestError, match=r"item 2: source: must be an absolute path"):
        prepare(world.context, world.campaign(), [ITEMS[0], {"ref": "x", "source": "x.jpg"}])
    assert count(world, Item) == 0
    assert count(world, Campaign) == 0


def test_two_items_with_one_ref_are_refused(world: World) -> None:
    """A ref is what the scheduler asks by."""
    with pytest.raises(ManifestError, match="stands at 1 already"):
        prepare(world.context, world.campaign(), [ITEMS[0], ITEMS[0]])


def test_an_unknown_channel_is_refused(world: World) -> None:
    """The sentence says how to add it."""
    with pytest.raises(UnknownName, match="greenroom channel add 123"):
        prepare(world.context, world.campaign(channel_id="123"), ITEMS)


def test_the_nearest_known_channel_is_named(world: World) -> None:
    """A typo in a number is most often one digit."""
    world.add_channel("4915112345678", "a-key")
    with pytest.raises(UnknownName, match=r"4915112345687 is not known\. Is 4915112345678 meant\?"):
        prepare(world.context, world.campaign(channel_id="4915112345687"), ITEMS)
    with pytest.raises(UnknownName, match=r"not known\. Add it"):
        prepare(world.context, world.campaign(channel_id="acme"), ITEMS)


def test_one_number_written_in_two_ways_is_one_channel(world: World) -> None:
    """The campaign is the same one, with the same items."""
    world.add_channel("4915112345678", "a-key")
    prepare(world.context, world.campaign(channel_id="4915112345678"), ITEMS)
    before = item_rows(world)
    prepare(world.context, world.campaign(channel_id="+49 151 1234-5678"), ITEMS)
    assert item_rows(world) == before


def test_a_campaign_stays_on_its_channel(world: World) -> None:
    """Media IDs of one number are worth nothing on another."""
    world.add_channel("4930", "another-key")
    prepare(world.context, world.campaign(), ITEMS)
    with pytest.raises(Misuse, match="belongs to channel"):
        prepare(world.context, world.campaign(channel_id="4930"), ITEMS)


def test_a_late_message_does_not_revive_a_cancelled_campaign(world: World) -> None:
    """Messages may be delivered again after hours."""
    prepare(world.context, world.campaign(), ITEMS)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    with pytest.raises(Misuse, match="was cancelled"):
        prepare(world.context, world.campaign(), ITEMS)


def test_a_changed_source_is_inspected_anew(world: World) -> None:
    """And whoever still inspects the old one can write nothing."""
    prepare(world.context, world.campaign(), ITEMS)
    token = item_rows(world)[0].token
    prepare(world.context, world.campaign(), [{"ref": "file-0", "source": "/media/other.jpg"}])
    row = item_rows(world)[0]
    assert (row.source, row.state, row.token) == ("/media/other.jpg", "waiting", token + 1)


def test_moving_a_campaign_moves_its_items_and_uploads(world: World) -> None:
    """So that the order of work follows at once."""
    asset_id = accepted_item(world, "a", campaign="spring")
    plan = world.campaign()
    moved = {**plan, "send_at": (world.clock.now() + timedelta(minutes=5)).isoformat()}
    prepare(world.context, moved, [])
    assert asset_row(world, asset_id).due_at == world.clock.now() + timedelta(minutes=5)
    assert item_rows(world)[0].due_at == world.clock.now() + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"send_at": "2026-06-01T12:00:00"}, "timezone"),
        ({"id": "spring sale"}, "letters, digits"),
        ({"keep_until": "2020-01-01T00:00:00+00:00"}, "before it is sent"),
        ({"unknown": 1}, "unknown is not known"),
    ],
)
def test_a_plan_with_a_mistake_is_refused(world: World, change: dict[str, object], complaint: str) -> None:
    """Naive times, names that need quoting, dates in the wrong order, and fields that nobody knows."""
    with pytest.raises(Misuse, match=complaint):
        prepare(world.context, {**world.campaign(), **change}, ITEMS)
