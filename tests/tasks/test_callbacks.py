"""A scheduler is told once of each version of a campaign that it is ready, and of what is wrong with it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, func, select, update

from greenroom.callbacks.payload import CallbackEvent, CallbackPayload
from greenroom.errors import Misuse
from greenroom.task_names import TaskName
from models.asset import Asset, AssetState
from models.callback import Callback
from models.cancellation import cancel_campaign
from models.channel import pause_channel, resume_channel
from models.forecast import SOON, at_risk
from models.item import Item
from models.media import Media
from models.outbox import OutboxRow
from models.settling import find_unsettled
from tasks.deliver import AT_ONCE, GIVE_UP_AFTER, LEASE, deliver
from tasks.dispatch import batches_from_json, claims_from_json, dispatch
from tasks.foresee import foresee
from tasks.inspect import inspect
from tasks.mark_used import mark_dead
from tasks.move import move
from tasks.note_ready import note_ready
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.retry import retry
from tasks.runtime.announcements import Message, OutsideTask
from tasks.runtime.risk_callbacks import AGAIN_AFTER
from tasks.start_uploads import start_uploads
from tasks.status import status
from tasks.submit import begin_submission, end_submission, submit
from tasks.upload import upload
from tests.support.receiver import HOSTS, SECRET, Receiver, receiving
from tests.support.world import CANARY_KEY, CHANNEL, NOON, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

READY, REJECTED, AT_RISK = CallbackEvent.READY, CallbackEvent.REJECTED, CallbackEvent.AT_RISK
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A scheduler's web server."""
    with receiving() as running:
        yield running


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with one channel, whose operator allows call-backs."""
    world = make_world(callback_hosts=HOSTS, callback_secret=SECRET, callback_tasks="crm.*")
    world.add_channel()
    return world


def plan(world: World, receiver: Receiver, name: str = "spring", **more: Any) -> dict[str, Any]:
    """A campaign that wants call-backs."""
    return {**world.campaign(name), "callback": {"url": receiver.url}, **more}


def items(*paths: Path) -> list[dict[str, str]]:
    """Items of these files."""
    return [{"ref": path.name, "source": str(path)} for path in paths]


def bad_file(folder: Path, name: str = "bad.jpg") -> Path:
    """A file that WhatsApp does not take."""
    path = folder / name
    Image.new("P", (8, 8)).save(path, "GIF", comment=name.encode())
    return path


def submit_all(world: World, campaign: dict[str, Any], given: list[dict[str, str]], key: str) -> int:
    """Hand a whole manifest over; returns the submission's number."""
    number = begin_submission(world.context, campaign, key)
    submit(world.context, campaign, given, number)
    end_submission(world.context, campaign["id"], number)
    return number


def handed_out(world: World, name: TaskName) -> list[Message]:
    """What is to be done by a task."""
    found = [message for message in world.published if message.name is name]
    world.published[:] = [message for message in world.published if message.name is not name]
    return found


def judge(world: World) -> None:
    """Let everything be inspected; what is to be uploaded then stays handed out."""
    dispatch(world.context)
    for message in handed_out(world, TaskName.INSPECT):
        inspect(world.context, claims_from_json(message.args[0]))


def work(world: World) -> list[tuple[CallbackEvent, int]]:
    """Let everything be done, and what is to be told be told; returns what was told now, with versions."""
    before = {row.id for row in outbox(world)}
    judge(world)
    note_ready(world.context)
    for message in handed_out(world, TaskName.UPLOAD):
        upload(world.context, batches_from_json(message.args[0]))
    note_ready(world.context)
    deliver(world.context)
    return [(CallbackEvent(row.event), row.version) for row in outbox(world) if row.id not in before]


#: What was told at the same moment, too: that it is ready is the last.
_IN_ORDER = (OutboxRow.created_at, OutboxRow.version, OutboxRow.event.desc(), OutboxRow.number)


def outbox(world: World) -> list[Any]:
    """All that was ever to be told."""
    with world.database.read() as connection:
        return list(connection.execute(select(OutboxRow.__table__).order_by(*_IN_ORDER)).all())


