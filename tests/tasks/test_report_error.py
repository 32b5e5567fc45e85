"""What webhooks say of failed messages: dead IDs are replaced, bad files told, and all else left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from greenroom.contract import LONGEST_ERROR_TEXT, MOST_ERRORS
from greenroom.messages import message_for
from models.channel import get_channel
from models.item_reports import ItemReport, campaign_items
from models.progress import ItemStatus
from tasks.prepare import prepare
from tasks.report_error import REPLACED_LATELY, report_error
from tasks.resolve import resolve
from tests.support.rows import asset_row, item_rows
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

DEAD = {
    "code": 100,
    "title": "(#100) Param image['id'] is not a valid whatsapp business account media attachment ID",
}
BARE = {"code": 131053, "title": "Media upload error", "message": "Media upload error"}
UNSENDABLE = {**BARE, "error_data": {"details": "Unsupported Image mime type image/jpeg."}}
NOT_OURS = {"code": 131026, "title": "Message undeliverable", "href": "https://example.com/?hash=secretHash"}


@pytest.fixture
def item(make_image: MakeImage) -> dict[str, str]:
    """The campaign's only line."""
    return {"ref": "hero", "source": str(make_image())}


@pytest.fixture
def media_id(world: World, item: dict[str, str]) -> str:
    """The ID of a campaign's only file."""
    prepare(world.context, world.campaign(days=25), [item])
    inspect_all(world)
    upload_all(world)
    return resolved(world) or ""


def resolved(world: World) -> str | None:
    """What a scheduler is answered."""
    return resolve(world.context, "spring", ["hero"]).get("hero")


def report(world: World, media_id: str | None, *errors: Any, channel: str = CHANNEL) -> dict[str, int]:
    """What a webhook said just now."""
    return report_error(world.context, [[channel, media_id, world.clock.now().isoformat(), list(errors)]])


def item_report(world: World) -> ItemReport:
    """What a campaign manager sees."""
    with world.database.read() as connection:
        (found,) = campaign_items(connection, "spring", now=world.clock.now())
    return found


def test_a_dead_id_is_replaced_at_once(world: World, media_id: str) -> None:
    """As by `mark_dead`, and counted as an early death; once, however many messages failed."""
    world.published.clear()
    assert report(world, media_id, DEAD) == {"dead": 1, "fault": 0, "ignored": 0}
    assert [message.name for message in world.published] == ["media.dispatch"]
    assert report(world, media_id, DEAD) == {"dead": 0, "fault": 0, "ignored": 0}
    assert resolved(world) is None
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).early_deaths == 1


def test_a_message_that_failed_within_the_second_of_the_upload(world: World, item: dict[str, str]) -> None:
    """Webhooks tell whole seconds: by them it failed before its file was there."""
    world.clock.advance(timedelta(milliseconds=600))
    prepare(world.context, world.campaign(days=25), [item])
    inspect_all(world)
    upload_all(world)
    at = world.clock.now().replace(microsecond=0).isoformat()
    assert report_error(world.context, [[CHANNEL, resolved(world), at, [DEAD]]])["dead"] == 1
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).shortest_life_seconds == 0


def test_a_file_that_cannot_be_sent_is_told_to_its_campaign(
    world: World, media_id: str, item: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """With the provider's own words; it is not uploaded again until somebody hands it over again."""
    assert report(world, media_id, UNSENDABLE) == {"dead": 0, "fault": 1, "ignored": 0}
    found = item_report(world)
    assert (found.status, found.reason, found.media_id) == (ItemStatus.FAILED, "refused_by_provider", None)
    assert found.detail == (
        "WhatsApp took the file, and could not send it: code 131053: Media upload error: Unsupported Image "
        "mime type image/jpeg."
    )
    assert "1 files were given up" in caplog.text
    assert resolved(world) is None
    assert upload_all(world)["uploaded"] == 0
    assert report(world, media_id, UNSENDABLE)["fault"] == 0
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).early_deaths == 0
    prepare(world.context, world.campaign(days=25), [item])
    assert upload_all(world)["uploaded"] == 1
    assert resolved(world) not in (None, media_id)
    assert item_report(world).detail == ""


def test_an_error_that_says_little_is_the_ids_fault_first_and_the_files_then(
    world: World, media_id: str
) -> None:
    """A dead ID may fail so; the one that replaces it can only fail so for the file's sake."""
    assert report(world, media_id, BARE)["dead"] == 1
    assert upload_all(world)["uploaded"] == 1
    second = resolved(world)
    assert report(world, media_id, BARE) == {"dead": 0, "fault": 0, "ignored": 0}
    assert resolved(world) == second
    assert report(world, second, BARE)["fault"] == 1
    assert item_report(world).status is ItemStatus.FAILED


def test_long_after_a_replacement_it_is_the_ids_fault_again(world: World, media_id: str) -> None:
    """A file that was sent for weeks is not to blame."""
    assert report(world, media_id, BARE)["dead"] == 1
    upload_all(world)
    world.clock.advance(REPLACED_LATELY + timedelta(seconds=1))
    assert report(world, resolved(world), BARE)["dead"] == 1


