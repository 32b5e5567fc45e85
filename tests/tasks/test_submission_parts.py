"""A manifest that is submitted again: what stands costs a look, and every promise holds all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text, update

from greenroom.answers import PartTaken
from greenroom.chunks import chunks
from greenroom.errors import ManifestError, SubmissionSuperseded
from models import Asset, Campaign, Item, SubmissionPart
from models.campaign import hold_campaign
from models.prune import prune_campaigns
from models.submissions import PARTS_ARE_NOTED, OtherItems, others_of
from tasks import submit as submitting
from tasks.compare import compare
from tasks.prepare import prepare
from tasks.submit import begin_submission, end_submission, submit
from tests.support.rows import item_rows, ready_item
from tests.support.world import World
from tests.tasks.test_chunks import PATIENCE, on_postgresql, waiting
from tests.tasks.test_submit import items, refs, submitted

LETTERS = "abcdefgh"


def begin(world: World, key: str) -> int:
    """Begin a submission."""
    return begin_submission(world.context, world.campaign(), key)


def take(world: World, number: int, *lines: str, folder: str = "/media") -> PartTaken:
    """Take over a part of it."""
    return submit(world.context, world.campaign(), items(*lines, folder=folder), number)


def noted(world: World) -> list[list[int]]:
    """What is noted of parts: items' IDs."""
    with world.database.read() as connection:
        found = connection.execute(select(SubmissionPart.item_ids).order_by(SubmissionPart.id)).scalars()
        return [sorted(ids) for ids in found]