def test_a_ready_campaign_is_told_once(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """Signed, and however often it is looked at; nothing is told while files are on their way."""
    prepare(world.context, plan(world, receiver), items(make_image("one.jpg"), make_image("two.jpg", 1)))
    note_ready(world.context)
    inspect_all(world)
    note_ready(world.context)
    assert outbox(world) == []
    upload_all(world)
    assert [note_ready(world.context) for _ in range(3)] == [1, 0, 0]
    assert [deliver(world.context) for _ in range(3)] == [1, 0, 0]
    (request,) = receiver.requests
    said = request.verified(world.clock)
    assert CallbackPayload.model_validate(said).timestamp == world.clock.now()
    assert said["id"] == request.headers["webhook-id"]
    assert said["type"] == READY
    assert said["data"] == {
        "campaign_id": "spring",
        "channel": CHANNEL,
        "version": 0,
        "send_at": "2026-06-01T13:00:00Z",
        "total": 2,
        "ready": 2,
        "rejected": 0,
        "failed": 0,
        "unsendable": [],
    }


def test_each_version_is_told_once(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """A submission is one, and so is what is added later; the same message again is none."""
    campaign, one = plan(world, receiver), make_image("one.jpg")
    submit_all(world, campaign, items(one), "first")
    assert work(world) == [(READY, 1)]
    submit_all(world, campaign, items(one), "first")
    prepare(world.context, campaign, items(one))
    assert work(world) == []
    prepare(world.context, campaign, items(make_image("two.jpg", 1)))
    assert work(world) == [(READY, 2)]
    one.write_bytes(make_image("other.jpg", 2).read_bytes())
    prepare(world.context, campaign, [{"ref": "one.jpg", "source": str(make_image("third.jpg", 3))}])
    assert work(world) == [(READY, 3)]
    submit_all(world, campaign, items(one), "second")
    assert work(world) == [(READY, 4)]
    assert len(set(receiver.ids)) == len(receiver.ids) == 4


def test_nothing_is_told_of_half_a_submission(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """What has come in is ready long before the rest comes; a submission that breaks off is never told."""
    campaign, given = plan(world, receiver), items(make_image("one.jpg"), make_image("two.jpg", 1))
    begun = begin_submission(world.context, campaign, "breaks off")
    submit(world.context, campaign, given[:1], begun)
    assert work(world) == []
    begun = begin_submission(world.context, campaign, "whole")
    for item in given:
        submit(world.context, campaign, [item], begun)
        assert work(world) == []
    end_submission(world.context, "spring", begun)
    assert work(world) == [(READY, 2)]


def test_parts_that_come_in_while_others_are_ready_are_waited_for(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """Between two looks of the tick, and between its look and its note."""
    campaign = plan(world, receiver)
    prepare(world.context, campaign, items(make_image("one.jpg")))
    inspect_all(world)
    upload_all(world)
    original = world.context.database.write
    late = items(make_image("two.jpg", 1))

    def write_after_a_part() -> Any:
        world.context.database.write = original  # type: ignore[method-assign] # once
        prepare(world.context, campaign, late)
        return original()

    world.context.database.write = write_after_a_part  # type: ignore[method-assign] # at the first transaction
    assert note_ready(world.context) == 0
    assert work(world) == [(READY, 0)]
    assert receiver.said[0]["data"]["total"] == 2


def test_ready_is_what_waiting_changes_nothing_about(
    world: World, receiver: Receiver, make_image: MakeImage, tmp_path: Path
) -> None:
    """With an ID, rejected, or given up; that is told with the first of them, and so is what was rejected."""
    bad = [bad_file(tmp_path, f"bad-{number}.jpg") for number in range(30)]
    prepare(
        world.context, plan(world, receiver), items(make_image("one.jpg"), make_image("two.jpg", 1), *bad)
    )
    judge(world)
    assert note_ready(world.context) == 1
    with world.database.write() as connection:
        first = connection.execute(select(Asset.id).order_by(Asset.id)).scalars().first()
        failed = {"state": AssetState.FAILED, "reason": "too_many_attempts", "detail": "Tried in vain."}
        connection.execute(update(Asset).where(Asset.id == first).values(**failed))
    assert work(world) == [(READY, 0)]
    # They may be delivered in any order.
    ready, rejected = sorted(receiver.said, key=itemgetter("type"))
    assert (rejected["type"], ready["type"]) == (REJECTED, READY)
    counts = ("total", "ready", "rejected", "failed")
    assert [ready["data"][name] for name in counts] == [32, 1, 30, 1]
    assert [rejected["data"][name] for name in counts[::2]] == [32, 30]
    named = rejected["data"]["unsendable"]
    assert [item["ref"] for item in named] == sorted(path.name for path in bad)[:20]
    assert all(item["detail"] and item["advice"] and item["status"] == "rejected" for item in named)


def test_more_that_is_rejected_is_told_again(
    world: World, receiver: Receiver, make_image: MakeImage, tmp_path: Path
) -> None:
    """Of one version when the number grows; of another one in any case."""
    campaign, good, bad = plan(world, receiver), make_image(), bad_file(tmp_path)
    prepare(world.context, campaign, items(good, bad))
    judge(world)
    assert [note_ready(world.context) for _ in range(2)] == [1, 0]
    prepare(world.context, campaign, items(bad))
    judge(world)
    assert note_ready(world.context) == 0
    prepare(world.context, campaign, items(bad_file(tmp_path, "worse.jpg")))
    judge(world)
    assert note_ready(world.context) == 1
    assert work(world) == [(READY, 0)]
    submit_all(world, campaign, items(good, bad), "second")
    assert work(world) == [(REJECTED, 1), (READY, 1)]
    assert Counter(said["type"] for said in receiver.said) == {REJECTED: 3, READY: 2}
    told = [json.loads(row.body)["data"]["rejected"] for row in outbox(world) if row.event == REJECTED]
    assert told == [1, 2, 1]


def test_a_file_that_is_fixed_and_handed_over_again_is_another_version(
    world: World, receiver: Receiver, make_image: MakeImage, tmp_path: Path
) -> None:
    """So is one whose upload was given up, and is tried again."""
    campaign, bad = plan(world, receiver), bad_file(tmp_path)
    prepare(world.context, campaign, items(bad))
    assert work(world) == [(REJECTED, 0), (READY, 0)]
    bad.write_bytes(make_image().read_bytes())
    prepare(world.context, campaign, items(bad))
    assert work(world) == [(READY, 1)]
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.FAILED))
        connection.execute(update(Media).values(is_current=False))
    assert work(world) == []
    prepare(world.context, campaign, items(bad))
    assert work(world) == [(READY, 2)]


def test_what_is_tried_again_is_another_version(
    world: World, receiver: Receiver, make_image: MakeImage, tmp_path: Path
) -> None:
    """Whoever says so wants to hear what comes of it; where there is nothing to try, nothing is said."""
    bad = bad_file(tmp_path)
    prepare(world.context, plan(world, receiver), items(make_image(), bad))
    assert work(world) == [(REJECTED, 0), (READY, 0)]
    bad.write_bytes(make_image("other.jpg", 1).read_bytes())
    retry(world.context, "spring", ["bad.jpg"])
    assert work(world) == [(READY, 1)]
    retry(world.context, "spring", ["bad.jpg"])
    assert work(world) == []


def test_an_id_that_dies_later_makes_no_version(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """It is uploaded anew, and whoever asks for IDs gets the new one."""
    prepare(world.context, plan(world, receiver), items(make_image()))
    assert work(world) == [(READY, 0)]
    with world.database.read() as connection:
        (media_id,) = connection.execute(select(Media.media_id)).scalars()
    mark_dead(world.context, [[CHANNEL, media_id, world.clock.now().isoformat()]])
    assert work(world) == []
    with world.database.read() as connection:
        assert len(connection.execute(select(Media.id)).all()) == 2


def test_uploads_that_begin_later_are_waited_for(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """And moving the campaign changes nothing of what was told."""
    later = {"send_at": NOON + 100 * DAY, "keep_until": NOON + 110 * DAY}
    dates = {name: moment.isoformat() for name, moment in later.items()}
    prepare(world.context, plan(world, receiver, **dates), items(make_image()))
    assert work(world) == []
    world.clock.advance(90 * DAY)
    start_uploads(world.context)
    assert work(world) == [(READY, 0)]
    move(world.context, "spring", (NOON + 101 * DAY).isoformat(), dates["keep_until"])
    assert work(world) == []


@pytest.mark.parametrize("end", ["cancelled", "over", "empty"])
def test_what_is_over_is_not_told(world: World, receiver: Receiver, make_image: MakeImage, end: str) -> None:
    """Nor is a campaign without files ready."""
    prepare(world.context, plan(world, receiver), [] if end == "empty" else items(make_image()))
    inspect_all(world)
    upload_all(world)
    if end == "cancelled":
        with world.database.write() as connection:
            cancel_campaign(connection, "spring", now=world.clock.now())
    elif end == "over":
        world.clock.advance(8 * DAY)
    assert note_ready(world.context) == 0


def test_only_who_asked_is_told(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """A plan without a call-back leaves the one that there is; another one takes its place."""
    prepare(world.context, world.campaign("quiet"), items(make_image("quiet.jpg", 9)))
    prepare(world.context, plan(world, receiver), items(make_image("one.jpg")))
    prepare(world.context, world.campaign("spring"), items(make_image("two.jpg", 1)))
    assert work(world) == [(READY, 0)]
    with receiving() as other:
        prepare(world.context, plan(world, other), items(make_image("three.jpg", 2)))
        assert work(world) == [(READY, 1)]
        assert (len(receiver.requests), len(other.requests)) == (1, 1)


def test_who_asks_for_what_is_not_allowed_is_told_so_at_once(
    make_world: MakeWorld, receiver: Receiver
) -> None:
    """Nothing is written."""
    world = make_world()
    world.add_channel()
    by_http, by_task = plan(world, receiver), {**world.campaign(), "callback": {"task": "crm.ready"}}
    for campaign, setting in ((by_http, "CALLBACK_SECRET"), (by_task, "CALLBACK_TASKS")):
        with pytest.raises(Misuse, match=f"{setting} is not set"):
            prepare(world.context, campaign, [])
        with pytest.raises(Misuse, match=f"{setting} is not set"):
            begin_submission(world.context, campaign, "key")
    with world.database.read() as connection:
        assert connection.execute(select(Callback.id)).all() == []


def test_a_task_of_another_program_is_told_the_same(world: World, make_image: MakeImage) -> None:
    """Its ID is the call-back's; a broker that is away is tried again."""
    sent: list[OutsideTask] = []
    failures = [OSError("away")]

    def publish(task: OutsideTask) -> None:
        if failures:
            raise failures.pop()
        sent.append(task)

    world.context = replace(world.context, publish_outside=publish)
    campaign = {**world.campaign(), "callback": {"task": "crm.campaign_ready", "queue": "crm"}}
    prepare(world.context, campaign, items(make_image()))
    assert (work(world), sent) == ([(READY, 0)], [])
    world.clock.advance(HOUR)
    assert deliver(world.context) == 1
    ((row,), (task,)) = outbox(world), sent
    assert (task.name, task.queue, task.id) == ("crm.campaign_ready", "crm", row.id)
    assert task.payload == json.loads(row.body)


def test_a_receiver_that_hangs_holds_up_no_other(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """More are due than are sent at once, and the first of them hangs until all others are there."""
    seen, others_are_there = [], threading.Event()
    with receiving() as hanging:
        hanging.on_request = lambda: seen.append(others_are_there.wait(10))
        receiver.on_request = lambda: others_are_there.set() if len(receiver.requests) == AT_ONCE else None
        for number, one in enumerate([hanging, *[receiver] * AT_ONCE]):
            prepare(world.context, plan(world, one, f"campaign-{number}"), items(make_image("one.jpg")))
        inspect_all(world)
        upload_all(world)
        assert note_ready(world.context) == AT_ONCE + 1
        assert deliver(world.context) == AT_ONCE + 1
    assert seen == [True]


def test_who_fails_is_tried_again_ever_more_seldom(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """With the same ID and body, until it is taken."""
    receiver.answers = [(500, {})] * 6
    prepare(world.context, plan(world, receiver), items(make_image()))
    work(world)
    pauses = []
    while not outbox(world)[0].delivered_at:
        due_at = outbox(world)[0].due_at
        pauses.append((due_at - world.clock.now()).total_seconds())
        world.clock.advance(due_at - world.clock.now() - timedelta(microseconds=1))
        assert deliver(world.context) == 0
        assert len(receiver.requests) == len(pauses)
        world.clock.advance(timedelta(microseconds=1))
        deliver(world.context)
    assert len(pauses) == 6
    assert all(1.5 * before < after for before, after in pairwise(pauses))
    assert len(set(receiver.ids)) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert (outbox(world)[0].due_at, outbox(world)[0].failure) == (None, "")


def test_a_receiver_may_say_when(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """By Retry-After."""
    receiver.answers = [(429, {"Retry-After": "600"})]
    prepare(world.context, plan(world, receiver), items(make_image()))
    work(world)
    assert outbox(world)[0].due_at == world.clock.now() + timedelta(seconds=600)


def test_it_is_given_up_in_the_end(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """After three days, or at once where the receiver wants none any more."""
    receiver.answers = [(500, {})] * 3
    prepare(world.context, plan(world, receiver), items(make_image()))
    work(world)
    world.clock.advance(GIVE_UP_AFTER - HOUR)
    deliver(world.context)
    assert outbox(world)[0].given_up_at is None
    world.clock.advance(2 * HOUR)
    deliver(world.context)
    (row,) = outbox(world)
    assert (row.given_up_at, row.due_at) == (world.clock.now(), None)
    assert "answered 500" in row.failure
    receiver.answers = [(410, {})]
    prepare(world.context, plan(world, receiver, "autumn"), items(make_image()))
    work(world)
    assert outbox(world)[-1].given_up_at == world.clock.now()
    world.clock.advance(DAY)
    assert (deliver(world.context), len(receiver.requests)) == (0, 4)


def test_a_receiver_that_is_away_holds_nobody_up(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """It is asked by some threads at once, and then not again in the same run."""
    away = [f"away-{number}" for number in range(50)]
    image = make_image()
    with receiving() as gone:
        for name in away:
            prepare(world.context, plan(world, gone, name), items(image))
        prepare(world.context, plan(world, receiver), items(image))
        gone.answers = [(503, {})] * 100
        work(world)
        assert len(receiver.requests) == 1
        assert len(gone.requests) <= 16
    assert sum(row.failure != "" for row in outbox(world)) == 50


def test_a_lease_is_anothers_after_its_time(world: World, receiver: Receiver, make_image: MakeImage) -> None:
    """Whoever was frozen with it finds it delivered, and changes nothing of that."""
    prepare(world.context, plan(world, receiver), items(make_image()))
    inspect_all(world)
    upload_all(world)
    note_ready(world.context)

    def deliver_meanwhile() -> None:
        receiver.on_request = lambda: None
        world.clock.advance(LEASE)
        deliver(world.context)

    receiver.on_request = deliver_meanwhile
    receiver.answers = [(204, {}), (500, {})]
    deliver(world.context)
    (row,) = outbox(world)
    assert (row.delivered_at, row.due_at, row.failure) == (world.clock.now(), None, "")
    assert len(receiver.requests) == 2
    assert len(set(receiver.ids)) == 1


def test_each_beginning_of_being_at_risk_is_told(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """Once while it lasts, once an hour where it comes and goes, and anew for another version."""
    campaign = plan(world, receiver)
    prepare(world.context, campaign, items(make_image()))
    inspect_all(world)

    def pause(*, paused: bool) -> None:
        with world.database.write() as connection:
            if paused:
                pause_channel(connection, CHANNEL, reason="unpaid", now=world.clock.now(), tried=None)
            else:
                resume_channel(connection, CHANNEL)
        foresee(world.context)

    def told() -> int:
        return sum(row.event == AT_RISK for row in outbox(world))

    pause(paused=True)
    foresee(world.context)
    assert told() == 1
    pause(paused=False)
    pause(paused=True)
    assert told() == 1
    pause(paused=False)
    world.clock.advance(AGAIN_AFTER / 2)
    pause(paused=True)
    world.clock.advance(AGAIN_AFTER / 4)
    foresee(world.context)
    assert told() == 1
    submit_all(world, campaign, items(make_image(), make_image("two.jpg", 1)), "second")
    foresee(world.context)
    foresee(world.context)
    assert told() == 2
    deliver(world.context)
    assert [said["type"] for said in receiver.said] == [AT_RISK, AT_RISK]
    (estimate, _) = sorted((said["data"]["estimate"] for said in receiver.said), key=itemgetter("left"))
    assert (estimate["at_risk"], estimate["left"]) == (True, 1)
    assert estimate["what_helps"]


def risks_told(world: World) -> list[dict[str, Any]]:
    """What was said of risks, in its order."""
    foresee(world.context)
    return [json.loads(row.body)["data"] for row in outbox(world) if row.event == AT_RISK]


def come_due(world: World) -> None:
    """Let time pass until all IDs are looked at for renewal, and look."""
    with world.database.read() as connection:
        last = connection.execute(select(func.max(Media.refresh_at)).where(Media.is_current)).scalar_one()
    assert last is not None
    world.clock.advance(last - world.clock.now())
    refresh(world.context)


def test_an_id_that_cannot_be_renewed_is_told(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """Once, until there are more of them, or days have passed."""
    campaign, names = plan(world, receiver, **kept(60)), ("a.jpg", "b.jpg", "c.jpg")
    prepare(world.context, campaign, items(*(make_image(name, n) for n, name in enumerate(names))))
    assert work(world) == [(READY, 0)]

    def wait_in_vain(name: str) -> None:
        with world.database.write() as connection:
            mine = Asset.id == select(Item.asset_id).where(Item.ref == name).scalar_subquery()
            values = {"state": AssetState.WAITING, "detail": "The provider is away."}
            connection.execute(update(Asset).where(mine).values(values))

    world.clock.advance(28 * DAY - HOUR)
    wait_in_vain("a.jpg")
    assert risks_told(world) == []
    world.clock.advance(HOUR)
    (told,) = risks_told(world)
    assert (told["reasons"], told["at_risk"], told["version"]) == (["ids_ending"], 1, 0)
    ends_at = (NOON + 30 * DAY).isoformat().replace("+00:00", "Z")
    (one,) = told["media_at_risk"]
    assert one == {"ref": "a.jpg", "channel": CHANNEL, "ends_at": ends_at, "why": "The provider is away."}
    assert "estimate" not in told
    for _ in range(2):
        world.clock.advance(2 * AGAIN_AFTER)
        assert len(risks_told(world)) == 1
    wait_in_vain("b.jpg")
    assert [data["at_risk"] for data in risks_told(world)] == [1, 2]
    deliver(world.context)
    assert Counter(said["type"] for said in receiver.said) == {READY: 1, AT_RISK: 2}
    # Much later it is another danger, though it is no larger.
    world.clock.advance(SOON)
    assert [data["at_risk"] for data in risks_told(world)] == [1, 2, 2]


def test_an_id_that_is_lost_is_told(
    world: World, receiver: Receiver, make_image: MakeImage, caplog: pytest.LogCaptureFixture
) -> None:
    """Its source is gone, and the provider's copy too; not what had failed when it was ready."""
    campaign, images = plan(world, receiver, **kept(60)), [make_image("a.jpg"), make_image("b.jpg", 1)]
    prepare(world.context, campaign, items(*images))
    judge(world)
    images[1].unlink()
    assert work(world) == [(READY, 0)]
    images[0].unlink()
    assert risks_told(world) == []
    world.sandbox.faults({"forget_media": world.sandbox.live_media_ids(CANARY_KEY)})
    come_due(world)
    assert work(world) == []
    (told,) = risks_told(world)
    assert (told["reasons"], told["at_risk"], told["ready"], told["failed"]) == (["ids_lost"], 0, 0, 2)
    assert "provider's own copy cannot be had" in told["unsendable"][0]["detail"]
    assert "The media ID of a.jpg could not be renewed, and campaigns need it: spring" in caplog.text
    world.clock.advance(SOON)
    assert len(risks_told(world)) == 1
    # Somebody brings the file back: that is another version.
    images[0].write_bytes(make_image("c.jpg").read_bytes())
    prepare(world.context, campaign, items(images[0]))
    assert work(world) == [(READY, 1)]
    assert len(risks_told(world)) == 1


def kept(days: int) -> dict[str, str]:
    """Until when a campaign's media are kept."""
    return {"keep_until": (NOON + days * DAY).isoformat()}


def test_an_id_that_lasts_long_enough_is_not_at_risk(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """Though it could not be renewed: the campaign is over before its end. Moved, it is at risk."""
    campaign = plan(world, receiver, **kept(29))
    prepare(world.context, campaign, items(make_image("a.jpg")))
    assert work(world) == [(READY, 0)]
    come_due(world)
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.FAILED, detail="The source is gone."))
    assert risks_told(world) == []
    assert status(world.context, "spring").at_risk == 0
    with world.database.read() as connection:
        assert at_risk(connection, now=world.clock.now(), rules_of=world.context.settings.life_rules) == []
    move(world.context, "spring", campaign["send_at"], kept(31)["keep_until"])
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.FAILED))
    assert [data["reasons"] for data in risks_told(world)] == [["ids_ending"]]
    assert status(world.context, "spring").at_risk == 1
    # Another version, of which one file comes too late besides: one call-back says both.
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="unpaid", now=world.clock.now(), tried=None)
    later = {**campaign, **kept(31), "send_at": (world.clock.now() + HOUR).isoformat()}
    submit_all(world, later, items(make_image("a.jpg"), make_image("late.jpg", 1)), "second")
    judge(world)
    with world.database.write() as connection:
        with_an_id = Asset.id.in_(select(Media.asset_id).where(Media.is_current))
        connection.execute(update(Asset).where(with_an_id).values(state=AssetState.FAILED))
    both = risks_told(world)[1]
    assert (both["reasons"], both["version"]) == (["uploads_late", "ids_ending"], 1)
    assert (both["estimate"]["left"], both["at_risk"]) == (1, 1)


def test_call_backs_are_dropped_with_their_campaign(
    world: World, receiver: Receiver, make_image: MakeImage
) -> None:
    """Long after it was over."""
    prepare(world.context, plan(world, receiver), items(make_image()))
    work(world)
    world.clock.advance(200 * DAY)
    prune(world.context)
    with world.database.read() as connection:
        assert connection.execute(select(Callback.id)).all() == []
    assert outbox(world) == []


def test_a_large_campaign_is_not_looked_at_whole_at_each_tick(
    world: World, receiver: Receiver, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last item on its way is noted; until that is settled, no other one is looked at."""
    looks: list[str] = []

    def look(connection: Connection, campaign_id: str, **more: Any) -> int | None:
        looks.append(campaign_id)
        return find_unsettled(connection, campaign_id, **more)

    monkeypatch.setattr("tasks.note_ready.find_unsettled", look)
    images = [make_image(f"{number}.jpg", number) for number in range(6)]
    prepare(world.context, plan(world, receiver), items(*images))
    inspect_all(world)
    for _ in range(5):
        note_ready(world.context)
    assert looks == ["spring"]
    with world.database.read() as connection:
        noted = connection.execute(select(Callback.unsettled_item)).scalar_one()
        assert connection.execute(select(Item.ref).where(Item.id == noted)).scalar_one() == "5.jpg"
    upload_all(world)
    for _ in range(5):
        note_ready(world.context)
    assert looks == ["spring"] * 2
    assert outbox(world)[0].event == READY


def test_the_last_on_its_way_is_found_behind_pages_of_others(
    world: World, receiver: Receiver, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a campaign of many pages, the first item may be the last."""
    monkeypatch.setattr("models.settling.PAGE", 2)
    prepare(world.context, plan(world, receiver), items(*(make_image(f"{n}.jpg", n) for n in range(7))))
    inspect_all(world)
    with world.database.write() as connection:
        first = connection.execute(select(Item.id).where(Item.ref == "0.jpg")).scalar_one()
        settled = update(Item).where(Item.ref != "0.jpg").values(state="rejected", asset_id=None)
        connection.execute(settled)
        assert find_unsettled(connection, "spring", now=world.clock.now()) == first
        connection.execute(update(Item).values(state="rejected", asset_id=None))
        assert find_unsettled(connection, "spring", now=world.clock.now()) is None
