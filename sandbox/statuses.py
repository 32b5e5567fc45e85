"""Failed statuses: what the provider tells by webhook of messages that it took and then did not deliver.

Meta, webhooks: an object of ``statuses`` has ``id``, ``status``, ``timestamp``, ``recipient_id``, and, where
it is ``failed``, ``errors``: objects with ``code``, ``title``, ``message`` and ``error_data.details``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from greenroom.rules import BY_MIME_TYPE, MEDIA_TYPES, Category
from sandbox.message_reader import OutgoingMessage, SentMedia


@dataclass(frozen=True, kw_only=True)
class StatusError:
    """Why a message failed after it was taken.

    Attributes:
        code: Meta's error code.
        title: Meta's name for it.
        details: a sentence; may be empty.
    """

    code: int = 131053
    title: str = "Media upload error"
    details: str = ""


def new_message_id() -> str:
    """An ID as messages have them."""
    return "wamid." + secrets.token_urlsafe(32)


def wrong_type(media: SentMedia, mime_type: str) -> StatusError | None:
    """Why a file of this type cannot be sent as what the message says; None where it can.

    Quoted in chatwoot/chatwoot, issue 12260, and fazer-ai/chatwoot, issue 439: taken with HTTP 200, and told
    by webhook.
    """
    if BY_MIME_TYPE[mime_type].category == media.kind:
        return None
    taken = ", ".join(row.mime_type for row in MEDIA_TYPES if row.category == media.kind)
    kind = Category(media.kind).capitalize()
    return StatusError(details=f"Unsupported {kind} mime type {mime_type}. Please use one of {taken}.")


def failed_status(
    message: OutgoingMessage, message_id: str, error: StatusError, *, now: float
) -> dict[str, Any]:
    """The object of a webhook's ``statuses``.

    Args:
        message: what was sent.
        message_id: its ID.
        error: why it failed.
        now: seconds since 1970.
    """
    told = {"code": error.code, "title": error.title, "message": error.title}
    status: dict[str, Any] = {
        "id": message_id,
        "status": "failed",
        "timestamp": str(int(now)),
        "recipient_id": message.wa_id,
        "errors": [told | ({"error_data": {"details": error.details}} if error.details else {})],
    }
    if message.callback_data is not None:
        status["biz_opaque_callback_data"] = message.callback_data
    return status
