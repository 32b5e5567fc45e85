"""One table turns every answer of the provider into an error that says what is to be done.

Rows are tried from the top; the first that fits decides. Status, code and text are looked at together,
because 360dialog answers HTTP 400 for its own rate limit, for a disabled API and for lack of payment too. A
429 is ``Throttled`` (on a look-up ``LookupBlocked``); a 400 that no row before knows is ``RequestRefused``.
An upload whose connection was cut has no answer to look at (:mod:`.response_errors`). Sent whole, it may have
arrived: :class:`greenroom.errors.AnswerLost`. Sent in part, it has not: ``ProviderUnavailable``; where not
even the connection came about, ``ProviderAway``. What is done then: :mod:`greenroom.errors`.
Sources: 360dialog's page, and Meta's published error codes (docs/reference/answers.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

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
from greenroom.reasons import Reason


class Endpoint(StrEnum):
    """The four endpoints of the provider's page."""

    UPLOAD = "upload"
    LOOKUP = "look-up"
    DOWNLOAD = "download"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class ProviderAnswer:
    """What the provider said, read but not yet judged.

    Attributes:
        endpoint: which one was asked.
        status: the HTTP status.
        code: Meta's error code in the body, or None.
        text: the provider's own sentence, already safe to quote; may be empty.
        retry_after: seconds that the provider asked to wait, or None.
    """

    endpoint: Endpoint
    status: int
    code: int | None = None
    text: str = ""
    retry_after: float | None = None

    def __str__(self) -> str:
        code = "" if self.code is None else f", code {self.code}"
        text = f": {self.text}" if self.text else ""
        return f"{self.endpoint} answered HTTP {self.status}{code}{text}"


ErrorFactory = Callable[[ProviderAnswer], GreenroomError]


def _refused(kind: type[RequestRefused | KeyRefused | AccountRestricted]) -> ErrorFactory:
    return lambda answer: kind(str(answer), status=answer.status, code=answer.code)


def _later(kind: type[TransientError]) -> ErrorFactory:
    return lambda answer: kind(str(answer), retry_after=answer.retry_after)


def _file(reason: Reason) -> ErrorFactory:
    return lambda answer: FileRejected(reason, answer.text or str(answer))


ANYWHERE = frozenset(Endpoint)
UPLOADING = frozenset({Endpoint.UPLOAD})
LOOKING_UP = frozenset({Endpoint.LOOKUP})
DOWNLOADING = frozenset({Endpoint.DOWNLOAD})
BY_ID = frozenset({Endpoint.LOOKUP, Endpoint.DELETE})
_EVERY_STATUS = range(100, 1000)


@dataclass(frozen=True, kw_only=True)
class AnswerRule:
    """One line of the table: it fits where all that it names fits.

    Attributes:
        at: the endpoints it is about.
        statuses: HTTP statuses.
        codes: Meta's codes; None fits any, and answers without a code.
        says: a pattern in the text, whatever the case; None fits any.
        becomes: the error.
        source: why we think so.
    """

    at: frozenset[Endpoint] = ANYWHERE
    statuses: range | frozenset[int] = _EVERY_STATUS
    codes: range | frozenset[int] | None = None
    says: re.Pattern[str] | None = None
    becomes: ErrorFactory
    source: str

    def fits(self, answer: ProviderAnswer) -> bool:
        """Whether this row is about the answer."""
        return (
            answer.endpoint in self.at
            and answer.status in self.statuses
            and (self.codes is None or answer.code in self.codes)
            and (self.says is None or self.says.search(answer.text) is not None)
        )


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_CLIENT_ERRORS = range(400, 500)
#: No answer can have anything wait for longer than a day; what waits has narrower bounds of its own.
LONGEST_WAIT_SECONDS = 86_400.0
_META = "Meta: Cloud API error codes"
_THREADS = "public issue threads"

