"""One campaign on several channels: each file is looked at once, and uploaded to each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from greenroom.answers import CampaignState
from greenroom.callbacks.payload import CallbackEvent
from greenroom.errors import ManifestError, Misuse, UnknownName
from greenroom.rules import Category
from greenroom.task_names import TaskName
from greenroom.verdict import Verdict
from models import channel_changes
from models.asset import Asset
from models.cancellation import cancel_campaign
from models.channel import pause_channel, resume_channel
from models.item import Item, ItemState
from models.item_asset import ItemAsset
from models.item_claims import take_items
from models.manifest_items import lock_items
from models.media import Media
from models.outbox import OutboxRow
from models.verdict_records import Judged, record_verdicts
from models.wanted_assets import want_assets
from tasks.deliver import deliver
from tasks.dispatch import batches_from_json, claims_from_json, dispatch
from tasks.estimate import estimate
from tasks.foresee import foresee
from tasks.inspect import inspect
from tasks.move import move
from tasks.note_ready import note_ready
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import media_ids, resolve
from tasks.retire import retire
from tasks.retry import retry
from tasks.start_uploads import start_uploads
from tasks.status import rejected, status
from tasks.upload import upload
from tests.support.receiver import HOSTS, SECRET, Receiver, receiving
from tests.support.rows import LEASE, item_rows, media_rows, new_asset
from tests.support.several_channels import (
    BERLIN,
    PARIS,
    ROME,
    hand_over,
    handed_out,
    items,
    judge,
    key_of,
    plan,
    work,
)
from tests.support.world import MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_callbacks import bad_file

DAY = timedelta(days=1)
UNSENDABLE = [{"code": 131053, "title": "Unsupported type"}]


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with three numbers, each with a key of its own."""
    world = make_world(callback_hosts=HOSTS, callback_secret=SECRET)
    for channel in (BERLIN, PARIS, ROME):
        world.add_channel(channel, key=key_of(channel))
    return world


def uploads(world: World) -> dict[str, int]:
    """How many files came in at the provider, by channel."""
    stats = world.sandbox.stats()
    return {channel: stats.get(key_of(channel), {}).get("uploads", 0) for channel in (BERLIN, PARIS, ROME)}


def live(world: World, channel: str) -> set[str]:
    """What the provider has on a channel."""
    return set(world.sandbox.live_media_ids(key_of(channel)))


def ids(world: World, channel: str | None) -> dict[str, str]:
    """What the campaign is answered for a channel, by refs; the same as all of it by pages."""
    refs = [row.ref for row in item_rows(world)]
    found = resolve(world.context, "spring", refs, channel)
    assert media_ids(world.context, "spring", channel=channel).media_ids == found
    return found


