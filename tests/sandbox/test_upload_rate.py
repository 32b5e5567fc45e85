"""The limit of uploads, over a socket."""

from __future__ import annotations

import pytest

from sandbox.error_responses import Envelope
from sandbox.latency import Latency
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import BOUNDARY, Caller, burst, connect, error_of, raw_upload, read_all

MB = 1024 * 1024


def test_26_at_once(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "A limit of 25 requests per second (RPS) per phone number": of 26 at once, one is refused."""
    statuses = burst(sandbox.url, one.api_key, 26)
    assert statuses == [200] * 25 + [429]
    counts = one.stats()
    assert (counts["arrivals"], counts["uploads"], counts["throttled"]) == (26, 25, 1)
    assert (counts["peak_rps"], counts["media"]) == (26, 25)
    assert sum(count for _second, count in counts["arrivals_per_second"]) == 26


def test_the_next_second_is_free_again(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "per second"."""
    burst(sandbox.url, one.api_key, 26)
    sandbox.advance(1)
    assert one.upload().status_code == 200


def test_another_number_is_not_slowed(sandbox: RunningSandbox, one: Caller, other: Caller) -> None:
    """Page: "per phone number"."""
    burst(sandbox.url, one.api_key, 30)
    assert other.upload().status_code == 200
    assert other.stats()["throttled"] == 0


def test_the_refusal_has_metas_format(sandbox: RunningSandbox, one: Caller) -> None:
    """The page is silent on the answer: 429 with Meta's code for the throughput of a phone number."""
    burst(sandbox.url, one.api_key, 25)
    answer = one.upload()
    assert answer.status_code == 429
    assert error_of(answer)["code"] == 130429


def test_get_and_delete_are_not_limited_by_uploads(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "there is no fixed RPS for successful retrievals"."""
    media_id = one.uploaded()
    burst(sandbox.url, one.api_key, 26)
    assert [one.media_url(media_id).status_code for _ in range(40)] == [200] * 40
    assert one.delete(media_id).status_code == 200


@pytest.mark.parametrize("mime_type", ["application/pdf", "image/gif"])
def test_a_refused_upload_with_a_large_body_is_answered(
    sandbox: RunningSandbox, one: Caller, mime_type: str
) -> None:
    """Page: "A limit of 25 requests per second": a client in mid-send gets the answer, not a broken pipe."""
    burst(sandbox.url, one.api_key, 25)
    assert one.upload_zeros(90 * MB, mime_type).status_code == 429
    sandbox.advance(1)
    assert one.upload().status_code == 200


def test_a_client_that_waits_for_100_continue_is_spared_the_body(
    sandbox: RunningSandbox, one: Caller
) -> None:
    """As above; curl asks with ``Expect: 100-continue`` before it sends a large body."""
    asking = "Expect: 100-continue\r\n"
    with connect(sandbox.url) as connection:
        head, _, body = raw_upload(one.api_key, more_headers=asking).partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")
    burst(sandbox.url, one.api_key, 25)
    with connect(sandbox.url) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 429 ")
    assert BOUNDARY.encode() in head


def test_uploads_that_are_refused_for_other_reasons_count(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "25 requests per second": requests, whatever their answer."""
    assert one.upload(b"x", "image/gif").status_code == 400
    assert burst(sandbox.url, one.api_key, 25)[-1] == 429


def test_360dialogs_own_answer() -> None:
    """The page is silent; 360dialog's error reference has HTTP 400 for its own rate limit."""
    with RunningSandbox(throttle_answer=Envelope.DIALOG) as sandbox, connect(sandbox.url) as connection:
        burst(sandbox.url, "k", 25)
        connection.sendall(raw_upload("k"))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"You have exceeded the endpoint rate limit" in answer


def test_latency_holds_every_answer_back_within_its_bounds() -> None:
    """Nothing of the page: the option, whose samples never leave the range."""
    spread = Latency.parse("50ms-1500ms")
    samples = sorted(spread.sample() for _ in range(2000))
    assert samples[0] >= 0.05
    assert samples[-1] <= 1.5
    assert 0.2 < samples[1000] < 0.36  # the geometric mean of the bounds is 0.274
    assert Latency.parse("80ms").sample() == 0.08
    assert Latency.parse("0").sample() == 0
    assert Latency.parse("1.5s") == Latency(low=1.5, high=1.5)


@pytest.mark.parametrize("text", ["", "80", "80 minutes", "90ms-20ms", "0-50ms", "-5ms", "5ms-", "nan"])
def test_a_latency_that_makes_no_sense_is_refused(text: str) -> None:
    """Nothing of the page: a wrong option is answered with a sentence."""
    with pytest.raises(ValueError, match="latency: "):
        Latency.parse(text)
