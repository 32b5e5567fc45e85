"""Quotes what the provider said, so that it can stand in an error, a log and a database."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

#: Characters that are kept of what the provider said.
LONGEST_QUOTE = 300

_HIDDEN = "[redacted]"
# A query is secret wherever it stands: `hash` in a media URL opens the file to anybody.
# Each class of characters excludes what begins the pattern, so that no text makes the search slow.
_QUERY = re.compile(r"\?[^\s\"'<>?=]*=[^\s\"'<>?]*")
_PARAMETER = re.compile(r"\b(hash|mid|ext|access_token|token|api_key)=[^\s\"'<>]+", re.IGNORECASE)


def quoted(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """One line of at most :data:`LONGEST_QUOTE` characters, with every secret and URL query redacted.

    Args:
        text: what the provider wrote.
        secrets: strings that must not appear, in whatever case or common encoding.
    """
    # The order matters: a secret laced with invisible characters shows once those are gone, and a cut
    # made before redacting could leave the first half of one.
    line = " ".join("".join(_seen(letter) for letter in text).split())
    for secret in secrets:
        line = _without(secret, line)
    line = _QUERY.sub("?" + _HIDDEN, line)
    line = _PARAMETER.sub(lambda found: f"{found[1]}={_HIDDEN}", line)
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def _seen(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter.isprintable() else ""


def _without(secret: str, line: str) -> str:
    for form in {secret, quote(secret, safe=""), html.escape(secret)} - {""}:
        line = re.sub(re.escape(form), _HIDDEN, line, flags=re.IGNORECASE)
    return line
