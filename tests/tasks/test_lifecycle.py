"""Use, refresh, retire, resolve: what beat and schedulers do with media IDs."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from greenroom.errors import UnknownName
from models.asset import Priority
from models.cancellation import cancel_campaign
from models.channel import get_channel, set_media_life
from models.lookups import LookupFailure, book_failure
from tasks.mark_used import mark_dead, mark_used
from tasks.prepare import prepare
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tests.support.rows import asset_row, item_rows, media_rows, ready_item
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
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


def lookup_failures(world: World) -> int:
    """How many failed look-ups are counted."""
    with world.database.read() as connection:
        return connection.execute(select(func.count(LookupFailure.id))).scalar_one()


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


def test_a_use_that_cannot_be_read_takes_no_other_with_it(
    world: World, media_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can know which moment a time without a zone means; the log says what was left out."""
    at = world.clock.now().isoformat()
    uses: list[list[str]] = [[CHANNEL, "1", "2026-06-01T12:00:00"], ["half"], [CHANNEL, media_id, at]]
    assert mark_used(world.context, uses) == 1
    assert media_rows(world)[0].last_used_at == world.clock.now()
    assert "2026-06-01T12:00:00" in caplog.text
    assert "2 of 3 reports" in caplog.text


def come_due(world: World) -> None:
    """Let time pass until the one media ID is looked at for renewal."""
    world.clock.advance(media_rows(world)[0].refresh_at - world.clock.now())


def test_a_needed_id_is_renewed_before_its_end_and_never_missing(world: World, media_id: str) -> None:
    """The old one serves until the swap, and stays for messages in flight."""
    come_due(world)
    assert media_rows(world)[0].expires_at - world.clock.now() >= 3 * DAY
    world.clock.advance(-timedelta(seconds=1))
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


def test_a_refresh_whose_source_is_gone_takes_the_providers_copy(
    world: World, media_id: str, tmp_path: Path
) -> None:
    """Looked up, downloaded, compared, and uploaded again."""
    (tmp_path / "hero.jpg").unlink()
    come_due(world)
    refresh(world.context)
    assert upload_all(world) == {"uploaded": 1, "postponed": 0, "failed": 0}
    new = resolved(world)
    assert new not in (None, media_id)
    assert media_rows(world)[0].sha256 == media_rows(world)[1].sha256
    stats = world.sandbox.stats()[CANARY_KEY]
    assert (stats["lookups"], stats["lookup_errors"], stats["downloads"]) == (1, 0, 1)
    # The look-up succeeded, so that none of those that may fail was used up.
    assert lookup_failures(world) == 0


def test_a_refresh_whose_source_has_changed_takes_the_providers_copy(
    world: World, media_id: str, make_image: MakeImage
) -> None:
    """The campaign was checked with the content that it had, and continues with that one."""
    make_image(shade=1)
    come_due(world)
    refresh(world.context)
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    assert item_rows(world)[0].state == "accepted"
    assert {row.sha256 for row in media_rows(world)} == {item_rows(world)[0].sha256}


def test_a_refresh_takes_another_campaigns_file_of_the_same_content(
    world: World, media_id: str, make_image: MakeImage, tmp_path: Path
) -> None:
    """Before it asks the provider: a file costs no look-up."""
    hand_over(world, make_image("twin.jpg"), campaign="summer")
    inspect_all(world)
    (tmp_path / "twin.jpg").rename(tmp_path / "kept.jpg")
    hand_over(world, tmp_path / "kept.jpg", campaign="autumn")
    inspect_all(world)
    (tmp_path / "kept.jpg").unlink()
    come_due(world)
    refresh(world.context)
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == 0


def test_where_no_copy_can_be_had_the_old_id_stays_in_service(
    world: World, media_id: str, tmp_path: Path
) -> None:
    """And it is tried again, until the source is back; the operator reads what was tried."""
    (tmp_path / "hero.jpg").rename(tmp_path / "away.jpg")
    world.sandbox.faults({"forget_media": [media_id]})
    come_due(world)
    refresh(world.context)
    assert upload_all(world)["failed"] == 1
    asset = asset_row(world, media_rows(world)[0].asset_id)
    assert asset.reason == "missing"
    assert "hero.jpg" in asset.detail
    assert "provider's own copy cannot be had" in asset.detail
    # The look-up told that the ID is dead: it is answered no more.
    assert resolved(world) is None
    assert media_rows(world)[0].died_at == world.clock.now()
    assert lookup_failures(world) == 1


