"""The one table that turns answers into errors; each case is an answer seen or documented."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import (
    AccountRestricted,
    AnswerLost,
    FileRejected,
    GreenroomError,
    KeyRefused,
    LookupBlocked,
    MediaGone,
    ProviderAway,
    ProviderUnavailable,
    RedirectRefused,
    RequestRefused,
    Throttled,
    TransientError,
    UploadRedirected,
)
from greenroom.provider.answer_reader import read_answer, seconds_to_wait
from greenroom.provider.error_table import TABLE, Endpoint, error_of
from greenroom.provider.quoting import LONGEST_QUOTE, quoted
from greenroom.reasons import Reason
from sandbox.error_responses import THROTTLE_ANSWERS, ErrorAnswer, Refusal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UP, GET, LOAD, DEL = Endpoint.UPLOAD, Endpoint.LOOKUP, Endpoint.DOWNLOAD, Endpoint.DELETE


def meta(code: int, message: str = "(#0) Message", details: str | None = None) -> str:
    """A body in Meta's documented format."""
    error: dict[str, object] = {"message": message, "type": "OAuthException", "code": code}
    error |= {"fbtrace_id": "AbC"} | ({"error_data": {"details": details}} if details else {})
    return json.dumps({"error": error})


def own(text: str, status: int = 400) -> str:
    """A body in 360dialog's own format."""
    return json.dumps({"meta": {"success": False, "http_code": status, "developer_message": text}})


CASES: list[tuple[Endpoint, int, str, type[GreenroomError]]] = [
    # throttled
    (UP, 429, "", Throttled),
    (UP, 429, "<html><title>Too Many Requests</title></html>", Throttled),
    (UP, 400, own("You have exceeded the endpoint rate limit"), Throttled),
    (UP, 400, json.dumps({"detail": "exceeded the endpoint rate limit"}), Throttled),
    (UP, 400, meta(0, "exceeded the endpoint rate limit"), Throttled),
    (UP, 400, own("The rate limit was hit"), Throttled),
    (DEL, 400, own("You have exceeded the endpoint rate limit"), Throttled),
    (UP, 400, meta(4, "(#4) Application request limit reached"), Throttled),
    (UP, 403, meta(4, "(#4) Application request limit reached"), KeyRefused),
    (UP, 400, meta(80007), Throttled),
    (UP, 400, meta(130429), Throttled),
    (DEL, 429, "", Throttled),
    (LOAD, 429, "", Throttled),
    # look-ups blocked, uploads continue
    (GET, 403, "", LookupBlocked),
    (GET, 429, "", LookupBlocked),
    (GET, 403, own("Endpoint is temporarily blocked", 403), LookupBlocked),
    # a 400 on GET is never tried again
    (GET, 400, "", RequestRefused),
    (GET, 400, own("You have exceeded the endpoint rate limit"), RequestRefused),
    (GET, 400, meta(131000), RequestRefused),
    (GET, 400, meta(2), RequestRefused),
    # the file's fault
    (UP, 400, meta(100, "(#100) Param file must be a file with one of the types: audio/aac"), FileRejected),
    (UP, 400, meta(131053, "Media upload error", "Unsupported type"), FileRejected),
    (UP, 400, meta(131053, "Media upload error", "failed: ratelimit, rate limit"), FileRejected),
    (UP, 413, "<html><title>413 Request Entity Too Large</title></html>", FileRejected),
    # the ID is dead
    (GET, 400, meta(100, "Param 1 is not a valid whatsapp business account media attachment ID"), MediaGone),
    (GET, 400, meta(100, "Unsupported get request. Object with ID '1' does not exist"), MediaGone),
    (DEL, 400, meta(100, "Object with ID '1' does not exist"), MediaGone),
    (GET, 400, meta(33, "Object with ID '1' does not exist"), MediaGone),
    (GET, 404, "", MediaGone),
    (DEL, 404, json.dumps({"errors": [{"code": 1006, "title": "Resource not found"}]}), MediaGone),
    (DEL, 410, "", MediaGone),
    # a media URL that is not there says nothing of the media
    (LOAD, 404, "", ProviderUnavailable),
    (LOAD, 410, "", ProviderUnavailable),
    # a wrong path is not a dead ID
    (UP, 404, "", RequestRefused),
    (UP, 400, meta(100, "Object does not exist"), RequestRefused),
    # the key
    (UP, 401, own("Invalid api key", 401), KeyRefused),
    (GET, 401, "", KeyRefused),
    (LOAD, 401, "", KeyRefused),
    (UP, 403, "", KeyRefused),
    (DEL, 403, "", KeyRefused),
    (LOAD, 403, "", KeyRefused),
    *[(UP, 400, meta(code), KeyRefused) for code in (0, 3, 10, 190, 200, 250, 299, 131005)],
    (GET, 400, meta(190), KeyRefused),
    (GET, 403, meta(10), KeyRefused),
    # the account
    (UP, 400, meta(33), AccountRestricted),
    *[(UP, 400, meta(code), AccountRestricted) for code in (368, 131031, 131042)],
    (GET, 403, meta(131031), AccountRestricted),
    (UP, 402, "", AccountRestricted),
    (UP, 400, own("The API is disabled for this number"), AccountRestricted),
    (UP, 400, own("Disabled API due to lack of payment"), AccountRestricted),
    (UP, 403, own("Blocked: lack of payment", 403), AccountRestricted),
    # the provider is away
    *[(UP, 400, meta(code), ProviderUnavailable) for code in (1, 131000)],
    *[(UP, 400, meta(code), ProviderAway) for code in (2, 131016, 131057)],
    (UP, 503, meta(131000), ProviderAway),
    *[(UP, status, "", ProviderUnavailable) for status in (500, 520, 599)],
    *[(UP, status, "", ProviderAway) for status in (502, 503)],
    (GET, 500, meta(2), ProviderAway),
    (DEL, 504, "", ProviderUnavailable),
    (UP, 408, "", ProviderUnavailable),
    (UP, 504, "", AnswerLost),
    # refused for good
    (UP, 400, "", RequestRefused),
    (UP, 400, meta(100, "Invalid parameter"), RequestRefused),
    (UP, 400, meta(131048), RequestRefused),
    (UP, 405, "", RequestRefused),
    (UP, 422, json.dumps({"detail": [{"msg": "field required"}]}), RequestRefused),
    (UP, 418, "", RequestRefused),
    # somebody else answers
    (UP, 304, "", UploadRedirected),
    *[(endpoint, 304, "", RedirectRefused) for endpoint in (GET, LOAD, DEL)],
]


