"""How long media are stored, deletion, and what a restart keeps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sandbox.faults import BadCommand
from sandbox.store import StateInUse
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller, error_of
from tests.sandbox.conftest import CallerFactory

DAY = 24 * 60 * 60


def test_stored_for_30_days(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "stored for 30 days after last use"; a media never used counts from its upload."""
    media_id = one.uploaded()
    sandbox.advance(30 * DAY - 60)
    assert one.media_url(media_id).status_code == 200
    sandbox.advance(61)
    assert one.media_url(media_id).status_code == 400
    assert sandbox.live_media_ids(one.api_key) == []


def test_a_use_begins_the_30_days_anew(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "30 days after last use"."""
    media_id = one.uploaded()
    for _ in range(3):
        sandbox.advance(29 * DAY)
        assert one.control("use", {"media_id": media_id}).status_code == 200
    sandbox.advance(29 * DAY)
    assert one.media_url(media_id).status_code == 200
    sandbox.advance(DAY)
    assert one.media_url(media_id).status_code == 400
    assert one.control("use", {"media_id": media_id}).status_code == 400
    with pytest.raises(BadCommand, match="no media"):
        sandbox.use(media_id)


def test_looking_up_and_downloading_are_no_use(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "30 days after last use", "send a message using the media ID": sending is the use."""
    media_id = one.uploaded()
    sandbox.advance(29 * DAY)
    assert one.get(one.link(media_id)).status_code == 200
    sandbox.advance(DAY)
    assert one.media_url(media_id).status_code == 400


def test_delete(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "Delete media", "unless deleted earlier". Silent on the answer: Meta's ``success``."""
    media_id, kept = one.uploaded(b"a"), one.uploaded(b"b")
    answer = one.delete(media_id)
    assert answer.status_code == 200
    assert answer.json() == {"success": True}
    assert one.media_url(media_id).status_code == 400
    assert sandbox.live_media_ids(one.api_key) == [kept]
    assert one.stats()["deletes"] == 1


def test_delete_of_what_is_not_there(one: Caller) -> None:
    """The page is silent: Meta's "Unsupported delete request"."""
    media_id = one.uploaded()
    one.delete(media_id)
    for each in (media_id, "1094408688491179"):
        answer = one.delete(each)
        assert answer.status_code == 400
        assert error_of(answer)["code"] == 100
        assert error_of(answer)["message"].startswith("Unsupported delete request.")
        assert "does not exist" in error_of(answer)["message"]


def test_equal_content_outlives_one_of_its_media(one: Caller, other: Caller) -> None:
    """Page: "Delete media" deletes one media ID, not what others have of the same bytes."""
    first, second = one.uploaded(b"shared"), other.uploaded(b"shared")
    one.delete(first)
    assert other.get(other.link(second)).content == b"shared"


def test_each_content_is_kept_once_and_removed_with_its_last_media(
    tmp_path: Path, calling: CallerFactory
) -> None:
    """Nothing of the page: what the sandbox keeps on disk."""
    with RunningSandbox(state=tmp_path) as sandbox:
        one = calling(sandbox.url)
        ids = [one.uploaded(b"same") for _ in range(3)]
        assert len(list((tmp_path / "contents").iterdir())) == 1
        for each in ids:
            one.delete(each)
        assert list((tmp_path / "contents").iterdir()) == []
        one.uploaded(b"to expire")
        sandbox.advance(30 * DAY)
        assert list((tmp_path / "contents").iterdir()) == []
        assert list((tmp_path / "incoming").iterdir()) == []


def test_a_restart_keeps_ids_links_and_time(tmp_path: Path, calling: CallerFactory) -> None:
    """Page: "stored for 30 days": a restart of the provider is nobody's business."""
    with RunningSandbox(state=tmp_path) as sandbox:
        one = calling(sandbox.url)
        media_id, gone = one.uploaded(b"kept"), one.uploaded(b"gone")
        one.delete(gone)
        sandbox.advance(29 * DAY)
        path = one.link(media_id).removeprefix(sandbox.url)
    with RunningSandbox(state=tmp_path) as sandbox:
        one = calling(sandbox.url)
        assert sandbox.live_media_ids(one.api_key) == [media_id]
        assert one.get(sandbox.url + path).content == b"kept"
        assert one.media_url(gone).status_code == 400
        sandbox.advance(DAY)
        assert one.media_url(media_id).status_code == 400


def test_a_state_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    """Nothing of the page: two sandboxes on one directory are refused with a sentence."""
    with (
        RunningSandbox(state=tmp_path),
        pytest.raises(StateInUse, match="another directory"),
    ):
        RunningSandbox(state=tmp_path)


def test_what_was_half_received_is_removed_at_the_next_start(tmp_path: Path) -> None:
    """Nothing of the page: a killed sandbox leaves no litter for ever."""
    with RunningSandbox(state=tmp_path):
        pass
    (tmp_path / "incoming" / f"{'a1' * 16}.part").write_bytes(b"half")
    mail = tmp_path / "incoming" / "mail"
    mail.write_bytes(b"A user's, who named a folder with one of the same name.")
    with RunningSandbox(state=tmp_path):
        assert list((tmp_path / "incoming").iterdir()) == [mail]
    with sqlite3.connect(tmp_path / "store.sqlite3") as opened:
        assert opened.execute("SELECT count(*) FROM media").fetchone() == (0,)
    opened.close()