def test_a_provider_that_is_away_postpones_the_refresh(world: World, media_id: str, tmp_path: Path) -> None:
    """The old ID serves meanwhile; when the provider is back, its copy is taken."""
    (tmp_path / "hero.jpg").unlink()
    world.sandbox.faults(
        {"on": "media_url", "times": 1, "answer": {"status": 503, "code": 2, "message": "away"}}
    )
    come_due(world)
    refresh(world.context)
    assert upload_all(world)["postponed"] == 1
    assert resolved(world) == media_id
    assert lookup_failures(world) == 1
    world.clock.advance(MINUTE)
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)


def test_a_refresh_waits_for_room_among_the_lookups_that_may_fail(
    world: World, media_id: str, tmp_path: Path
) -> None:
    """Five failures within an hour would block the number's look-ups: the fifth is never risked."""
    (tmp_path / "hero.jpg").unlink()
    come_due(world)
    with world.database.write() as connection:
        for _ in range(4):
            assert book_failure(connection, CHANNEL, now=world.clock.now()) is not None
        assert book_failure(connection, CHANNEL, now=world.clock.now()) is None
    refresh(world.context)
    assert upload_all(world)["postponed"] == 1
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == 0
    world.clock.advance(timedelta(minutes=59))
    assert upload_all(world) == {"uploaded": 0, "postponed": 0, "failed": 0}
    world.clock.advance(timedelta(minutes=61))
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)


def test_a_late_refresh_no_longer_stands_behind_campaigns(world: World, media_id: str) -> None:
    """It yields to campaigns while there is time, and goes with them when there is little left."""
    come_due(world)
    refresh(world.context)
    asset_id = media_rows(world)[0].asset_id
    assert asset_row(world, asset_id).priority == Priority.REFRESH
    world.clock.advance(media_rows(world)[0].expires_at - DAY - world.clock.now())
    refresh(world.context)
    row = asset_row(world, asset_id)
    assert (row.state, row.priority, row.due_at) == (
        "waiting",
        Priority.CAMPAIGN,
        media_rows(world)[0].expires_at,
    )
    assert media_id


def test_renewals_of_one_day_are_spread(world: World) -> None:
    """100,000 files of one day do not come due in one burst."""
    for number in range(200):
        ready_item(world, f"file-{number}", media_id=str(number))
    moments = sorted(row.refresh_at for row in media_rows(world))
    hours = (moments[-1] - moments[0]) / timedelta(hours=1)
    # Two days for a thousand lots.
    assert 9 < hours < 10
    assert max(later - sooner for sooner, later in pairwise(moments)) < timedelta(minutes=3)


def test_other_rules_move_all_moments(world: World, media_id: str) -> None:
    """Whether a setting changes or a channel's life: what was worked out before holds no longer."""
    refresh(world.context)
    before = media_rows(world)[0]
    with world.database.write() as connection:
        set_media_life(connection, CHANNEL, timedelta(hours=1))
    assert refresh(world.context) == 0
    after = media_rows(world)[0]
    assert after.expires_at == before.uploaded_at + timedelta(hours=1)
    # An hour's life leaves a quarter of it as margin, and spreads over a quarter at most.
    assert timedelta(minutes=30) <= after.refresh_at - before.uploaded_at <= timedelta(minutes=45)
    world.clock.advance(timedelta(minutes=46))
    assert refresh(world.context) == 1
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    assert media_rows(world)[1].expires_at == world.clock.now() + timedelta(hours=1)
    with world.database.write() as connection:
        set_media_life(connection, CHANNEL, None)
    refresh(world.context)
    assert media_rows(world)[1].expires_at == world.clock.now() + 30 * DAY


