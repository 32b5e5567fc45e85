"""All text that others wrote is taken by the database: it passes one cleaner on its way in."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from greenroom.task_names import TaskName
from greenroom.untrusted_text import LONGEST_SENTENCE, is_storable, one_line, storable
from models import Asset, Item
from models.bulk import among, update_rows
from models.media_reports import live_media_ids
from tasks.runtime.announcements import Message
from tests.support.rows import accepted_item, asset_row, item_rows, ready_item
from tests.support.world import World

NUL = "a\0b"
SURROGATE = "a\udcffb"
CLEAN = "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Gr\u00fc\u00dfe \N{PARTY POPPER}", "Gr\u00fc\u00dfe \N{PARTY POPPER}"),
        (NUL, CLEAN),
        (SURROGATE, CLEAN),
        ("\ud800\udc00", "\N{REPLACEMENT CHARACTER}" * 2),
        ("line\nbreak\x1b[31m", "line\nbreak\x1b[31m"),
    ],
)
def test_what_a_database_refuses_is_replaced(text: str, clean: str) -> None:
    """And nothing else is."""
    assert storable(text) == clean
    assert is_storable(text) == (text == clean)


def test_long_text_is_cut_where_it_is_to_be() -> None:
    """With a mark that says so."""
    assert storable("x" * 11, longest=10) == "x" * 9 + "…"
    assert storable("x" * 10, longest=10) == "x" * 10


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("spring sale.jpg", "spring sale.jpg"),
        ("two\r\nlines\tand\u2028three", "two lines and three"),
        ("\x1b[2Jgone", "\N{REPLACEMENT CHARACTER}[2Jgone"),
        ("\u202egpj.exe", "\N{REPLACEMENT CHARACTER}gpj.exe"),
        (SURROGATE, CLEAN),
        ("x" * 300, "x" * 199 + "…"),
        (" " * 9_000 + "x", "…"),
    ],
)
def test_a_line_stays_one_line(text: str, line: str) -> None:
    """Whatever a file is called."""
    assert one_line(text) == line
    assert Message(name=TaskName.UPLOAD, args=[], summary=text).summary == line


@pytest.mark.parametrize("bad", [NUL, SURROGATE])
def test_rows_and_conditions_take_any_text(world: World, bad: str) -> None:
    """One at a time and many at a time, where it is written and where it is looked for."""
    asset_id = accepted_item(world, "a")
    with world.database.write() as connection:
        connection.execute(Asset.__table__.update().values(detail=bad, file_name=bad))  # type: ignore[attr-defined] # declarative tables are Table objects
        update_rows(connection, Item, [{"id": 1, "label": bad, "detail": bad + "x" * LONGEST_SENTENCE}])
        assert connection.execute(select(Item.id).where(among(Item.ref, [bad]))).all() == []
        assert connection.execute(select(Item.id).where(Item.ref == bad)).all() == []
    assert (asset_row(world, asset_id).detail, asset_row(world, asset_id).file_name) == (CLEAN, CLEAN)
    (item,) = item_rows(world)
    assert item.label == CLEAN
    assert item.detail == CLEAN + "x" * (LONGEST_SENTENCE - 4) + "…"


@pytest.mark.parametrize("bad", [NUL, SURROGATE])
def test_a_name_that_cannot_be_is_found_nowhere(world: World, bad: str) -> None:
    """And costs the others of the same question nothing."""
    ready_item(world, "a", media_id="m1")
    with world.database.read() as connection:
        found = live_media_ids(connection, "spring", refs=["a", bad], now=world.clock.now())
        assert found == {"a": "m1"}
        assert live_media_ids(connection, bad, refs=None, now=world.clock.now()) == {}
