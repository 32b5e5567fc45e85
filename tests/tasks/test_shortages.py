"""What this machine runs out of is no fault of a file: it waits, loses no attempt, and is ready later."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from greenroom.errors import OutOfResources
from greenroom.provider import UploadContent
from greenroom.rate_limit.ownership import OwnedChannel
from greenroom.resources import out_of_resources
from greenroom.sources import Sources
from tasks.uploading.sender import Sender, UploadJob
from tests.support.rows import asset_row, item_rows, media_rows
from tests.support.world import CANARY_KEY, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "threads"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "room on a disk",
        ),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "open files"),
        (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), "open files"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "room on a disk"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory"),
        (OutOfResources("no more memory"), "no more memory"),
    ],
    ids=repr,
)
def test_shortages_are_known(error: Exception, missing: str) -> None:
    """By what Python and the system say."""
    assert missing in str(out_of_resources(error))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("another"), FileNotFoundError(errno.ENOENT, "no such file"), OSError("?"), KeyError("x")],
    ids=repr,
)
def test_other_failures_are_no_shortage(error: Exception) -> None:
    """They are dealt with as before."""
    assert out_of_resources(error) is None


def test_a_shortage_rejects_no_file(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is met while files are looked at."""
    hand_over(world, make_image("hero.jpg", 1))
    copy = Sources.copy
    short: list[Exception] = [MemoryError()] * (world.context.settings.max_attempts + 1)

    def shortly(self: Sources, source: str, *, own: bool = False) -> AbstractContextManager[Path]:
        if short:
            raise short.pop()
        return copy(self, source, own=own)

    monkeypatch.setattr(Sources, "copy", shortly)
    while short:
        assert inspect_all(world)["postponed"] == 1
        world.clock.advance(timedelta(hours=1))
    assert "nothing to do with the file" in item_rows(world)[0].detail
    assert inspect_all(world) == {"accepted": 1, "rejected": 0, "postponed": 0}


def test_a_shortage_gives_no_file_up(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is met while a file is sent; and it is not counted as an answer that was lost."""
    hand_over(world, make_image("hero.jpg", 1))
    inspect_all(world)
    short = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]

    def open_(self: Sources, path: str, *, own: bool = False) -> BinaryIO:
        if short:
            raise short.pop()
        return open_really(self, path, own=own)

    open_really = Sources.open
    monkeypatch.setattr(Sources, "open", open_)
    assert upload_all(world) == {"uploaded": 0, "postponed": 1, "failed": 0}
    row = asset_row(world, item_rows(world)[0].asset_id)
    assert (row.state, row.attempts, row.lost_answers) == ("waiting", 0, 0)
    world.clock.advance(timedelta(minutes=1))
    assert upload_all(world)["uploaded"] == 1


def test_what_fails_after_the_answer_takes_no_media_id(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that cannot be cleared away, when its file has been sent: the ID is there already."""
    hand_over(world, make_image("hero.jpg", 1))
    inspect_all(world)
    content = Sender._content

    @contextmanager
    def badly_cleared_away(self: Sender, job: UploadJob) -> Iterator[UploadContent]:
        with content(self, job) as given:
            yield given
        raise FileNotFoundError(errno.ENOENT, "gone already")

    monkeypatch.setattr(Sender, "_content", badly_cleared_away)
    monkeypatch.setattr(world.context.provider, "sends_at_once", lambda _size: False)
    assert upload_all(world) == {"uploaded": 1, "postponed": 0, "failed": 0}
    assert [row.media_id for row in media_rows(world)] == world.sandbox.live_media_ids(CANARY_KEY)


def test_a_slot_that_no_thread_could_use_is_given_back(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread is started when a file has its slot; where none can be, nothing is sent in that slot."""
    hand_over(world, make_image("hero.jpg", 1))
    inspect_all(world)
    short = [RuntimeError("can't start new thread")]
    channels: list[OwnedChannel] = []
    begin_more = Sender._begin_more

    def shortly(self: Sender) -> None:
        if short and self._channel._log.open:
            channels.append(self._channel)
            raise short.pop()
        begin_more(self)

    monkeypatch.setattr(Sender, "_begin_more", shortly)
    assert upload_all(world) == {"uploaded": 0, "postponed": 1, "failed": 0}
    assert not short
    assert not channels[0]._log.open
