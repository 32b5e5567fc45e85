"""What signs a call-back, and how its receiver knows that it is one: HMAC-SHA256, after Standard Webhooks.

Source: the Standard Webhooks specification, "Signature scheme" and "Webhook headers": what is signed is the
ID, the moment and the body, with full stops between them; the secret is 24 to 64 bytes, in base64 behind
``whsec_``; a header may have several signatures, so that a secret can be changed. A receiver refuses what is
minutes old, for anybody may have kept it.

Needs nothing but Python.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from greenroom.clock import Clock, SystemClock
from greenroom.errors import CallbackNotAuthentic

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how one begins
#: Bytes of a secret.
SECRET_SIZES: Final = range(24, 65)
#: How far the moment of a call-back may be from the receiver's own clock.
TOLERANCE: Final = timedelta(minutes=5)
_VERSION: Final = "v1"


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of secrets, separated by commas, the newest first.

    Raises:
        ValueError: one is none, or there is none; the text says how to make one, and shows nothing.
    """
    try:
        keys = tuple(_key(part.strip()) for part in text.split(",") if part.strip())
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) not in SECRET_SIZES for key in keys):
        raise ValueError(
            f"must be {SECRET_SIZES[0]} to {SECRET_SIZES[-1]} random bytes in base64, with {SECRET_PREFIX} "
            "before them or without. Make one with: openssl rand -base64 32"
        )
    return keys


def _key(text: str) -> bytes:
    return b64decode(text.removeprefix(SECRET_PREFIX), validate=True)


def signed_headers(keys: Sequence[bytes], callback_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """The headers that a call-back goes with: one signature for each key."""
    moment = str(int(at.timestamp()))
    signatures = (f"{_VERSION},{_signature(key, callback_id, moment, body)}" for key in keys)
    return {
        ID_HEADER: callback_id,
        TIMESTAMP_HEADER: moment,
        SIGNATURE_HEADER: " ".join(signatures),
    }


def verify(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str,
    clock: Clock | None = None,
    tolerance: timedelta = TOLERANCE,
) -> dict[str, Any]:
    """What a call-back says, if it is one of Greenroom's.

    The same one may come twice, where its first answer was lost: it has the same ``id`` then.

    Args:
        body: the request's, byte by byte as it came.
        headers: the request's, in any spelling.
        secret: what ``GREENROOM_CALLBACK_SECRET`` is for the workers; several with commas between them.
        clock: tells the time; the machine's own by default.
        tolerance: how old it may be, or how far ahead.

    Returns:
        The JSON of the body; its form is in ``messages.schema.json`` under ``callback``.

    Raises:
        CallbackNotAuthentic: it is another's, was altered, or is too old.
        ValueError: the secret is none.
    """
    keys = parse_secrets(secret)
    given = {name.lower(): value for name, value in headers.items()}
    callback_id, moment = given.get(ID_HEADER, ""), given.get(TIMESTAMP_HEADER, "")
    found = given.get(SIGNATURE_HEADER, "").split()
    if not (callback_id and moment and found):
        raise CallbackNotAuthentic("The request has not all of the headers that a call-back goes with.")
    wanted = [f"{_VERSION},{_signature(key, callback_id, moment, body)}".encode() for key in keys]
    if not any(hmac.compare_digest(one, each.encode()) for one in wanted for each in found):
        raise CallbackNotAuthentic("The request is not signed with this secret, or was altered.")
    _require_recent(moment, clock or SystemClock(), tolerance)
    said: dict[str, Any] = json.loads(body)
    return said


def _require_recent(moment: str, clock: Clock, tolerance: timedelta) -> None:
    # It was signed as it stands, by whoever has the secret.
    sent = datetime.fromtimestamp(int(moment), UTC)
    if abs(clock.now() - sent) > tolerance:
        raise CallbackNotAuthentic(
            f"The call-back is of {sent.isoformat()}: too old, or one of the two clocks is wrong."
        )


def _signature(key: bytes, callback_id: str, moment: str, body: bytes) -> str:
    signed = f"{callback_id}.{moment}.".encode() + body
    return b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")
