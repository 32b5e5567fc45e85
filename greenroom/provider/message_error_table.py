"""One table says what a failed message means for the file that it was sent with.

A message is taken with HTTP 200 and may fail later: a webhook's ``statuses[].errors[]`` says why. Most of it
is about the recipient or the account, and nothing to the file. Rows are tried from the top; the first that
fits decides. Sources: Meta's published error codes, and what people quote in public.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class MessageFault(StrEnum):
    """What is at fault, and so what is done."""

    #: The ID is taken out of service, and what is needed is uploaded anew.
    ID = "the media ID"
    #: The file is given up, and its campaigns are told why.
    FILE = "the file"
    #: The first time the ID; where that was replaced lately, the file.
    ID_OR_FILE = "the media ID, or the file"
    #: Nothing is done.
    OTHER = "neither"


@dataclass(frozen=True, kw_only=True)
class MessageError:
    """Why a message failed, read but not yet judged.

    Attributes:
        code: Meta's error code, or None.
        text: Meta's own words, already safe to quote; may be empty.
    """

    code: int | None
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (f"code {self.code}" if self.code else "", self.text) if part)

    @property
    def sent_as(self) -> str | None:
        """What the message said that the file is, where the error names that: image, voice, ..."""
        found = _SENT_AS.search(self.text)
        return None if found is None else found[1].lower()


@dataclass(frozen=True, kw_only=True)
class MessageErrorRule:
    """One line of the table: it fits where all that it names fits.

    Attributes:
        codes: Meta's codes; None fits any, and errors without a code.
        says: a pattern in the text, whatever the case; None fits any.
        fault: what is at fault.
        source: why we think so.
    """

    codes: frozenset[int] | None = None
    says: re.Pattern[str] | None = None
    fault: MessageFault
    source: str

    def fits(self, error: MessageError) -> bool:
        """Whether this row is about the error."""
        return (self.codes is None or error.code in self.codes) and (
            self.says is None or self.says.search(error.text) is not None
        )


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_SENT_AS = _words(r"\bunsupported (\w{1,20}) mime type\b")
_META = "Meta: Cloud API error codes"
_MEDIA = frozenset({131052, 131053})

MESSAGE_ERRORS: tuple[MessageErrorRule, ...] = (
    MessageErrorRule(
        says=_words(r"not a valid\b.{0,80}\bmedia attachment id"),
        fault=MessageFault.ID,
        source="public issue threads: code 100, the ID has expired or is another number's",
    ),
    MessageErrorRule(
        codes=frozenset({33, 100}),
        says=_words(r"does not exist"),
        fault=MessageFault.ID,
        source=f"{_META}: 100 (subcode 33), the object does not exist or is not ours",
    ),
    MessageErrorRule(
        codes=_MEDIA,
        says=_words(r"\bweblink\b"),
        fault=MessageFault.OTHER,
        source="shridarpatil/frappe_whatsapp, issue 87: the message had a link, which could not be fetched",
    ),
    MessageErrorRule(
        codes=_MEDIA,
        says=_words(r"\bunsupported\b|\bmime type\b|\bcodec\b|\btoo (?:large|big)\b|\bcorrupt"),
        fault=MessageFault.FILE,
        source="chatwoot/chatwoot, issue 12260; fazer-ai/chatwoot, issue 439: the type is not supported",
    ),
    MessageErrorRule(
        codes=_MEDIA,
        fault=MessageFault.ID_OR_FILE,
        source=f"{_META}: 131052 and 131053, the media cannot be had or used; dead IDs fail so, too",
    ),
    MessageErrorRule(
        fault=MessageFault.OTHER,
        source="whatever else: the recipient, the template, the account, the pace of messages",
    ),
)


def fault_of(error: MessageError) -> MessageFault:
    """What is at fault where a message failed so."""
    return next(row.fault for row in MESSAGE_ERRORS if row.fits(error))