class Written:
    """Statements that wrote items, or locked rows of them."""

    def __init__(self, world: World) -> None:
        self.statements: list[str] = []
        event.listen(world.database.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = " ".join(statement.split())
        if words.startswith(("INSERT INTO items", "UPDATE items", "DELETE FROM items")) or "FOR " in words:
            self.statements.append(words)


def test_what_stands_is_neither_written_nor_locked(world: World) -> None:
    """The same again writes one row for each part; one more line writes that line."""
    submitted(world, items("a", "b"), items("c", "d"), key="1")
    assert noted(world) == []
    before = item_rows(world)
    number, written = begin(world, "2"), Written(world)
    world.published.clear()
    assert take(world, number, "a", "b") == PartTaken(added=0, changed=0, unchanged=2)
    assert take(world, number, "d", "c") == PartTaken(added=0, changed=0, unchanged=2)
    assert end_submission(world.context, "spring", number).removed == 0
    assert written.statements == []
    assert world.published == []
    assert item_rows(world) == before
    ids = {row.ref: row.id for row in before}
    assert noted(world) == [[ids["a"], ids["b"]], [ids["c"], ids["d"]]]
    assert take(world, number, "a", "e") == PartTaken(added=1, changed=0, unchanged=1)
    assert [words.split("(")[0] for words in written.statements] == ["INSERT INTO items "]


def test_a_changed_line_costs_no_other_one_anything(world: World) -> None:
    """A new file, a new line, one that is gone, and what stays: all in one part."""
    submitted(world, items("a", "b", "c", "gone"), key="1")
    before = {row.ref: row for row in item_rows(world)}
    number = begin(world, "2")
    part = [*items("a", "b"), *items("c", folder="/new"), *items("d")]
    assert submit(world.context, world.campaign(), part, number) == PartTaken(added=1, changed=1, unchanged=2)
    assert end_submission(world.context, "spring", number).removed == 1
    after = {row.ref: row for row in item_rows(world)}
    assert [after[ref] for ref in "ab"] == [before[ref] for ref in "ab"]
    assert (after["c"].source, after["c"].state) == ("/new/c.jpg", "waiting")
    assert sorted(after) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_come_in_any_order_and_twice(world: World, order: tuple[int, ...]) -> None:
    """What the manifest no longer has is removed, and nothing else, whichever came first."""
    submitted(world, items(*LETTERS), key="1")
    parts = [items("a", "b"), items("c", "new"), items("d", folder="/new")]
    number = begin(world, "2")
    for place in (*order, *order):
        submit(world.context, world.campaign(), parts[place], number)
    assert end_submission(world.context, "spring", number).removed == 4
    assert refs(world) == ["a", "b", "c", "d", "new"]
    # The end comes twice, too.
    assert end_submission(world.context, "spring", number).removed == 0
    assert refs(world) == ["a", "b", "c", "d", "new"]


def test_any_manifest_after_any_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of chance, some twice, some of submissions that break off: it ends as the last manifest."""
    monkeypatch.setattr(submitting, "REMOVED_AT_ONCE", 2)
    monkeypatch.setattr(submitting, "REMOVED_A_MESSAGE", 3)
    chance = random.Random(18)
    for round_ in range(12):
        manifest = {ref: chance.choice(("/media", "/new")) for ref in LETTERS if chance.random() < 0.7}
        lines = [line for ref, folder in manifest.items() for line in items(ref, folder=folder)]
        chance.shuffle(lines)
        parts = [lines[place : place + 3] for place in range(0, len(lines), 3)]
        for part in chance.sample(parts, k=len(parts) // 2):
            submit(world.context, world.campaign(), part, begin(world, f"broken-{round_}"))
        submitted(world, *parts, *chance.sample(parts, k=len(parts) // 2), key=f"whole-{round_}")
        found = {row.ref: row.source for row in item_rows(world)}
        assert found == {line["ref"]: line["source"] for line in lines}


def test_a_part_that_comes_while_others_are_removed_keeps_what_it_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender did not wait for it; the rest of what was found goes all the same."""
    submitted(world, items("a", "b", "late"), key="1")
    number = begin(world, "2")
    take(world, number, "a")

    def found(*args: Any, **named: Any) -> OtherItems:
        others = others_of(*args, **named)
        # Committed by the time that the campaign is held.
        monkeypatch.setattr(submitting, "chunks", late)
        return others

    def late(refs: list[str], size: int) -> Iterator[list[str]]:
        take(world, number, "late")
        return chunks(refs, size)

    monkeypatch.setattr(submitting, "others_of", found)
    assert end_submission(world.context, "spring", number).removed == 1
    assert refs(world) == ["a", "late"]


def test_a_submission_that_breaks_off_takes_nothing_with_it(world: World) -> None:
    """What it noted is forgotten by the next one, which has to find it again."""
    submitted(world, items("a", "b"), key="1")
    first = begin(world, "2")
    take(world, first, "a", "b")
    second = begin(world, "3")
    assert noted(world) == []
    with pytest.raises(SubmissionSuperseded):
        take(world, first, "a")
    take(world, second, "b")
    assert end_submission(world.context, "spring", second).removed == 1
    assert refs(world) == ["b"]


def test_what_was_rejected_or_given_up_is_tried_again(world: World) -> None:
    """Beside what stands, of which nothing is written."""
    assets = {ref: ready_item(world, ref, media_id=f"id-{ref}") for ref in "abc"}
    with world.database.write() as connection:
        connection.execute(update(Item).where(Item.ref == "a").values(state="rejected", reason="missing"))
        connection.execute(update(Asset).where(Asset.id == assets["b"]).values(state="failed"))
    assert submitted(world, items("a", "b", "c"), key="1") == (0, 0, 3, 0)
    assert {row.ref: row.state for row in item_rows(world)} == {
        "a": "waiting",
        "b": "accepted",
        "c": "accepted",
    }
    with world.database.read() as connection:
        states = dict(connection.execute(select(Asset.id, Asset.state)).all())
    assert (states[assets["b"]], states[assets["c"]]) == ("waiting", "ready")


def test_before_uploads_begin_nobody_waits_for_them(world: World) -> None:
    """An accepted file without an upload stands, as long as its campaign uploads later."""
    ready_item(world, "a", media_id="id-a")
    submitted(world, items("a"), key="1")
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(upload_from=Campaign.send_at))
        connection.execute(update(Asset).values(state="idle"))
    plan = world.campaign()
    plan["upload_from"] = plan["send_at"]
    number = begin_submission(world.context, plan, "2")
    written = Written(world)
    submit(world.context, plan, items("a"), number)
    assert written.statements == []


@pytest.mark.parametrize("first", ["as it was", "another"])
def test_one_ref_with_two_files_is_refused_also_where_one_stands(world: World, first: str) -> None:
    """Whichever comes first, in a message of its own; the other one's file is not taken."""
    submitted(world, items("a", "b"), key="1")
    number = begin(world, "2")
    folders = ["/media", "/other"] if first == "as it was" else ["/other", "/media"]
    take(world, number, "a", "b", folder=folders[0])
    with pytest.raises(ManifestError, match="'a' stands twice"):
        take(world, number, "a", folder=folders[1])
    assert {row.source for row in item_rows(world)} == {f"{folders[0]}/{ref}.jpg" for ref in "ab"}


def test_items_that_are_added_meanwhile_stay(world: World) -> None:
    """By who hands over no whole manifest, in the middle of a submission and after it."""
    submitted(world, items("a", "b"), key="1")
    number = begin(world, "2")
    take(world, number, "a")
    prepare(world.context, world.campaign(), items("c"))
    assert end_submission(world.context, "spring", number).removed == 1
    prepare(world.context, world.campaign(), items("d"))
    assert end_submission(world.context, "spring", number).removed == 0
    assert refs(world) == ["a", "c", "d"]


