"""Use, refresh, retire, resolve: the first complete form of what beat and schedulers do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from greenroom.errors import ManifestError, UnknownName
from models.need import cancel_campaign
from tasks.mark_used import mark_used
from tasks.prepare import prepare
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tests.conftest import CANARY_KEY, CHANNEL, World
from tests.models.rows import asset_row, item_rows, media_rows
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def media_id(world: World, make_image: MakeImage) -> str:
    """The ID of a campaign's one file, ready; the campaign keeps it for 60 days."""
    path = make_image()
    prepare(world.context, world.campaign(days=60), [{"ref": path.name, "source": str(path)}])
    inspect_all(world)
    upload_all(world)
    media_id: str = media_rows(world)[0].media_id
    return media_id


def resolved(world: World) -> str | None:
    """What the campaign's file would be sent with now."""
    return resolve(world.context, "spring", ["hero.jpg"]).get("hero.jpg")


def test_resolve_answers_live_ids_alone(world: World, media_id: str) -> None:
    """One moment before its end it is answered, at its end no more."""
    assert resolve(world.context, "spring", ["hero.jpg", "unknown"]) == {"hero.jpg": media_id}
    world.clock.advance(30 * DAY - timedelta(microseconds=1))
    assert resolved(world) == media_id
    world.clock.advance(timedelta(microseconds=1))
    assert resolved(world) is None
    with pytest.raises(UnknownName):
        resolve(world.context, "autumn", ["x"])


def use(world: World, media_id: str, days: float) -> None:
    """Report a use so many days after the world began."""
    at = media_rows(world)[0].uploaded_at + days * DAY
    mark_used(world.context, [[CHANNEL, media_id, at.isoformat()]])


def test_last_use_never_goes_backwards(world: World, media_id: str) -> None:
    """Batches come out of order and more than once."""
    world.clock.advance(10 * DAY)
    use(world, media_id, 5)
    use(world, media_id, 3)
    use(world, media_id, 5)
    (row,) = media_rows(world)
    assert row.last_used_at == row.uploaded_at + 5 * DAY
    assert row.expires_at == row.uploaded_at + 35 * DAY


def test_a_use_in_the_future_counts_as_now(world: World, media_id: str) -> None:
    """A clock that runs ahead elsewhere must not lengthen a life."""
    use(world, media_id, 3)
    (row,) = media_rows(world)
    assert row.last_used_at == world.clock.now()


def test_a_batch_of_uses_of_unknown_ids_does_no_harm(world: World, media_id: str) -> None:
    """Schedulers send with IDs that are not ours, too."""
    at = world.clock.now().isoformat()
    assert mark_used(world.context, [[CHANNEL, "999", at], [CHANNEL, media_id, at]]) == 2
    assert media_rows(world)[0].last_used_at == world.clock.now()


def test_a_use_without_a_time_zone_is_refused(world: World) -> None:
    """Nobody can know which moment it means."""
    with pytest.raises(ManifestError, match="zone"):
        mark_used(world.context, [[CHANNEL, "1", "2026-06-01T12:00:00"]])


def test_a_needed_id_is_renewed_before_its_end_and_never_missing(world: World, media_id: str) -> None:
    """The old one serves until the swap, and stays for messages in flight."""
    world.clock.advance(27 * DAY - timedelta(seconds=1))
    assert refresh(world.context) == 0
    world.clock.advance(timedelta(seconds=1))
    assert refresh(world.context) == 1
    assert refresh(world.context) == 0  # once is enough
    assert resolved(world) == media_id
    assert upload_all(world)["uploaded"] == 1
    new = resolved(world)
    assert new not in (None, media_id)
    retire(world.context)
    assert media_id in world.sandbox.live_media_ids(CANARY_KEY)
    world.clock.advance(world.context.settings.grace)
    retire(world.context)
    assert world.sandbox.live_media_ids(CANARY_KEY) == [new]


def test_last_use_alone_does_not_keep_an_id_from_renewal(world: World, media_id: str) -> None:
    """Meta counts 30 days from upload, so that is when a needed ID is renewed, used or not."""
    world.clock.advance(20 * DAY)
    use(world, media_id, 20)
    world.clock.advance(7 * DAY)
    assert refresh(world.context) == 1