TABLE: tuple[AnswerRule, ...] = (
    AnswerRule(
        at=BY_ID,
        statuses=frozenset({404, 410}),
        becomes=_refused(MediaGone),
        source="HTTP: the ID is not there (any more)",
    ),
    AnswerRule(
        says=_words(r"not a valid\b.{0,80}\bmedia attachment id"),
        becomes=_refused(MediaGone),
        source=f"{_THREADS}: code 100, the ID has expired or is another number's",
    ),
    AnswerRule(
        at=BY_ID,
        codes=frozenset({33, 100}),
        says=_words(r"does not exist"),
        becomes=_refused(MediaGone),
        source=f"{_META}: 100 (subcode 33), the object does not exist or is not ours",
    ),
    AnswerRule(
        at=UPLOADING,
        statuses=_CLIENT_ERRORS,
        says=_words(r"param file must be"),
        becomes=_file(Reason.REFUSED_BY_PROVIDER),
        source=f"{_META}: 100, the type is refused",
    ),
    AnswerRule(
        at=UPLOADING,
        codes=frozenset({131053}),
        becomes=_file(Reason.REFUSED_BY_PROVIDER),
        source=f"{_META}: 131053, the media cannot be used, mostly for its type",
    ),
    AnswerRule(
        at=UPLOADING,
        statuses=frozenset({413}),
        becomes=_file(Reason.TOO_LARGE),
        source="HTTP: content too large",
    ),
    AnswerRule(
        codes=frozenset({368, 131031, 131042}),
        becomes=_refused(AccountRestricted),
        source=f"{_META}: blocked for policy, account locked, payment issue",
    ),
    AnswerRule(
        at=UPLOADING,
        codes=frozenset({33}),
        becomes=_refused(AccountRestricted),
        source=f"{_META}: 33, the business phone number has been deleted",
    ),
    AnswerRule(
        statuses=frozenset({402}),
        becomes=_refused(AccountRestricted),
        source="HTTP: payment required",
    ),
    AnswerRule(
        statuses=frozenset({400, 403}),
        says=_words(r"\bapi\b.{0,80}\bdisabled\b|\bdisabled\b.{0,80}\bapi\b|\black of payment\b|\bunpaid\b"),
        becomes=_refused(AccountRestricted),
        source="360dialog answers 400 for a disabled API and for lack of payment",
    ),
    AnswerRule(
        at=UPLOADING,
        statuses=frozenset({400}),
        says=_words(r"\bendpoint rate limit"),
        becomes=_later(Throttled),
        source='360dialog answers 400 "exceeded the endpoint rate limit", whatever the code beside it',
    ),
    AnswerRule(
        codes=frozenset({0, 3, 10, 190, 131005}),
        becomes=_refused(KeyRefused),
        source=f"{_META}: authorisation errors",
    ),
    AnswerRule(
        codes=range(200, 300),
        becomes=_refused(KeyRefused),
        source=f"{_META}: 200-299, a permission is missing",
    ),
    AnswerRule(
        statuses=frozenset({401}),
        becomes=_refused(KeyRefused),
        source="360dialog: 401 is a wrong key",
    ),
    AnswerRule(
        at=LOOKING_UP,
        statuses=frozenset({403, 429}),
        becomes=_later(LookupBlocked),
        source="360dialog: 403 is a blocked endpoint; GET has no rate limit but the block after failures",
    ),
    AnswerRule(
        statuses=frozenset({403}),
        becomes=_refused(KeyRefused),
        source="HTTP: forbidden, and only look-ups are ever blocked for a time",
    ),
    AnswerRule(
        at=LOOKING_UP,
        statuses=frozenset({400}),
        becomes=_refused(RequestRefused),
        source="360dialog, Recommendations: a 400 on GET is not to be retried",
    ),
    AnswerRule(
        statuses=frozenset({429}),
        becomes=_later(Throttled),
        source="HTTP: too many requests",
    ),
    AnswerRule(
        codes=frozenset({4, 80007, 130429}),
        becomes=_later(Throttled),
        source=f"{_META}: throttling errors",
    ),
    AnswerRule(
        statuses=_CLIENT_ERRORS,
        says=_words(r"\brate[ -]?limit"),
        becomes=_later(Throttled),
        source='360dialog answers 400 "exceeded the endpoint rate limit"',
    ),
    AnswerRule(
        at=DOWNLOADING,
        statuses=frozenset({404, 410}),
        becomes=_later(ProviderUnavailable),
        source="Meta, Download media: on 404 ask for a new URL; only that answer says if the media is gone",
    ),
    AnswerRule(
        at=UPLOADING,
        statuses=frozenset({504}),
        becomes=_later(AnswerLost),
        source="HTTP: the gateway passed the request on and lost the answer; it may have been stored",
    ),
    AnswerRule(
        statuses=frozenset({502, 503}),
        becomes=_later(ProviderAway),
        source="360dialog: 502, the API is away; HTTP: 503, the service is unavailable",
    ),
    AnswerRule(
        codes=frozenset({2, 131016, 131057}),
        becomes=_later(ProviderAway),
        source=f"{_META}: service unavailable, maintenance",
    ),
    AnswerRule(
        codes=frozenset({1, 131000}),
        becomes=_later(ProviderUnavailable),
        source=f"{_META}: unknown error",
    ),
    AnswerRule(
        statuses=range(500, 1000),
        becomes=_later(ProviderUnavailable),
        source="HTTP: server errors",
    ),
    AnswerRule(
        statuses=frozenset({408, 425}),
        becomes=_later(ProviderUnavailable),
        source="HTTP: the server did not wait for the whole request, or wants it again",
    ),
    AnswerRule(
        at=UPLOADING,
        statuses=range(300, 400),
        becomes=_later(UploadRedirected),
        source="who answers so is not the API, or not where it was: no file would fare better",
    ),
    AnswerRule(
        statuses=range(300, 400),
        becomes=_refused(RedirectRefused),
        source="redirects within the API are followed before this table is asked",
    ),
    AnswerRule(
        becomes=_refused(RequestRefused),
        source="whatever else was understood and refused",
    ),
)


def error_of(answer: ProviderAnswer) -> GreenroomError:
    """The error that an answer other than a success means."""
    error = next(row.becomes(answer) for row in TABLE if row.fits(answer))
    error.answered_by = answer.endpoint
    return error