@pytest.mark.parametrize(("endpoint", "status", "body", "error"), CASES)
def test_every_answer_has_its_error(
    endpoint: Endpoint, status: int, body: str, error: type[GreenroomError]
) -> None:
    """Exactly this type: a subclass would tell the caller something else."""
    found = error_of(read_answer(endpoint, status, body.encode(), now=NOW))
    assert type(found) is error
    assert str(status) in str(found) or isinstance(found, FileRejected)


def test_every_row_is_reached_and_sourced() -> None:
    """No row stands for nothing: each decides some case, and says where it is from."""
    deciding = {
        next(number for number, row in enumerate(TABLE) if row.fits(read_answer(at, status, body.encode())))
        for at, status, body, _ in CASES
    }
    assert deciding == set(range(len(TABLE)))
    assert all(row.source for row in TABLE)


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_no_status_is_without_an_error(endpoint: Endpoint) -> None:
    """Every status means something, and a 4xx is tried again only where a row says so."""
    known = (
        {408, 425, 429} | ({403} if endpoint is GET else set()) | ({404, 410} if endpoint is LOAD else set())
    )
    known |= set(range(300, 400)) if endpoint is UP else set()
    for status in range(300, 600):
        later = isinstance(error_of(read_answer(endpoint, status, b"")), TransientError)
        assert later == (status >= 500 or status in known), status


def test_a_rejection_names_its_reason() -> None:
    """The provider's own sentence is the detail."""
    found = error_of(read_answer(UP, 400, meta(131053, "Media upload error", "Bad type").encode()))
    assert isinstance(found, FileRejected)
    assert found.reason == Reason.REFUSED_BY_PROVIDER
    assert found.detail == "Media upload error: Bad type"
    large = error_of(read_answer(UP, 413, b""))
    assert isinstance(large, FileRejected)
    assert large.reason == Reason.TOO_LARGE


def test_status_and_code_are_kept() -> None:
    """Refusals carry what the provider gave."""
    found = error_of(read_answer(UP, 400, meta(190, "Expired").encode()))
    assert isinstance(found, KeyRefused)
    assert (found.status, found.code) == (400, 190)
    assert str(found) == f"upload answered HTTP 400, code 190: Expired. {KeyRefused.advice}"