def test_an_id_that_was_found_dead_is_replaced_at_once(world: World, media_id: str) -> None:
    """It is answered no more; that it died early is counted, once."""
    world.clock.advance(11 * DAY)
    at = world.clock.now().isoformat()
    assert mark_dead(world.context, [[CHANNEL, media_id, at], [CHANNEL, "unknown", at]]) == 1
    assert mark_dead(world.context, [[CHANNEL, media_id, at]]) == 0
    assert resolved(world) is None
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    with world.database.read() as connection:
        channel = get_channel(connection, CHANNEL)
    assert (channel.early_deaths, channel.shortest_life_seconds) == (1, 11 * 86_400)
    # A report may be wrong: the ID is deleted, so that it is not forgotten at the provider.
    assert retire(world.context)["deleted"] == 1
    assert media_id not in world.sandbox.live_media_ids(CANARY_KEY)


def test_a_late_report_does_not_kill_the_id_that_came_after(world: World, media_id: str) -> None:
    """The provider may give an ID anew: what was said of it before its upload counts no more."""
    before = (world.clock.now() - timedelta(seconds=1)).isoformat()
    assert mark_dead(world.context, [[CHANNEL, media_id, before]]) == 0
    assert resolved(world) == media_id
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).early_deaths == 0
    world.clock.advance(DAY)
    since = world.clock.now().isoformat()
    assert mark_dead(world.context, [[CHANNEL, media_id, before], [CHANNEL, media_id, since]]) == 1
    assert media_rows(world)[0].died_at == world.clock.now()


def test_an_id_that_died_of_age_is_no_early_death(world: World, media_id: str) -> None:
    """Only what ends before the provider's own page says is worth a figure."""
    world.clock.advance(31 * DAY)
    mark_dead(world.context, [[CHANNEL, media_id, world.clock.now().isoformat()]])
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).early_deaths == 0


def test_a_dead_id_that_nothing_needs_is_not_replaced(world: World, media_id: str) -> None:
    """Nothing is uploaded for campaigns that are over."""
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    mark_dead(world.context, [[CHANNEL, media_id, world.clock.now().isoformat()]])
    assert asset_row(world, media_rows(world)[0].asset_id).state == "idle"
    assert upload_all(world)["uploaded"] == 0


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


def test_what_is_kept_for_long_is_deleted_before_it_would_expire(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """Whatever the setting says: an ID that nothing needs is not left to end by itself."""
    world = make_world(keep_after_hours=8760)
    world.add_channel()
    hand_over(world, make_image())
    inspect_all(world)
    upload_all(world)
    world.clock.advance(20 * DAY)
    refresh(world.context)
    assert retire(world.context) == {"retired": 0, "deleted": 0}
    come_due(world)
    assert refresh(world.context) == 0
    assert retire(world.context)["deleted"] == 1
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    assert media_rows(world)[0].expires_at > world.clock.now()


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


def test_a_campaign_that_is_moved_to_an_earlier_end_needs_its_media_no_longer(
    world: World, media_id: str
) -> None:
    """Moving a campaign's dates changes the need at once."""
    assert retire(world.context) == {"retired": 0, "deleted": 0}
    world.clock.advance(2 * DAY)
    prepare(
        world.context, world.campaign(days=0), [{"ref": "hero.jpg", "source": item_rows(world)[0].source}]
    )
    world.clock.advance(timedelta(hours=2))
    assert retire(world.context) == {"retired": 0, "deleted": 0}
    world.clock.advance(DAY)
    assert retire(world.context) == {"retired": 1, "deleted": 1}
    assert media_id not in world.sandbox.live_media_ids(CANARY_KEY)


def test_an_item_that_gets_another_file_leaves_its_old_content_behind(
    world: World, media_id: str, make_image: MakeImage
) -> None:
    """What no item holds any more goes at the next tick, and not at the campaign's end."""
    retire(world.context)
    new = make_image("new.jpg", shade=5)
    prepare(world.context, world.campaign(days=60), [{"ref": "hero.jpg", "source": str(new)}])
    inspect_all(world)
    assert upload_all(world)["uploaded"] == 1
    assert retire(world.context) == {"retired": 1, "deleted": 1}
    assert world.sandbox.live_media_ids(CANARY_KEY) == [resolved(world)]
    assert media_id


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
