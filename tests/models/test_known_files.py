"""Whether files came before: what a run of the same folder goes by, to do without a stack."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from models import Item, Media
from models.known_files import live_contents, nothing_waits, rejected_sources
from tests.support.rows import accepted_item, ready_item, sha256
from tests.support.world import CHANNEL, World


def live(world: World, *contents: str, channel: str = CHANNEL) -> set[str]:
    """Those that are known, by their names here."""
    names = {sha256(content): content for content in contents}
    with world.database.read() as connection:
        found = live_contents(connection, channel, names, now=world.clock.now())
    return {names[one] for one in found}


def test_a_content_is_known_where_its_media_id_lives_and_is_not_to_be_renewed(world: World) -> None:
    """On its own channel; what ended, was deleted, or is due to be renewed, is none."""
    for number, name in enumerate(("good", "ended", "deleted", "due")):
        ready_item(world, name, media_id=str(number))
    now = world.clock.now()
    changes = {
        "ended": {"expires_at": now},
        "deleted": {"deleted_at": now},
        "due": {"refresh_at": now - timedelta(seconds=1)},
    }
    with world.database.write() as connection:
        for name, values in changes.items():
            connection.execute(update(Media).where(Media.sha256 == sha256(name)).values(**values))
    assert live(world, "good", "ended", "deleted", "due", "unheard of") == {"good"}
    assert live(world, "good", channel="4915100000000") == set()


def test_an_upload_or_a_look_that_is_to_come_is_something_that_waits(world: World) -> None:
    """Then a stack is needed, whoever's file it is."""

    def waits() -> bool:
        with world.database.read() as connection:
            return not nothing_waits(connection)

    ready_item(world, "good", media_id="1")
    assert not waits()
    with world.database.write() as connection:
        connection.execute(update(Item).values(state="inspecting"))
    assert waits()
    with world.database.write() as connection:
        connection.execute(update(Item).values(state="accepted"))
    accepted_item(world, "new")
    assert waits()


def test_a_source_that_was_rejected_is_known(world: World) -> None:
    """By its name alone: its file has no content that anything was uploaded of."""
    accepted_item(world, "good")
    accepted_item(world, "bad")
    with world.database.write() as connection:
        connection.execute(update(Item).where(Item.ref == "bad").values(state="rejected"))
        assert rejected_sources(connection, ["/media/good.jpg", "/media/bad.jpg"]) == {"/media/bad.jpg"}
