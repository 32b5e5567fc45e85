"""One media ID as it is shown: for programs, and its state in colours."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli.formats import moment
from models.media_reports import MediaReport


def media_as_json(row: MediaReport, now: datetime) -> dict[str, Any]:
    """What is known of it here."""
    return {
        "media_id": row.media_id,
        "channel": row.channel_id,
        "file_name": row.file_name,
        "sha256": row.sha256,
        "mime_type": row.mime_type,
        "uploaded_at": row.uploaded_at,
        "last_used_at": row.last_used_at,
        "expires_at": row.expires_at,
        "deleted_at": row.deleted_at,
        "state": _plain_state(row, now),
    }


#: How each state of an ID is coloured.
_COLOURS = {"expired": "red", "live": "green", "to be deleted": "yellow"}


def _plain_state(row: MediaReport, now: datetime) -> str:
    if row.deleted_at is not None:
        return "deleted"
    if row.expires_at <= now:
        return "expired"
    return "live" if row.is_current else "to be deleted"


def coloured_state(row: MediaReport, now: datetime) -> str:
    """Its state, as markup."""
    if row.deleted_at is not None:
        return f"deleted {moment(row.deleted_at)}"
    state = _plain_state(row, now)
    return f"[{_COLOURS[state]}]{state}[/{_COLOURS[state]}]"