@contextmanager
def counting_sources(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each source was opened to be looked at."""
    opened: Counter[str] = Counter()
    sources = type(world.context.sources)
    original = sources.copy

    def counting(self: Any, source: str, *more: Any, **named: Any) -> Any:
        opened[Path(source).name] += 1
        return original(self, source, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(sources, "copy", counting)
        yield opened


def test_a_file_is_inspected_once_and_uploaded_once_to_each_channel(
    world: World, make_image: MakeImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each channel has an ID of its own for it; what is bad is bad once, and goes to none."""
    bad = tmp_path / "bad.jpg"
    bad.touch()
    one, two = make_image("one.jpg"), make_image("two.jpg", 1)
    hand_over(world, plan(world, BERLIN, PARIS, BERLIN, ROME), one, two, bad, key="1")
    with counting_sources(world, monkeypatch) as opened:
        assert work(world) == {"accepted": 2, "rejected": 1, "uploaded": 6}
    assert opened == {"one.jpg": 1, "two.jpg": 1, "bad.jpg": 1}
    assert uploads(world) == {BERLIN: 2, PARIS: 2, ROME: 2}
    for channel in (BERLIN, PARIS, ROME):
        given = ids(world, channel)
        assert sorted(given) == ["one.jpg", "two.jpg"]
        assert set(given.values()) == live(world, channel)
    assert [item.ref for item in rejected(world.context, "spring").items] == ["bad.jpg"]
    found = status(world.context, "spring")
    assert (found.total, found.ready, found.rejected) == (3, 2, 1)
    assert [(one.channel, one.ready, one.rejected) for one in found.channels] == [
        (channel, 2, 1) for channel in (BERLIN, PARIS, ROME)
    ]
    with world.database.write() as connection:
        # The view asks the database's own clock.
        connection.execute(text("UPDATE media SET expires_at = '2999-01-01 00:00:00+00:00'"))
        view = connection.execute(text("SELECT channel_id, ref, media_id FROM ready_media")).all()
    assert {(row.channel_id, row.ref): row.media_id for row in view} == {
        (channel, ref): media_id
        for channel in (BERLIN, PARIS, ROME)
        for ref, media_id in ids(world, channel).items()
    }
    hand_over(world, plan(world, ROME, PARIS, BERLIN), one, two, key="2")
    assert work(world) == {}
    assert uploads(world) == {BERLIN: 2, PARIS: 2, ROME: 2}


def test_which_ids_are_meant_has_to_be_said(world: World, make_image: MakeImage) -> None:
    """An ID is good on one channel: of several none is guessed, and of one it need not be named."""
    hand_over(world, plan(world, BERLIN, PARIS), make_image("one.jpg"), key="1")
    work(world)
    for ask in (
        lambda: resolve(world.context, "spring", ["one.jpg"]),
        lambda: media_ids(world.context, "spring"),
    ):
        with pytest.raises(Misuse, match=f"2 channels.* Say for which channel: {BERLIN}, {PARIS}"):
            ask()
    with pytest.raises(UnknownName, match=f"not on channel {ROME}; it is on {BERLIN}, {PARIS}"):
        resolve(world.context, "spring", ["one.jpg"], ROME)
    assert ids(world, f"+{PARIS}") == ids(world, PARIS)
    hand_over(world, plan(world, BERLIN), make_image("one.jpg"), key="2")
    assert ids(world, None) == ids(world, BERLIN)


def test_names_of_channels_are_checked(world: World) -> None:
    """However they are written, each once; one that is not known is refused with the nearest one."""
    with pytest.raises(UnknownName, match=f"Is {PARIS} meant"):
        prepare(world.context, plan(world, BERLIN, "33612345679"), [])
    with pytest.raises(ManifestError, match="names no channel"):
        prepare(world.context, plan(world), [])
    prepare(world.context, plan(world, f"00{PARIS}", BERLIN, channel=f"+{BERLIN}"), [])
    assert status(world.context, "spring").channel == BERLIN
    with pytest.raises(Misuse, match=f"belongs to channels {BERLIN}, {PARIS}"):
        prepare(world.context, plan(world, ROME), [])


def test_an_added_channel_gets_what_was_accepted_without_a_look(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what waits to be inspected, and what is being inspected just then, comes to it too."""
    one, two, three = (make_image(f"{name}.jpg", shade) for shade, name in enumerate(("one", "two", "three")))
    hand_over(world, plan(world, PARIS), one, key="1")
    work(world)
    hand_over(world, plan(world, PARIS), one, two, three, key="2")
    dispatch(world.context)
    (in_flight,) = [message for message in handed_out(world, TaskName.INSPECT) if message.args[0]]
    with counting_sources(world, monkeypatch) as opened:
        hand_over(world, plan(world, BERLIN, PARIS), one, two, three, key="3")
        assert inspect(world.context, claims_from_json(in_flight.args[0]))["accepted"] == 0
        assert status(world.context, "spring").channels[1].waiting == 1
        assert work(world) == {"accepted": 2, "uploaded": 5}
    assert opened == {"two.jpg": 1, "three.jpg": 1}
    assert uploads(world) == {BERLIN: 3, PARIS: 3, ROME: 0}
    found = status(world.context, "spring")
    assert (found.channel, found.is_ready) == (PARIS, True)
    assert set(ids(world, BERLIN).values()) == live(world, BERLIN)


def test_what_is_accepted_while_a_channel_is_added_is_uploaded_there_too(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content may lie idle on the channel, left by a campaign that needs nothing any more."""
    one = make_image("one.jpg")
    hand_over(world, plan(world, PARIS, id="autumn"), one, key="1")
    work(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "autumn", now=world.clock.now())
    retire(world.context)
    hand_over(world, plan(world, BERLIN), one, key="1")
    dispatch(world.context)
    (in_flight,) = [message for message in handed_out(world, TaskName.INSPECT) if message.args[0]]

    def accept(connection: Connection, **of: Any) -> None:
        """What the inspector's transaction commits just before the items are locked."""
        monkeypatch.setattr(channel_changes, "lock_items", lock_items)
        claims = claims_from_json(in_flight.args[0])
        (item,) = take_items(connection, claims, now=world.clock.now(), lease=LEASE)
        (idle,) = connection.execute(select(Asset.sha256, Asset.size).where(Asset.channel_id == PARIS)).all()
        like_it = {"sha256": idle.sha256, "size": idle.size, "source": item.source}
        new = replace(new_asset(world, "one", channel=BERLIN), **like_it)
        (asset_id,) = want_assets(connection, [new]).values()
        verdict = Verdict(
            label="JPEG image",
            size=idle.size,
            sha256=idle.sha256,
            category=Category.IMAGE,
            mime_type="image/jpeg",
        )
        record_verdicts(connection, [Judged(claim=item.claim, verdict=verdict, asset_id=asset_id)])
        lock_items(connection, **of)

    monkeypatch.setattr(channel_changes, "lock_items", accept)
    prepare(world.context, plan(world, BERLIN, PARIS), [])
    work(world)
    assert status(world.context, "spring").is_ready
    assert uploads(world) == {BERLIN: 1, PARIS: 2, ROME: 0}
    assert set(ids(world, PARIS).values()) == live(world, PARIS)


def test_on_a_removed_channel_goes_what_nothing_else_needs(world: World, make_image: MakeImage) -> None:
    """Be it the first; another campaign's file on it stays."""
    one, two = make_image("one.jpg"), make_image("two.jpg", 1)
    hand_over(world, plan(world, BERLIN, PARIS, ROME), one, two, key="1")
    hand_over(world, plan(world, BERLIN, id="autumn"), two, key="1")
    work(world)
    before = ids(world, ROME)
    (kept,) = resolve(world.context, "autumn", ["two.jpg"]).values()
    hand_over(world, plan(world, ROME), one, two, key="2")
    retire(world.context)
    assert live(world, BERLIN) == {kept}
    assert live(world, PARIS) == set()
    assert ids(world, None) == before
    assert uploads(world) == {BERLIN: 2, PARIS: 2, ROME: 2}
    with world.database.read() as connection:
        assert connection.execute(select(ItemAsset.id)).all() == []
    assert work(world) == {}


def test_what_is_inspected_when_a_channel_is_removed_does_not_bring_it_back(
    world: World, make_image: MakeImage
) -> None:
    """The inspector knows the channels of before; its verdict counts for nothing."""
    one = make_image("one.jpg")
    hand_over(world, plan(world, BERLIN, PARIS), one, key="1")
    dispatch(world.context)
    (in_flight,) = [message for message in handed_out(world, TaskName.INSPECT) if message.args[0]]
    prepare(world.context, plan(world, BERLIN), items(one))
    inspect(world.context, claims_from_json(in_flight.args[0]))
    work(world)
    assert uploads(world) == {BERLIN: 1, PARIS: 0, ROME: 0}
    assert ids(world, None)


def test_all_goes_with_the_campaign(world: World, make_image: MakeImage) -> None:
    """Cancelled, its IDs go on all channels; pruned, its rows."""
    hand_over(world, plan(world, BERLIN, PARIS), make_image("one.jpg"), key="1")
    work(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    retire(world.context)
    assert live(world, BERLIN) == live(world, PARIS) == set()
    world.clock.advance(400 * DAY)
    prune(world.context)
    with world.database.read() as connection:
        for table in (ItemAsset, Item, Media, Asset):
            assert connection.execute(select(table.id)).all() == []


def test_both_ids_are_kept_alive(world: World, make_image: MakeImage) -> None:
    """Each is renewed in its time, for as long as the campaign needs it, and no longer."""
    hand_over(world, plan(world, BERLIN, PARIS, days=60), make_image("one.jpg"), key="1")
    work(world)
    first = {channel: ids(world, channel) for channel in (BERLIN, PARIS)}
    for _ in range(29):
        world.clock.advance(DAY)
        refresh(world.context)
        work(world)
        retire(world.context)
        assert all(ids(world, channel) for channel in (BERLIN, PARIS))
    assert all(ids(world, channel) != first[channel] for channel in (BERLIN, PARIS))
    assert uploads(world) == {BERLIN: 2, PARIS: 2, ROME: 0}
    world.clock.advance(40 * DAY)
    retire(world.context)
    assert live(world, BERLIN) == live(world, PARIS) == set()


def test_a_revoked_key_costs_the_other_channel_nothing(world: World, make_image: MakeImage) -> None:
    """The campaign waits for the paused channel; what is ready on the other one can be sent."""
    world.sandbox.faults({"revoke_key": key_of(PARIS)})
    hand_over(world, plan(world, BERLIN, PARIS), make_image("one.jpg"), make_image("two.jpg", 1), key="1")
    work(world)
    assert len(ids(world, BERLIN)) == 2
    assert ids(world, PARIS) == {}
    found = status(world.context, "spring")
    assert (found.state, found.ready, found.waiting, found.is_settled) == (CampaignState.PAUSED, 0, 2, False)
    assert found.paused_reason
    berlin, paris = found.channels
    assert (berlin.state, berlin.ready, berlin.waiting) == (CampaignState.RUNNING, 2, 0)
    assert (paris.state, paris.ready, paris.waiting) == (CampaignState.PAUSED, 0, 2)
    world.add_channel(PARIS, key="a-new-key")
    work(world)
    assert status(world.context, "spring").is_ready


def test_what_is_given_up_on_one_channel_is_tried_again_there(world: World, make_image: MakeImage) -> None:
    """It is named with its channel, and the other upload stays; by asking, or by handing it over anew."""
    one = make_image("one.jpg")
    hand_over(world, plan(world, BERLIN, PARIS), one, key="1")
    work(world)
    give_up_on_paris(world)
    (named,) = rejected(world.context, "spring").items
    assert (named.ref, named.status, named.channel) == ("one.jpg", "failed", PARIS)
    assert named.detail == "Tried in vain."
    found = status(world.context, "spring")
    assert (found.total, found.failed, found.ready) == (1, 1, 0)
    assert [(one.ready, one.failed) for one in found.channels] == [(1, 0), (0, 1)]
    assert retry(world.context, "spring").uploaded == 1
    assert work(world) == {"uploaded": 1}
    assert status(world.context, "spring").is_ready
    give_up_on_paris(world)
    hand_over(world, plan(world, BERLIN, PARIS), one, key="2")
    assert work(world) == {"uploaded": 1}
    assert status(world.context, "spring").is_ready


def give_up_on_paris(world: World) -> None:
    """As after too many attempts."""
    with world.database.write() as connection:
        failed = {"state": "failed", "reason": "upload_failed", "detail": "Tried in vain."}
        on_paris = Asset.channel_id == PARIS
        connection.execute(Asset.__table__.update().where(on_paris).values(**failed))  # type: ignore[attr-defined] # declarative tables are Table objects
        gone = select(Asset.id).where(on_paris)
        ended = Media.__table__.update().where(Media.asset_id.in_(gone))  # type: ignore[attr-defined] # as above
        connection.execute(ended.values(is_current=False, delete_after=world.clock.now()))


def test_ready_is_told_once_of_all_channels(world: World, make_image: MakeImage) -> None:
    """Not while one of them has something to upload; and once more when another channel is added."""
    with receiving() as receiver:
        campaign = plan(world, BERLIN, PARIS, callback={"url": receiver.url})
        prepare(world.context, campaign, items(make_image("one.jpg"), make_image("two.jpg", 1)))
        judge(world)
        dispatch(world.context)
        for message in handed_out(world, TaskName.UPLOAD):
            for channel, claims in batches_from_json(message.args[0]).items():
                assert told(world, receiver) == []
                upload(world.context, {channel: claims})
        assert told(world, receiver) == [CallbackEvent.READY]
        assert receiver.said[-1]["data"]["channels"] == [BERLIN, PARIS]
        assert told(world, receiver) == []
        more = {**campaign, "channels": [BERLIN, PARIS, ROME]}
        prepare(world.context, more, items(make_image("one.jpg")))
        assert told(world, receiver) == []
        work(world)
        assert told(world, receiver) == [CallbackEvent.READY]
        with world.database.read() as connection:
            versions = connection.execute(select(OutboxRow.version)).scalars().all()
        assert sorted(versions) == [0, 1]


def told(world: World, receiver: Receiver) -> list[CallbackEvent]:
    """What is told now."""
    before = len(receiver.said)
    note_ready(world.context)
    foresee(world.context)
    deliver(world.context)
    return [CallbackEvent(said["type"]) for said in receiver.said[before:]]


def test_a_campaign_is_late_when_one_channel_is(world: World, make_image: MakeImage) -> None:
    """Its estimate is that of the last one, with each of them."""
    campaign = plan(world, BERLIN, PARIS)
    hand_over(world, campaign, make_image("one.jpg"), key="1")
    judge(world)
    with world.database.write() as connection:
        pause_channel(connection, PARIS, reason="The key was revoked.", now=world.clock.now())
    found = estimate(world.context, campaign, 100)
    assert (found.left, found.at_risk, found.ready_at) == (202, True, None)
    assert [(one.channel, one.left, one.at_risk) for one in found.channels] == [
        (BERLIN, 101, False),
        (PARIS, 101, True),
    ]
    assert foresee(world.context).at_risk == ["spring"]
    alone = estimate(world.context, plan(world, BERLIN), 100)
    assert (alone.left, alone.at_risk, alone.channels) == (101, False, [])


def test_who_is_told_of_a_risk_is_told_on_which_channel(
    world: World, make_image: MakeImage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, also when another channel is late, too; and once of each other kind."""
    with receiving() as receiver:
        campaign = plan(world, BERLIN, PARIS, callback={"url": receiver.url})
        prepare(world.context, campaign, items(make_image("one.jpg"), bad_file(tmp_path)))
        judge(world)
        assert told(world, receiver) == [CallbackEvent.REJECTED]
        pause(world, PARIS)
        with caplog.at_level("WARNING"):
            assert told(world, receiver) == [CallbackEvent.AT_RISK]
        assert f"1 files are to be uploaded on channel {PARIS} before" in caplog.text
        found = receiver.said[-1]["data"]
        late = {one["channel"]: one["at_risk"] for one in found["estimate"]["channels"]}
        assert late == {BERLIN: False, PARIS: True}
        assert (found["reasons"], found["channels"]) == (["uploads_late"], [BERLIN, PARIS])
        pause(world, BERLIN)
        assert told(world, receiver) == []
        for channel in (BERLIN, PARIS):
            with world.database.write() as connection:
                resume_channel(connection, channel)
        work(world)
        assert told(world, receiver) == [CallbackEvent.READY]
        assert told(world, receiver) == []


def pause(world: World, channel: str) -> None:
    """As when its key was revoked."""
    with world.database.write() as connection:
        pause_channel(connection, channel, reason="The key was revoked.", now=world.clock.now())


def test_a_moved_campaign_moves_on_all_channels(world: World, make_image: MakeImage) -> None:
    """What waits is uploaded by the new time everywhere; the channels stay."""
    hand_over(world, plan(world, BERLIN, PARIS), make_image("one.jpg"), key="1")
    with world.database.write() as connection:
        for channel in (BERLIN, PARIS):
            pause_channel(connection, channel, reason="Not now.", now=world.clock.now())
    judge(world)
    sent = world.clock.now() + 2 * DAY
    move(world.context, "spring", sent.isoformat(), (sent + DAY).isoformat())
    with world.database.read() as connection:
        due = connection.execute(select(Asset.channel_id, Asset.due_at)).all()
    assert sorted(due) == [(PARIS, sent), (BERLIN, sent)]
    assert len(status(world.context, "spring").channels) == 2


def test_uploads_that_begin_later_begin_on_all_channels(world: World, make_image: MakeImage) -> None:
    """Also on one that was added before they did."""
    later = world.clock.now() + timedelta(minutes=30)
    campaign = plan(world, BERLIN, PARIS, upload_from=later.isoformat())
    hand_over(world, campaign, make_image("one.jpg"), key="1")
    work(world)
    hand_over(world, {**campaign, "channels": [BERLIN, PARIS, ROME]}, make_image("one.jpg"), key="2")
    assert work(world) == {}
    assert status(world.context, "spring").scheduled == 1
    world.clock.advance(timedelta(minutes=30))
    start(world)
    assert work(world) == {"uploaded": 3}
    assert status(world.context, "spring").is_ready


def start(world: World) -> None:
    """Beat's tick."""
    assert start_uploads(world.context) == 1


def test_what_a_worker_of_before_inspected_is_put_right(world: World, make_image: MakeImage) -> None:
    """It knows one channel: the file waits on the others, until the campaign is handed over once more."""
    one = make_image("one.jpg")
    hand_over(world, plan(world, BERLIN, PARIS), one, key="1")
    work(world)
    with world.database.write() as connection:
        again = {"token": Item.token + 1, "state": ItemState.ACCEPTED}
        connection.execute(Item.__table__.update().values(**again))  # type: ignore[attr-defined] # as above
    assert ids(world, PARIS) == {}
    assert status(world.context, "spring").waiting == 1
    hand_over(world, plan(world, BERLIN, PARIS), one, key="2")
    assert work(world) == {}
    assert set(ids(world, PARIS).values()) == live(world, PARIS)
    assert status(world.context, "spring").is_ready


def test_a_changed_file_is_another_one_on_all_channels(world: World, make_image: MakeImage) -> None:
    """What it was before is deleted on each of them."""
    hand_over(world, plan(world, BERLIN, PARIS), make_image("one.jpg"), key="1")
    work(world)
    before = {channel: live(world, channel) for channel in (BERLIN, PARIS)}
    changed = items(make_image("other.jpg", 7))
    changed[0]["ref"] = "one.jpg"
    prepare(world.context, plan(world, BERLIN, PARIS), changed)
    assert status(world.context, "spring").checking == 1
    assert ids(world, PARIS) == {}
    assert work(world) == {"accepted": 1, "uploaded": 2}
    retire(world.context)
    for channel in (BERLIN, PARIS):
        assert set(ids(world, channel).values()) == live(world, channel) != before[channel]
    assert len(media_rows(world)) == 4
