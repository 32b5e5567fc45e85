"""The error-based throttle of ``GET /{media-id}``, over a socket with the movable clock."""

from __future__ import annotations

import time

import pytest

from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller, error_of

MINUTE = 60
UNKNOWN = "1094408688491179"


def fail(caller: Caller, times: int, *, status: int = 400) -> None:
    """Look an unknown ID up so often, and expect that status each time."""
    assert [caller.media_url(UNKNOWN).status_code for _ in range(times)] == [status] * times


def test_the_sixth_failure_in_an_hour_blocks_for_an_hour(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "exceeds five (5) failed requests [...] within one hour, access [...] blocked [...] one hour"."""
    media_id = one.uploaded()
    fail(one, 5)
    assert one.media_url(media_id).status_code == 200
    fail(one, 1)
    assert one.media_url(media_id).status_code == 403
    assert one.stats()["blocked_until"] - time.time() == pytest.approx(60 * MINUTE, abs=20)
    sandbox.advance(59 * MINUTE)
    assert one.media_url(media_id).status_code == 403
    sandbox.advance(1 * MINUTE)
    assert one.media_url(media_id).status_code == 200
    assert one.stats()["blocked_until"] is None


def test_five_failures_in_each_hour_never_block(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "exceeds five (5) failed requests [...] within one hour"."""
    for _ in range(6):
        fail(one, 5)
        sandbox.advance(60 * MINUTE)
    assert one.media_url(one.uploaded()).status_code == 200


def test_the_answer_of_a_block(one: Caller) -> None:
    """The page has "temporarily blocked" and no status: 403, 360dialog's for a blocked endpoint."""
    fail(one, 6)
    answer = one.media_url(UNKNOWN)
    assert answer.status_code == 403
    assert error_of(answer)["code"] == 80007
    assert "temporarily blocked" in error_of(answer)["message"]


def test_running_into_the_block_adds_errors(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "20 error responses within a 60-minute window [...] 30 minutes": refusals are error responses."""
    media_id = one.uploaded()
    fail(one, 6)
    sandbox.advance(50 * MINUTE)
    fail(one, 15, status=403)  # the 21st error response in 60 minutes: blocked until minute 80
    sandbox.advance(15 * MINUTE)
    assert one.media_url(media_id).status_code == 403
    sandbox.advance(14 * MINUTE)
    assert one.media_url(media_id).status_code == 403
    sandbox.advance(1 * MINUTE)
    assert one.media_url(media_id).status_code == 200


def test_a_few_refusals_do_not_lengthen_the_hour(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "blocked for that number for one hour", and 20 error responses do not exceed 20."""
    media_id = one.uploaded()
    fail(one, 6)
    sandbox.advance(50 * MINUTE)
    fail(one, 14, status=403)
    sandbox.advance(10 * MINUTE)
    assert one.media_url(media_id).status_code == 200


def test_it_is_one_numbers_block(one: Caller, other: Caller) -> None:
    """Page: "blocked for that number"."""
    fail(one, 7 - 1)
    fail(one, 1, status=403)
    assert other.media_url(other.uploaded()).status_code == 200


def test_uploads_deletes_and_downloads_continue(one: Caller) -> None:
    """Page: "does not affect the POST /media endpoint"; the block is of "GET /{MEDIA_ID}"."""
    link = one.link(one.uploaded())
    fail(one, 6)
    media_id = one.uploaded()
    assert one.get(link).status_code == 200
    assert one.delete(media_id).status_code == 200


def test_only_failed_look_ups_count(one: Caller) -> None:
    """Page: "Error-based throttling applies only to GET requests", and successes have no limit."""
    media_id = one.uploaded()
    for _ in range(10):
        assert one.upload(b"x", "image/gif").status_code == 400
        assert one.delete(UNKNOWN).status_code == 400
        assert one.get(one.url + "/whatsapp_business/attachments/?mid=1").status_code == 404
    assert [one.media_url(media_id).status_code for _ in range(30)] == [200] * 30


def test_injected_errors_count_as_the_providers_own(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "20 error responses", "failed requests": whatever the reason of the failure."""
    media_id = one.uploaded()
    sandbox.faults({"on": "media_url", "times": 6, "answer": {"status": 502}})
    assert [one.media_url(media_id).status_code for _ in range(7)] == [502] * 6 + [403]


def test_the_counts(one: Caller) -> None:
    """Nothing of the page: what the sandbox reports of the above."""
    one.media_url(one.uploaded())
    fail(one, 6)
    fail(one, 2, status=403)
    counts = one.stats()
    assert (counts["lookups"], counts["lookup_errors"], counts["lookups_blocked"]) == (9, 6, 2)
