"""A whole manifest takes the place of what the campaign had: added, changed, removed, and the rest stays."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from greenroom.answers import PartTaken
from greenroom.errors import ManifestError, Misuse, SubmissionSuperseded, UnknownName
from models import Item
from tasks import submit as submitting
from tasks.compare import compare
from tasks.move import cancel
from tasks.prepare import prepare
from tasks.submit import begin_submission, end_submission, submit
from tests.support.rows import item_rows, media_rows, ready_item
from tests.support.world import World


def items(*refs: str, folder: str = "/media") -> list[dict[str, Any]]:
    """A manifest's lines."""
    return [{"ref": ref, "source": f"{folder}/{ref}.jpg"} for ref in refs]


def submitted(world: World, *parts: list[dict[str, Any]], key: str) -> tuple[int, int, int, int]:
    """Submit a whole manifest; returns how many were added, changed, unchanged and removed."""
    number = begin_submission(world.context, world.campaign(), key)
    taken = [submit(world.context, world.campaign(), part, number) for part in parts]
    removed = 0
    after: str | None = ""
    while after is not None:
        page = end_submission(world.context, "spring", number, after)
        removed, after = removed + page.removed, page.after
    return (
        sum(part.added for part in taken),
        sum(part.changed for part in taken),
        sum(part.unchanged for part in taken),
        removed,
    )


def refs(world: World) -> list[str]:
    """The campaign's items."""
    return [row.ref for row in item_rows(world)]


def test_a_manifest_takes_the_place_of_the_one_before(world: World) -> None:
    """In parts; the same again changes nothing."""
    assert submitted(world, items("a", "b"), items("c"), key="1") == (3, 0, 0, 0)
    assert submitted(world, items("a", "b"), items("c"), key="2") == (0, 0, 3, 0)
    before = {row.ref: row for row in item_rows(world)}
    assert submitted(world, items("b"), items("c", folder="/new"), items("d"), key="3") == (1, 1, 1, 1)
    after = {row.ref: row for row in item_rows(world)}
    assert sorted(after) == ["b", "c", "d"]
    assert (after["b"].token, after["b"].state) == (before["b"].token, before["b"].state)
    assert (after["c"].source, after["c"].token) == ("/new/c.jpg", before["c"].token + 1)
    assert submitted(world, key="4") == (0, 0, 0, 3)
    assert not refs(world)


def test_what_a_manifest_would_change_is_said_before(world: World) -> None:
    """The same counts as of the submission, and nothing is written."""
    submitted(world, items("a", "b"), items("c"), key="1")
    before = item_rows(world)
    compared = [compare(world.context, "spring", part) for part in (items("b", "d"), items("c", folder="/x"))]
    assert compared == [
        PartTaken(added=1, changed=0, unchanged=1),
        PartTaken(added=0, changed=1, unchanged=0),
    ]
    assert item_rows(world) == before
    with pytest.raises(UnknownName):
        compare(world.context, "nobody", items("a"))
    with pytest.raises(ManifestError):
        compare(world.context, "spring", [{"ref": "a"}])


def test_what_does_not_stand_is_compared_line_by_line(world: World) -> None:
    """A rejected file is unchanged, as it is to the submission, whatever else its part has."""
    submitted(world, items("a", "b", "c"), key="1")
    with world.database.write() as connection:
        connection.execute(update(Item).where(Item.ref == "a").values(state="rejected", reason="broken"))
    part = [*items("a", "b", "new"), *items("c", folder="/x")]
    expected = PartTaken(added=1, changed=1, unchanged=2)
    assert compare(world.context, "spring", part) == expected
    assert submitted(world, part, key="2") == (1, 1, 2, 0)


def test_a_rejected_item_is_unchanged_and_looked_at_once_more(world: World) -> None:
    """Somebody may have put the file right."""
    submitted(world, items("a"), key="1")
    with world.database.write() as connection:
        connection.execute(update(Item).values(state="rejected", reason="missing"))
    assert submitted(world, items("a"), key="2") == (0, 0, 1, 0)
    assert [row.state for row in item_rows(world)] == ["waiting"]