def test_an_operator_may_trust_last_use(world: World, media_id: str) -> None:
    """By a setting; then a used ID is left alone until 30 days after its use come near."""
    trusting = world.context.settings.model_copy(update={"trust_last_use": True})
    object.__setattr__(world.context, "settings", trusting)
    world.clock.advance(20 * DAY)
    use(world, media_id, 20)
    world.clock.advance(7 * DAY)
    assert refresh(world.context) == 0
    world.clock.advance(20 * DAY)
    assert refresh(world.context) == 1


def test_a_refresh_whose_source_is_gone_leaves_the_old_id_in_service(
    world: World, media_id: str, tmp_path: Path
) -> None:
    """And it is tried again, until the source is back."""
    world.clock.advance(27 * DAY)
    (tmp_path / "hero.jpg").rename(tmp_path / "away.jpg")
    refresh(world.context)
    assert upload_all(world)["failed"] == 1
    assert resolved(world) == media_id
    (tmp_path / "away.jpg").rename(tmp_path / "hero.jpg")
    world.clock.advance(timedelta(hours=2))
    assert refresh(world.context) == 1
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)


def test_an_id_whose_source_has_changed_is_renewed_or_deleted_like_any_other(
    world: World, media_id: str, make_image: MakeImage
) -> None:
    """The file at its path is another one by now: whoever needs the old content has it, else it goes."""
    world.clock.advance(27 * DAY)
    make_image(shade=1)
    refresh(world.context)
    assert upload_all(world)["failed"] == 1
    asset_id = media_rows(world)[0].asset_id
    assert asset_row(world, asset_id).state == "ready"
    world.clock.advance(MINUTE)
    inspect_all(world)
    upload_all(world)
    assert resolved(world) not in (None, media_id)
    # Nothing needs the old content now.
    assert retire(world.context) == {"retired": 1, "deleted": 1}
    assert media_id not in world.sandbox.live_media_ids(CANARY_KEY)


def test_what_nothing_needs_is_deleted(world: World, media_id: str) -> None:
    """Once the campaign's time, and the time to keep it after, are over."""
    world.clock.advance(timedelta(hours=1) + 25 * DAY)
    assert retire(world.context) == {"retired": 0, "deleted": 0}
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert retire(world.context) == {"retired": 1, "deleted": 1}
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    assert media_rows(world)[0].deleted_at == world.clock.now()
    assert resolved(world) is None
    assert asset_row(world, item_rows(world)[0].asset_id).state == "idle"
    assert media_id


def test_already_gone_counts_as_deleted(world: World, media_id: str) -> None:
    """The provider may have dropped it before us."""
    world.sandbox.faults({"forget_media": [media_id]})
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert retire(world.context) == {"retired": 1, "deleted": 1}


def test_a_delete_that_fails_is_tried_again(world: World, media_id: str) -> None:
    """Nothing is forgotten at the provider."""
    world.sandbox.faults(
        {"on": "delete", "times": 1, "answer": {"status": 503, "code": 2, "message": "away"}}
    )
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert retire(world.context) == {"retired": 1, "deleted": 0}
    assert retire(world.context) == {"retired": 0, "deleted": 0}
    world.clock.advance(timedelta(minutes=10))
    assert retire(world.context) == {"retired": 0, "deleted": 1}
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    assert media_id


def test_content_wanted_again_after_its_deletion_is_uploaded_anew(
    world: World, media_id: str, tmp_path: Path
) -> None:
    """A retired asset is not mistaken for a ready one."""
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    retire(world.context)
    hand_over(world, tmp_path / "hero.jpg", campaign="summer")
    inspect_all(world)
    assert upload_all(world)["uploaded"] == 1
    again = resolve(world.context, "summer", ["hero.jpg"])["hero.jpg"]
    assert again != media_id
    assert world.sandbox.live_media_ids(CANARY_KEY) == [again]


def test_a_campaign_moved_after_its_end_is_got_ready_again(world: World, make_image: MakeImage) -> None:
    """Its media were deleted when its time was over; with a later time they are needed once more."""
    path = make_image()
    items = [{"ref": path.name, "source": str(path)}]
    prepare(world.context, world.campaign(days=1), items)
    inspect_all(world)
    upload_all(world)
    world.clock.advance(3 * DAY)
    assert retire(world.context) == {"retired": 1, "deleted": 1}
    prepare(world.context, world.campaign(days=1), items)
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) in world.sandbox.live_media_ids(CANARY_KEY)