@pytest.mark.parametrize("refused", THROTTLE_ANSWERS.values(), ids=THROTTLE_ANSWERS)
def test_the_sandbox_says_it_so_that_we_understand(refused: ErrorAnswer) -> None:
    """In Meta's format and in 360dialog's: an upload too many holds the channel back, and costs no file."""
    body = Refusal(refused).response().body
    assert isinstance(body, bytes)
    assert type(error_of(read_answer(UP, refused.status, body))) is Throttled


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (meta(100, "Invalid parameter", "the details"), 100, "Invalid parameter: the details"),
        ('{"error": {"message": "M", "code": "190"}}', 190, "M"),
        ('{"error": {"message": "M", "code": true}}', None, "M"),
        ('{"error": {"message": "M", "code": ' + "9" * 4000 + "}}", None, "M"),
        ('{"error": "plain"}', None, "plain"),
        ('{"errors": [{"code": 1006, "title": "Not found", "details": "x"}]}', 1006, "Not found: x"),
        ('{"errors": [], "meta": {"developer_message": "D"}}', None, "D"),
        ('{"meta": {"http_code": 401, "developer_message": "D"}}', None, "D"),
        ('{"meta": {"httpCode": 401, "developerMessage": "D"}}', None, "D"),
        ('{"detail": "D"}', None, "D"),
        ('{"detail": [{"loc": [], "msg": "required"}]}', None, "required"),
        ('{"message": "M"}', None, "M"),
        ('[{"message": "M"}]', None, "M"),
        ('"text"', None, "text"),
        ("plain text", None, "plain text"),
        ("<html><head><title>502 Bad Gateway</title></head></html>", None, "502 Bad Gateway"),
        ("<!DOCTYPE html><body>nothing</body>", None, ""),
        ("", None, ""),
        ("null", None, ""),
        ("[]", None, ""),
        ("{}", None, ""),
        ('{"error": null}', None, ""),
        ("[" * 60_000, None, "[" * 299 + "…"),
        ('{"detail":[' * 5_000, None, ('{"detail":[' * 300)[:299] + "…"),
    ],
)
def test_bodies_of_every_format(body: str, code: int | None, text: str) -> None:
    """Code and sentence are found wherever they stand, and nonsense breaks nothing."""
    answer = read_answer(UP, 400, body.encode())
    assert (answer.code, answer.text) == (code, text)


@given(body=st.binary(max_size=400), status=st.integers(300, 599), endpoint=st.sampled_from(Endpoint))
def test_no_body_breaks_the_reading(body: bytes, status: int, endpoint: Endpoint) -> None:
    """Any bytes give some error with a sentence that can be written anywhere."""
    text = str(error_of(read_answer(endpoint, status, body, retry_after=body.decode("latin-1"))))
    assert text.isprintable()
    text.encode()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30),
        (" 2.5 ", 2.5),
        ("0", 0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("inf", None),
        ("nan", None),
        ("\u0663\u0660", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; nonsense is no wish."""
    assert seconds_to_wait(header, NOW) == seconds
    found = error_of(read_answer(UP, 429, b"", retry_after=header, now=NOW))
    assert isinstance(found, Throttled)
    assert found.retry_after == seconds


SECRET = "sEcret/key+1"


@pytest.mark.parametrize(
    "text",
    [
        f"key {SECRET} is wrong",
        f"key {SECRET.upper()} is wrong",
        "key sEcret%2Fkey%2B1 is wrong",
        "key sEc\u200bret/\x00key+1 is wrong",
        "x" * 290 + SECRET,
        "see https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&hash=sEcret/key+1 there",
    ],
)
def test_quotes_show_no_secret(text: str) -> None:
    """In no case, encoding or disguise, nor cut in half."""
    shown = quoted(text, secrets=(SECRET,))
    assert "secret" not in shown.lower().replace("[redacted]", "")
    assert "is wrong" in shown or "there" in shown or shown.endswith(("[redacted]", "…"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see /whatsapp_business/attachments/?mid=1&hash=abc for it", "attachments/?[redacted] for it"),
        ("hash=abc123 is stale", "hash=[redacted] is stale"),
        ("really? yes", "really? yes"),
        ("a\r\n\tb\x00c\u202ed", "a bcd"),
        ("lone \ud800 half", "lone half"),
    ],
)
def test_quotes_are_one_clean_line(text: str, shown: str) -> None:
    """URL queries are redacted; control and direction characters are gone."""
    assert quoted(text).endswith(shown)


@given(text=st.text(max_size=2000))
def test_quotes_are_bounded(text: str) -> None:
    """Never longer than promised, always one printable line."""
    assert len(quoted(text)) <= LONGEST_QUOTE
    assert quoted(text).isprintable()


def test_quoting_is_quick_on_hostile_text() -> None:
    """64 KiB made to upset the patterns take no time to speak of (the test's time-out would tell)."""
    for hostile in ("?" * 65_536, "<title" * 10_000, "hash=" * 13_000, "?a=" * 20_000, "a disabled " * 6_000):
        error_of(read_answer(UP, 400, hostile.encode()))