def test_what_a_removed_item_alone_needed_is_looked_at_again(world: World) -> None:
    """Its media ID goes, unless somebody else needs it; that of an item that stays does not."""
    for ref in ("a", "b"):
        ready_item(world, ref, media_id=f"id-{ref}")
    assert submitted(world, items("a"), key="1") == (0, 0, 1, 1)
    found = {row.media_id: row.retire_at for row in media_rows(world)}
    assert found["id-b"] == world.clock.now()


def test_what_breaks_off_removes_nothing_and_is_done_again(world: World) -> None:
    """The scheduler died after some parts; or a message came twice, or the beginning did."""
    submitted(world, items("a", "b", "c"), key="1")
    number = begin_submission(world.context, world.campaign(), "2")
    assert begin_submission(world.context, world.campaign(), "2") == number
    part = items("a", "d")
    assert submit(world.context, world.campaign(), part, number) == PartTaken(added=1, changed=0, unchanged=1)
    assert submit(world.context, world.campaign(), part, number) == PartTaken(added=0, changed=0, unchanged=2)
    assert refs(world) == ["a", "b", "c", "d"]
    assert submitted(world, items("a", "d"), key="3") == (0, 0, 2, 2)
    # The end comes once more, after something was added.
    prepare(world.context, world.campaign(), items("later"))
    assert end_submission(world.context, "spring", number + 1).removed == 0
    assert refs(world) == ["a", "d", "later"]


def test_the_latest_submission_counts(world: World) -> None:
    """Whatever is left of an earlier one on its way is refused, and removes nothing."""
    first = begin_submission(world.context, world.campaign(), "1")
    second = begin_submission(world.context, world.campaign(), "2")
    submit(world.context, world.campaign(), items("a"), second)
    for late in (
        lambda: submit(world.context, world.campaign(), items("b"), first),
        lambda: submit(world.context, world.campaign(), items("a"), first),
        lambda: end_submission(world.context, "spring", first),
    ):
        with pytest.raises(SubmissionSuperseded, match="spring"):
            late()
    assert refs(world) == ["a"]
    assert end_submission(world.context, "spring", second).removed == 0


def test_one_ref_with_two_files_is_refused(world: World) -> None:
    """Also in two parts; which of them was meant, nobody could know."""
    number = begin_submission(world.context, world.campaign(), "1")
    submit(world.context, world.campaign(), items("a", "b"), number)
    with pytest.raises(ManifestError, match="'a' stands twice"):
        submit(world.context, world.campaign(), items("a", folder="/other"), number)
    assert {row.source for row in item_rows(world)} == {"/media/a.jpg", "/media/b.jpg"}


def test_a_campaign_that_is_cancelled_or_unknown_is_refused(world: World) -> None:
    """At the beginning, and in the middle."""
    with pytest.raises(UnknownName, match="not known"):
        begin_submission(world.context, world.campaign(channel_id="4930"), "1")
    number = begin_submission(world.context, world.campaign(), "1")
    cancel(world.context, "spring")
    with pytest.raises(Misuse, match="cancelled"):
        submit(world.context, world.campaign(), items("a"), number)
    with pytest.raises(Misuse, match="cancelled"):
        begin_submission(world.context, world.campaign(), "2")
    with pytest.raises(UnknownName):
        end_submission(world.context, "nobody", 1)


def test_removing_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some in a transaction, some transactions in a message; and each answer says where the next begin."""
    monkeypatch.setattr(submitting, "REMOVED_AT_ONCE", 2)
    monkeypatch.setattr(submitting, "REMOVED_A_MESSAGE", 4)
    many = ["Zebra", "apple", "Ärger", "b-1", "b_2", "B 3", "z", "ü", "0", "~", "keep"]
    submitted(world, items(*many), key="1")
    number = begin_submission(world.context, world.campaign(), "2")
    submit(world.context, world.campaign(), items("keep"), number)
    page = end_submission(world.context, "spring", number)
    assert page.removed == 4
    assert page.after is not None
    assert submitted(world, items("keep"), key="2") == (0, 0, 1, 6)
    assert refs(world) == ["keep"]
