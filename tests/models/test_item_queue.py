"""What is left in an item's row by each of those who let it wait for inspection again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom.errors import SourceRefused
from greenroom.manifest import ManifestItem
from greenroom.reasons import Reason
from greenroom.rules import Category
from greenroom.verdict import Notice, Verdict
from models.campaign import save_campaign
from models.claim import Claim
from models.item_claims import claim_items, inspect_again, postpone_item, sweep_items, take_items
from models.manifest_items import reject_items, save_items
from models.verdict_records import Judged, record_verdicts
from models.wanted_assets import want_assets
from tests.support.rows import item_rows, new_asset, sha256
from tests.support.world import CHANNEL, World

LEASE = timedelta(seconds=60)
LATER = timedelta(minutes=5)
MANIFEST = ("id", "campaign_id", "ref", "source", "kind", "fix", "due_at")
#: Nothing is known of the file, and nobody has it.
UNSEEN = {
    "submission": 0,
    "state": "waiting",
    "lease_until": None,
    "worker": None,
    "not_before": None,
    "attempts": 0,
    "asset_id": None,
    "label": "",
    "category": None,
    "mime_type": None,
    "size": None,
    "sha256": None,
    "reason": None,
    "detail": "",
    "original_sha256": None,
    "fixed": "[]",
    "notices": "[]",
}
SILENT = "The worker that was looking at this file went silent."


def hand_over(world: World, source: str = "/media/a.jpg") -> None:
    """One item, as `prepare` writes it."""
    now = world.clock.now()
    send_at, keep_until = now + timedelta(hours=9), now + timedelta(days=9)
    with world.database.write() as connection:
        save_campaign(
            connection,
            campaign_id="spring",
            channel_id=CHANNEL,
            now=now,
            send_at=send_at,
            keep_until=keep_until,
        )
        items = [ManifestItem(ref="a", source=source)]
        save_items(connection, campaign_id="spring", due_at=send_at, items=items)


def claim(world: World) -> Claim:
    """Claim the item as the dispatcher does."""
    with world.database.write() as connection:
        (one,) = claim_items(connection, limit=1, now=world.clock.now(), lease=LEASE)
    return one.claim


def take(world: World) -> Claim:
    """Begin to inspect it."""
    mine = claim(world)
    with world.database.write() as connection:
        (item,) = take_items(connection, [mine], now=world.clock.now(), lease=LEASE, worker="one")
    return item.claim


def judge(world: World, mine: Claim, reason: Reason | None = None) -> bool:
    """Write a verdict with all that one may have; returns whether it was written."""
    verdict = Verdict(
        label="JPEG image",
        size=1000,
        sha256=sha256("a"),
        category=Category.IMAGE,
        mime_type="image/jpeg",
        reason=reason,
        detail="It is too large." if reason else "",
        notices=(Notice(code="old_version", detail="It is old."),),
    )
    with world.database.write() as connection:
        asset_id = None if reason else next(iter(want_assets(connection, [new_asset(world, "a")]).values()))
        judged = Judged(
            claim=mine, verdict=verdict, asset_id=asset_id, original_sha256=sha256("b"), fixed=("Turned.",)
        )
        return record_verdicts(connection, [judged]) == {mine.id}


def postpone(world: World, mine: Claim, *, counts: bool = True) -> None:
    """Give it back: its source is away."""
    with world.database.write() as connection:
        until = world.clock.now() + LATER
        postpone_item(connection, mine, until=until, detail="It is away.", counts=counts)


def sweep(world: World, *, max_attempts: int = 5) -> None:
    """Put back what has lapsed."""
    world.clock.advance(LEASE)
    with world.database.write() as connection:
        assert sweep_items(connection, now=world.clock.now(), max_attempts=max_attempts, limit=9) == 1


def changed_under_upload(world: World, *, max_attempts: int) -> None:
    """Its source holds other bytes than were inspected."""
    (row,) = item_rows(world)
    with world.database.write() as connection:
        until = world.clock.now() + LATER
        inspect_again(connection, asset_id=row.asset_id, until=until, max_attempts=max_attempts)


def left(world: World) -> dict[str, Any]:
    """All that is in its row besides the manifest's own."""
    (row,) = item_rows(world)
    return {name: value for name, value in row._mapping.items() if name not in MANIFEST}