def test_a_file_that_was_sent_as_what_it_is_not_is_not_to_blame(
    world: World, media_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is its ID: the message was wrong."""
    wrong = {**BARE, "error_data": {"details": "Unsupported Sticker mime type image/jpeg."}}
    with caplog.at_level("INFO"):
        assert report(world, media_id, wrong)["ignored"] == 1
    assert "it was sent as what it is not" in caplog.text
    assert resolved(world) == media_id


def test_everything_else_is_ignored_and_logged(
    world: World, media_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for all of a batch; nothing of what an address holds."""
    at = world.clock.now().isoformat()
    rows = [[CHANNEL, media_id, at, [NOT_OURS]]] * 3 + [[CHANNEL, None, at, [DEAD]]]
    with caplog.at_level("INFO"):
        assert report_error(world.context, rows) == {"dead": 0, "fault": 0, "ignored": 4}
    (line,) = [record.getMessage() for record in caplog.records if "not about media" in record.getMessage()]
    assert "4 failed messages are not about media, and ignored; the first: code 131026" in line
    assert "secretHash" not in line
    assert resolved(world) == media_id
    assert asset_row(world, item_rows(world)[0].asset_id).detail == ""


def test_of_several_errors_the_one_about_media_counts(world: World, media_id: str) -> None:
    """In whatever order."""
    assert report(world, media_id, NOT_OURS, DEAD)["dead"] == 1


def test_another_number_s_id_and_a_report_from_before_the_upload_change_nothing(
    world: World, media_id: str
) -> None:
    """As with `mark_dead`."""
    world.add_channel("4930", "another-key")
    assert report(world, media_id, UNSENDABLE, channel="4930")["fault"] == 0
    before = (world.clock.now() - timedelta(days=1)).isoformat()
    assert report_error(world.context, [[CHANNEL, media_id, before, [UNSENDABLE]]])["fault"] == 0
    assert resolved(world) == media_id


HOSTILE: list[Any] = [
    None,
    7,
    [],
    ["49", "1"],
    [CHANNEL, "1", "yesterday", [DEAD]],
    [CHANNEL, "../x y", "AT", [DEAD]],
    ["../../etc", "1", "AT", [DEAD]],
    [CHANNEL, "1", "AT", []],
    [CHANNEL, "1", "AT", DEAD],
    [CHANNEL, "1", "AT", [{}]],
    [CHANNEL, "1", "AT", [{"code": -1}]],
    [CHANNEL, "1", "AT", [{"code": 10**400}]],
    [CHANNEL, "1", "AT", [{"code": [131053]}]],
    [CHANNEL, "1", "AT", [DEAD] * (MOST_ERRORS + 1)],
    [CHANNEL, "1", "AT", [{"code": 1, "title": "x" * (LONGEST_ERROR_TEXT + 1)}]],
    [CHANNEL, "1", "AT", [{"code": 1, "error_data": "x"}]],
    [CHANNEL, "1", "AT", [{"code": 1, "title": {"a": []}}]],
    [CHANNEL, "1", "AT", [{"code": 1, "title": "\ud800"}]],
]


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: repr(row)[:40])
def test_what_cannot_be_read_costs_no_other(
    world: World, media_id: str, row: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, and the log says so in one short line."""
    at = world.clock.now().isoformat()
    row = [at if part == "AT" else part for part in row] if isinstance(row, list) else row
    assert report_error(world.context, [row, [CHANNEL, media_id, at, [DEAD]]])["dead"] == 1
    (line,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert "1 of 2 failed messages cannot be read" in line
    assert len(line) < 500


def test_words_that_would_drive_a_terminal_or_open_a_file_are_kept_out(world: World, media_id: str) -> None:
    """What a campaign is told is one printable line, without the query of any address."""
    details = "Unsupported type\x1b[2J\n https://example.com/x?hash=secretHash \0 \u202e" + "y" * 4_000
    assert report(world, media_id, {**BARE, "error_data": {"details": details}})["fault"] == 1
    detail = item_report(world).detail
    assert detail.isprintable()
    assert "secretHash" not in detail
    assert len(detail) < 400


Send = Callable[..., requests.Response]


@pytest.fixture
def send(world: World) -> Send:
    """Send a media ID at the provider."""

    def post(media_id: str, category: str = "image") -> requests.Response:
        message = message_for(media_id, to="+49 30 901820", category=category)
        headers = {"D360-API-KEY": CANARY_KEY}
        return requests.post(f"{world.sandbox.url}/messages", json=message, headers=headers, timeout=30)

    return post


def test_what_the_sandbox_tells_can_be_reported_as_it_is(world: World, media_id: str, send: Send) -> None:
    """A whole send-out: refused at once for a dead ID, and failed later by a webhook."""
    world.sandbox.faults({"on": "message", "times": 1, "fail": {"details": "Unsupported codec."}})
    assert send(media_id).status_code == 200
    (status,) = world.sandbox.failed_statuses(CANARY_KEY)
    world.sandbox.faults({"forget_media": [media_id]})
    refused = send(media_id)
    assert refused.status_code == 400
    assert report(world, media_id, refused.json()["error"])["dead"] == 1
    upload_all(world)
    again = resolved(world)
    assert send(again or "").status_code == 200
    assert report(world, again, *status["errors"])["fault"] == 1
    assert "Unsupported codec." in item_report(world).detail
