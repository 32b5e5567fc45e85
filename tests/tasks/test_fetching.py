"""Files that have to be fetched: a server that hangs keeps no task, and no file from elsewhere, waiting."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from greenroom.isolation.process_pool import ProcessPool
from greenroom.sources.hosts import parse_hosts
from models.item import ItemState
from tasks.inspecting import judging
from tasks.prepare import prepare
from tasks.runtime import context as contexts
from tasks.runtime import fetching
from tasks.runtime.fetching import (
    FETCH_THREADS,
    FILES_AT_A_TIME,
    GETTING_ON_SECONDS,
    OF_ONE_PLACE,
    Fetching,
    place_of,
)
from tests.support.rows import item_rows
from tests.support.stand_in import Request, Script, StandIn, reply
from tests.support.world import MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all


@pytest.fixture
def far_world(make_world: MakeWorld, tmp_path: Path) -> World:
    """One whose process fetches beside its tasks, as a worker does."""
    world = make_world(source_hosts=parse_hosts("http://127.0.0.1:*"), media_roots=[tmp_path])
    world.context = replace(world.context, fetching=Fetching(FETCH_THREADS))
    world.add_channel()
    return world


@contextmanager
def server(*scripts: Script | None) -> Iterator[StandIn]:
    """One that answers so."""
    stand_in = StandIn(list(scripts))
    try:
        yield stand_in
    finally:
        stand_in.close()


@contextmanager
def hanging(body: bytes) -> Iterator[StandIn]:
    """One that answers nothing until it is told to."""

    def script(connection: socket.socket, request: Request) -> None:
        stand_in.hold.wait(30)
        reply(200, body)(connection, request)

    with server(script) as stand_in:
        yield stand_in


def submit(world: World, *sources: str) -> None:
    """Prepare a campaign with these files."""
    items = [{"ref": f"{number:03}", "source": source} for number, source in enumerate(sources)]
    prepare(world.context, world.campaign(), items)


def states(world: World) -> list[str]:
    """Of the items, in the order of the manifest."""
    return [str(row.state) for row in sorted(item_rows(world), key=lambda row: row.ref)]


def test_a_server_that_hangs_keeps_nobody_waiting(far_world: World, make_image: MakeImage) -> None:
    """The files of a folder are judged, and the task ends, while it hangs; its own files come afterwards."""
    with hanging(make_image("far.jpg", shade=1).read_bytes()) as stand_in:
        submit(far_world, f"{stand_in.url}/far.jpg", str(make_image()))
        assert inspect_all(far_world) == {"accepted": 1, "rejected": 0, "postponed": 0, "fetching": 1}
        assert states(far_world) == [ItemState.INSPECTING, ItemState.ACCEPTED]
        stand_in.hold.set()
        far_world.context.fetching.close()
        assert states(far_world) == [ItemState.ACCEPTED, ItemState.ACCEPTED]


def test_one_place_has_some_of_the_threads(
    far_world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room there is left alone for a while, and was no attempt; another place has room."""
    monkeypatch.setattr(fetching, "GETTING_ON_SECONDS", 0.0)
    count = FILES_AT_A_TIME * OF_ONE_PLACE
    image, other_image = make_image("far.jpg", shade=1), make_image("other.jpg", shade=2)
    with hanging(image.read_bytes()) as stand_in, server(reply(200, other_image.read_bytes())) as other:
        here = (f"{stand_in.url}/{number}.jpg" for number in range(count + 1))
        submit(far_world, f"{other.url}/other.jpg", *here)
        assert inspect_all(far_world)["postponed"] == 1
        last = next(row for row in item_rows(far_world) if row.state == ItemState.WAITING)
        assert last.attempts == 0
        assert last.not_before == far_world.clock.now() + judging.SET_ASIDE
        stand_in.hold.set()
        far_world.context.fetching.close()
    assert states(far_world).count(ItemState.ACCEPTED) == count + 1


def test_nobody_waits_twice_for_a_place_that_gives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other files of its batch are not asked for, and have lost no attempt."""
    monkeypatch.setattr(judging, "NOTHING_SECONDS", 0.0)
    submit(world, "http://127.0.0.1:9/a.jpg", "http://127.0.0.1:9/b.jpg", "http://127.0.0.1:7/c.jpg")
    assert inspect_all(world)["postponed"] == 3
    attempts = {row.ref: row.attempts for row in item_rows(world)}
    assert attempts == {"000": 1, "001": 0, "002": 1}


def test_a_worker_that_ends_fetches_nothing_more(world: World) -> None:
    """What it has not begun goes back, and was no attempt."""
    submit(world, "http://127.0.0.1:9/a.jpg")
    world.context.stopping.set()
    assert inspect_all(world)["postponed"] == 1
    assert [row.attempts for row in item_rows(world)] == [0]


def test_a_process_ends_after_what_it_fetches(
    far_world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun is judged and written down before its connections are closed."""
    world, threads = far_world, far_world.context.fetching
    world.context = replace(world.context, files=ProcessPool())
    monkeypatch.setitem(contexts._contexts, os.getpid(), world.context)
    with hanging(make_image("far.jpg", shade=1).read_bytes()) as stand_in:

        def close() -> None:
            stand_in.hold.set()
            Fetching.close(threads)

        monkeypatch.setattr(threads, "close", close)
        submit(world, f"{stand_in.url}/far.jpg")
        inspect_all(world)
        contexts.close_context()
        assert states(world) == [ItemState.ACCEPTED]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("http://Example.com:8080/a/b.jpg", "http://example.com:8080"),
        ("s3://bucket/a/b.jpg", "s3://bucket"),
        ("http:odd", "http:odd"),
    ],
)
def test_a_place(source: str, place: str) -> None:
    """A host with its port, or a bucket."""
    assert place_of(source) == place


def test_what_finds_no_room_at_a_place_that_gives_something_comes_again_soon() -> None:
    """At one that does not, it waits for longer; and what is not known of is not held against it."""
    threads, hold, looked = Fetching(FETCH_THREADS), threading.Event(), threading.Event()
    place = "http://a"

    def work() -> bool:
        with threads.looking(place):
            looked.set()
        return hold.wait(30)

    assert threads.gets_on(place)
    assert threads.begin(place, work)
    assert looked.wait(30)
    assert threads.gets_on(place)
    threads._got_on_at[place] -= GETTING_ON_SECONDS
    assert not threads.gets_on(place)
    hold.set()
    threads.close()
    assert threads.gets_on(place)


def test_what_no_thread_can_be_started_for_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that asked for it goes on."""
    threads = Fetching(FETCH_THREADS)
    done: list[str] = []
    short = [RuntimeError("can't start new thread")]
    start = threading.Thread.start

    def shortly(self: threading.Thread) -> None:
        if short:
            raise short.pop()
        start(self)

    def work(place: str) -> bool:
        done.append(place)
        return True

    monkeypatch.setattr(threading.Thread, "start", shortly)
    for place in ("a", "b"):
        assert threads.begin(place, partial(work, place))
    threads.close()
    assert sorted(done) == ["a", "b"]
    assert not short
