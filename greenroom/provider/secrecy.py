"""Keeps media download URLs out of urllib3's own log.

urllib3 writes each request's path with its query to its debug log, and to a warning where an answer's
headers are malformed. For a download that query opens the file to anybody, and the page calls it
confidential; a program that turns on debug logging must not spill it. So the filter here is put on urllib3's
own loggers: it rewrites nothing but records that show a media URL, and costs nothing while they are silent.
"""

from __future__ import annotations

import logging
import re

#: urllib3's loggers that can show a request's path.
WATCHED_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")

_MEDIA_URL = re.compile(r"(/whatsapp_business/attachments/?)\?[^\s\"']*")


class MediaUrlFilter(logging.Filter):
    """Takes the query off any media URL in a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without secrets."""
        message = record.getMessage()
        if "/whatsapp_business/attachments" in message:
            record.msg, record.args = _MEDIA_URL.sub(r"\1?[redacted]", message), ()
        return True


_FILTER = MediaUrlFilter()


def guard_logs() -> None:
    """Put the filter in place; doing so again changes nothing."""
    for name in WATCHED_LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
