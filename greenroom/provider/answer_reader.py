"""Code and text found in an answer's body, whichever of the formats that are met it has."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from greenroom.provider.error_table import LONGEST_WAIT_SECONDS, Endpoint, ProviderAnswer
from greenroom.provider.quoting import quoted

#: Where the formats have their sentence; 360dialog spells its own in two ways.
_SENTENCES = ("message", "title", "developer_message", "developerMessage", "detail", "details", "msg")
#: Characters of a ``Retry-After``, of which a date has 29.
_LONGEST_DATE = 100


def read_answer(
    endpoint: Endpoint,
    status: int,
    body: bytes,
    *,
    retry_after: str | None = None,
    now: datetime | None = None,
    secrets: tuple[str, ...] = (),
) -> ProviderAnswer:
    """Find code and text in a body of any of the formats that are met, or in none of them.

    Args:
        endpoint: which one was asked.
        status: the HTTP status.
        body: the first bytes of the body, undone of any compression.
        retry_after: the header of that name, if any.
        now: the present moment, for a ``retry_after`` that is a date.
        secrets: strings that must not appear in the answer's text.
    """
    text = body.decode(errors="replace")
    try:
        found = code_and_text(json.loads(text))
    except (ValueError, RecursionError):
        found = (None, _plain(text))
    code, said = found
    return ProviderAnswer(
        endpoint=endpoint,
        status=status,
        code=code,
        text=quoted(said, secrets=secrets),
        retry_after=seconds_to_wait(retry_after, now or datetime.now(UTC)),
    )


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """A ``Retry-After`` header in seconds, whether it gives seconds or a date; None for nonsense.

    Never more than :data:`LONGEST_WAIT_SECONDS`, whatever it says.
    """
    if header is None or len(header) > _LONGEST_DATE:
        return None
    value = header.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return min(float(value), LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000" in a date: RFC 9110 knows only GMT
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_WAIT_SECONDS)


def code_and_text(body: Any) -> tuple[int | None, str]:
    """Code and text in Meta's format, in 360dialog's own ones, or in the older API's."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, dict):
        return None, body if isinstance(body, str) else ""
    for name in ("error", "errors", "meta"):  # Meta; the older API; 360dialog
        inner = body.get(name)
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if isinstance(inner, dict):
            return _code(inner.get("code")), _sentence(inner)
        if isinstance(inner, str):
            return _code(body.get("code")), inner
    return _code(body.get("code")), _sentence(body)


def _sentence(body: dict[str, Any]) -> str:
    data = body.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    said = [body.get(name) for name in _SENTENCES]
    # "detail" may be a list of objects, each with a "msg".
    flat = [_sentence(_first(one)) if isinstance(one, list) else one for one in (*said, details)]
    return ": ".join(dict.fromkeys(one for one in flat if isinstance(one, str) and one))


def _first(objects: list[Any]) -> dict[str, Any]:
    return objects[0] if objects and isinstance(objects[0], dict) else {}


def _code(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if known else None


def _plain(text: str) -> str:
    """What a page of HTML is called, or the text itself."""
    title = re.search(r"<title[^>]{0,99}>([^<]{0,500})</title", text, re.IGNORECASE)
    if title:
        return title[1]
    return "" if "<html" in text[:1000].lower() or "<!doctype" in text[:1000].lower() else text
