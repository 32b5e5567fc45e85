"""Logs: what others wrote (names, answers, addresses) is made harmless on its way into a log.

Each record begins at the margin and its further lines are indented, so that nothing in it can be taken for a
record; and a terminal on which a log is read is not driven by it. Addresses lose what signs them, whoever
writes the record: Celery shows whole messages where it cannot deal with one, and arguments at DEBUG.
"""

from __future__ import annotations

import logging

from greenroom.sources import without_secrets
from greenroom.untrusted_text import LONGEST_SENTENCE, printable_lines

_INDENT = "  "
_FORMATTER = logging.Formatter()


class PrintableRecords(logging.Filter):
    """Rewrites each record of a handler once."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, with nothing in it that is not to be printed."""
        if not getattr(record, "is_printable", False):
            record.is_printable = True
            record.msg, record.args = _clean(record.getMessage()), ()
            if record.exc_info and not record.exc_text:
                record.exc_text = _FORMATTER.formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = _INDENT + _clean(record.exc_text)
        return True


def _clean(text: str) -> str:
    return printable_lines(without_secrets(text), indent=_INDENT, longest=LONGEST_SENTENCE)


_FILTER = PrintableRecords()


def make_printable(logger: logging.Logger) -> None:
    """Put the filter before all of a logger's handlers; doing so again changes nothing."""
    for handler in logger.handlers:
        handler.addFilter(_FILTER)


def quiet_libraries() -> None:
    """Keep libraries from logging addresses at DEBUG: their queries are what authorises a download.

    Requests with their addresses, and the pool each message with its body, where manifests' sources stand.
    """
    for name in ("urllib3", "requests", "celery.pool"):
        logging.getLogger(name).setLevel(logging.INFO)