def test_the_same_handed_over_again_is_only_looked_at(world: World) -> None:
    """Of items that are only added, too; and nothing is noted of them."""
    prepare(world.context, world.campaign(), items("a", "b"))
    written = Written(world)
    prepare(world.context, world.campaign(), items("a", "b"))
    assert written.statements == []
    assert noted(world) == []


def test_each_line_is_looked_up_by_its_ref(world: World) -> None:
    """On SQLite, too, which would otherwise go through all lines for each item that the campaign has."""
    if world.database.engine.dialect.name == "postgresql":
        pytest.skip("it says LATERAL there, and has no other way")
    submitted(world, items(*LETTERS), key="1")
    plans: list[list[str]] = []

    def look(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT count(*) FILTER"):
            asked = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append([row.detail for row in asked if row.parent == 0 and "SUBQUERY" not in row.detail])

    event.listen(world.database.engine, "before_cursor_execute", look)
    submitted(world, items(*LETTERS), key="2")
    compare(world.context, "spring", items(*LETTERS))
    assert len(plans) == 2
    for lines, found in plans:
        assert "VIRTUAL TABLE" in lines
        assert "(campaign_id=? AND ref=?)" in found


def test_workers_of_the_version_before_refuse_what_they_would_remove(world: World) -> None:
    """They know the campaign's number and each item's; a first submission has nothing else."""
    first = begin(world, "1")
    take(world, first, "a", "b")
    numbers = select(Campaign.submission, Item.submission).join(Item, Item.campaign_id == Campaign.id)
    with world.database.read() as connection:
        assert set(connection.execute(numbers).all()) == {(first, first)}
    second = begin(world, "2")
    with world.database.read() as connection:
        assert second != connection.execute(select(Campaign.submission)).scalar_one()
    assert second == begin(world, "2") == first + 1 + PARTS_ARE_NOTED


def test_what_a_worker_of_the_version_before_began_is_marked_as_it_knows(world: World) -> None:
    """In each item: that worker may be the one who ends it."""
    submitted(world, items("a", "b", "c"), key="1")
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(submission=2, submission_key="theirs"))
    assert take(world, 2, "a", "b") == PartTaken(added=0, changed=0, unchanged=2)
    assert noted(world) == []
    with world.database.read() as connection:
        marked = select(Item.ref).where(Item.submission == 2).order_by(Item.ref)
        assert list(connection.execute(marked).scalars()) == ["a", "b"]
    written = Written(world)
    assert take(world, 2, "a", "b") == PartTaken(added=0, changed=0, unchanged=2)
    assert written.statements == []
    assert end_submission(world.context, "spring", 2).removed == 1
    assert refs(world) == ["a", "b"]


@pytest.mark.parametrize("by", ["us", "a worker of before"])
def test_what_was_noted_goes_with_its_campaign(world: World, by: str) -> None:
    """Those workers prune campaigns, too, and know nothing of parts."""
    submitted(world, items("a"), key="1")
    submitted(world, items("a"), key="2")
    assert len(noted(world)) == 1
    world.clock.advance(timedelta(days=30))
    with world.database.write() as connection:
        if by == "us":
            prune_campaigns(connection, before=world.clock.now(), limit=10)
        else:
            for table in ("items", "campaigns"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
    assert noted(world) == []


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """For what is done meanwhile."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@on_postgresql
def test_parts_that_stand_wait_for_no_other(world: World, threads: ThreadPoolExecutor) -> None:
    """One of them is in hand; another one comes through beside it, and one with a new file waits for both."""
    submitted(world, items(*LETTERS), key="1")
    number = begin(world, "2")
    with world.database.write() as connection:
        hold_campaign(connection, "spring", shared=True)
        beside = threads.submit(take, world, number, "a", "b")
        assert beside.result(PATIENCE) == PartTaken(added=0, changed=0, unchanged=2)
        changed = threads.submit(take, world, number, "c", folder="/new")
        assert waiting(world, changed)
    assert changed.result(PATIENCE) == PartTaken(added=0, changed=1, unchanged=0)


@on_postgresql
def test_one_ref_with_two_files_at_the_same_moment(world: World, threads: ThreadPoolExecutor) -> None:
    """One of the two is refused, whoever was first, and the item has the other one's file."""
    submitted(world, items("a", "b"), key="1")
    number = begin(world, "2")
    with world.database.write() as connection:
        hold_campaign(connection, "spring", shared=False)
        both: list[Future[PartTaken]] = [
            threads.submit(take, world, number, "a", folder=folder) for folder in ("/media", "/other")
        ]
        assert waiting(world, *both)
    refused = [work.exception(PATIENCE) for work in both]
    assert [type(error) for error in refused if error] == [ManifestError]
    kept = "/media" if refused[1] else "/other"
    assert {row.source for row in item_rows(world) if row.ref == "a"} == {f"{kept}/a.jpg"}
