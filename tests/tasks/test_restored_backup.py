"""A backup of an hour ago is put back: no send-out is lost, whatever came after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from cli.media_recheck import prove_media
from models.cancellation import cancel_campaign
from tasks.mark_used import mark_dead
from tasks.prepare import prepare
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.verify import verify
from tests.support.backup import dump, restore
from tests.support.rows import media_rows
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

HOUR = timedelta(hours=1)
Items = list[dict[str, str]]


def hand_over(world: World, campaign_id: str, items: Items) -> None:
    """Hand a campaign over, and get it ready."""
    prepare(world.context, world.campaign(campaign_id, days=20), items)
    inspect_all(world)
    upload_all(world)


def ticks(world: World) -> None:
    """Whatever beat asks for, until nothing of it has anything to do."""
    for _ in range(3):
        refresh(world.context)
        verify(world.context, CHANNEL)
        retire(world.context)
        upload_all(world)


def prove(world: World, *, renew: bool = False) -> tuple[int, int]:
    """As `greenroom media recheck` does: how many are needed, and how many are not."""
    rules_of = world.context.settings.life_rules
    return prove_media(world.database, [CHANNEL], rules_of=rules_of, clock=world.clock, renew=renew)


def sent_with(world: World, campaign_id: str, items: Items) -> Mapping[str, str]:
    """The media IDs that a scheduler gets for all of a campaign's refs."""
    return resolve(world.context, campaign_id, [item["ref"] for item in items])


@pytest.fixture
def items(make_image: MakeImage) -> Items:
    """Eight files."""
    return [
        {"ref": f"{number}.jpg", "source": str(make_image(f"{number}.jpg", number))} for number in range(8)
    ]


@pytest.mark.parametrize("renew", [False, True], ids=["looked up", "renewed"])
def test_every_id_that_a_restored_database_hands_out_is_there(
    world: World,
    database_url: str,
    items: Items,
    tmp_path: Path,
    *,
    renew: bool,
) -> None:
    """Since the dump an ID died and was replaced, a campaign was cancelled, and another one came."""
    spring, summer, late = items[:4], items[4:6], [*items[5:], items[0]]
    hand_over(world, "spring", spring)
    hand_over(world, "summer", summer)
    backup = tmp_path / "backup"
    dump(database_url, backup)
    # What nobody will remember: an ID that a sender found dead, a campaign that ended, one that came.
    world.clock.advance(HOUR)
    dead = sent_with(world, "spring", spring)["1.jpg"]
    world.sandbox.faults({"forget_media": [dead]})
    mark_dead(world.context, [[CHANNEL, dead, world.clock.now().isoformat()]])
    with world.database.write() as connection:
        cancel_campaign(connection, "summer", now=world.clock.now())
    ticks(world)
    hand_over(world, "late", late)
    world.database.close()
    restore(database_url, backup)
    # The dump believes in IDs that are gone.
    gone = {row.media_id for row in media_rows(world)} - set(world.sandbox.live_media_ids(CANARY_KEY))
    assert len(gone) == 3
    # As docs/how-to/backup.md says: recheck, let the workers run, hand over again what came since.
    assert prove(world, renew=renew) == (6, 0)
    ticks(world)
    hand_over(world, "late", late)
    there = set(world.sandbox.live_media_ids(CANARY_KEY))
    for campaign_id, its_items in (("spring", spring), ("summer", summer), ("late", late)):
        found = sent_with(world, campaign_id, its_items)
        assert len(found) == len(its_items)
        assert set(found.values()) <= there
    assert (world.sandbox.stats()[CANARY_KEY]["lookups"] == 0) is renew


def test_what_nothing_needs_is_out_of_service_before_anybody_can_share_it(world: World, items: Items) -> None:
    """A look-up is spared, and a campaign that comes later finds no ID that may be dead."""
    hand_over(world, "spring", items)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert prove(world) == (0, 8)
    refresh(world.context)
    assert not any(row.is_current for row in media_rows(world))


def test_look_ups_continue_at_once_where_more_are_due(
    world: World, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands are proved within minutes, and not a hundred at each tick of beat."""
    monkeypatch.setattr("tasks.verify.VERIFY_CHUNK", 5)
    hand_over(world, "spring", items)
    prove(world)
    for alive, asked in ((5, 1), (3, 0)):
        world.published.clear()
        assert verify(world.context, CHANNEL) == {"alive": alive, "dead": 0}
        assert len(world.published) == asked