@pytest.mark.parametrize("counts", [True, False])
def test_postponed(world: World, *, counts: bool) -> None:
    """With when and why; once, though it be written twice because nobody heard that it was."""
    hand_over(world)
    mine = take(world)
    tried = {"attempts": int(counts), "not_before": world.clock.now() + LATER, "detail": "It is away."}
    for _ in range(2):
        postpone(world, mine, counts=counts)
        assert left(world) == UNSEEN | tried | {"token": 3}


def test_its_worker_went_silent(world: World) -> None:
    """Of what was said of an earlier attempt nothing is left but that there was one."""
    hand_over(world)
    postpone(world, take(world))
    world.clock.advance(LATER)
    mine = take(world)
    sweep(world)
    assert left(world) == UNSEEN | {"attempts": 2, "detail": SILENT, "token": 6}
    assert not judge(world, mine)


def test_its_message_was_lost(world: World) -> None:
    """Nobody had tried it: what is known of the attempt before is still what there is to say."""
    hand_over(world)
    postpone(world, take(world))
    world.clock.advance(LATER)
    claim(world)
    sweep(world)
    assert left(world) == UNSEEN | {"attempts": 1, "detail": "It is away.", "token": 5}


def test_it_silenced_workers_too_often(world: World) -> None:
    """It is rejected, and nobody has it."""
    hand_over(world)
    for _ in range(2):
        take(world)
        sweep(world, max_attempts=2)
    last = f"{SILENT} It was the last of 2 attempts."
    rejected = {"state": "rejected", "reason": Reason.BROKEN, "detail": last}
    assert left(world) == UNSEEN | rejected | {"attempts": 2, "token": 6}


def test_it_was_changed_while_it_was_sent(world: World) -> None:
    """The verdict was on other bytes: nothing of it is left. The last time, it is rejected."""
    hand_over(world)
    changed = UNSEEN | {"detail": "The file was changed while it was being sent."}
    assert judge(world, take(world))
    assert left(world)["sha256"] == sha256("a")
    changed_under_upload(world, max_attempts=2)
    assert left(world) == changed | {"attempts": 1, "not_before": world.clock.now() + LATER, "token": 3}
    world.clock.advance(LATER)
    assert judge(world, take(world))
    changed_under_upload(world, max_attempts=2)
    rejected = {"state": "rejected", "reason": Reason.UNREADABLE}
    assert left(world) == changed | rejected | {"attempts": 2, "token": 6}


def test_a_rejected_one_is_handed_over_again(world: World) -> None:
    """Somebody may have fixed it: it begins as a new one does."""
    hand_over(world)
    postpone(world, take(world))
    world.clock.advance(LATER)
    assert judge(world, take(world), Reason.TOO_LARGE)
    hand_over(world)
    assert left(world) == UNSEEN | {"token": 6}


def test_another_source_is_handed_over_for_it(world: World) -> None:
    """Whoever looks at the old one has lost it, lease and all; and so it is after the verdict on that."""
    hand_over(world)
    mine = take(world)
    hand_over(world, "/media/b.jpg")
    assert left(world) == UNSEEN | {"token": 3}
    assert not judge(world, mine)
    assert judge(world, take(world))
    hand_over(world, "/media/c.jpg")
    assert left(world) == UNSEEN | {"token": 6}


def test_its_source_may_not_be_opened(world: World) -> None:
    """It never waits, and has nothing but the reason."""
    hand_over(world)
    assert judge(world, take(world), Reason.TOO_LARGE)
    hand_over(world, "/etc/passwd")
    with world.database.write() as connection:
        reject_items(connection, campaign_id="spring", refused={"a": SourceRefused("It is elsewhere.")})
    said = {"reason": Reason.NOT_ALLOWED, "detail": "It is elsewhere."}
    assert left(world) == UNSEEN | said | {"state": "rejected", "token": 4}
