"""The tokens of schedulers that come by HTTP: who they are, and on which channels they may work."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import JSON, Connection, String, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.bearer_token import digest_of
from greenroom.errors import Misuse, UnknownName
from models.base import Base, BigKey, OutsideText, UtcDateTime
from models.channel import get_channel


class ApiToken(Base):
    """One scheduler's token; of the token itself there is the digest alone."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(OutsideText(128), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: IDs of the channels that it may work on; NULL for all.
    channels: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, kw_only=True)
class ApiTokenRow:
    """Whose a token is, and what it is good for; `channels` is None for all."""

    id: int
    name: str
    channels: frozenset[str] | None
    created_at: datetime


_COLUMNS = (ApiToken.id, ApiToken.name, ApiToken.channels, ApiToken.created_at)


def add_token(
    connection: Connection,
    *,
    name: str,
    token: SecretStr,
    channels: Collection[str] | None,
    now: datetime,
) -> None:
    """Note a token.

    Args:
        connection: an open transaction.
        name: whose it is.
        token: of which the digest is kept.
        channels: those that it may work on; None for all.
        now: the present.

    Raises:
        Misuse: the name has one already.
        UnknownName: there is no such channel.
    """
    if connection.execute(select(ApiToken.id).where(ApiToken.name == name)).first() is not None:
        raise Misuse(f"{name} has a token already. Revoke it first: greenroom token revoke {name}")
    for channel_id in channels or ():
        get_channel(connection, channel_id)
    kept = None if channels is None else sorted(set(channels))
    values = {"name": name, "digest": digest_of(token), "channels": kept, "created_at": now}
    connection.execute(insert(ApiToken).values(**values))


def token_row(connection: Connection, token: SecretStr) -> ApiTokenRow | None:
    """Whose token it is; None where it is nobody's (any more)."""
    digest = digest_of(token)
    found = connection.execute(select(ApiToken.digest, *_COLUMNS).where(ApiToken.digest == digest)).first()
    if found is None or not hmac.compare_digest(found.digest, digest):
        return None
    return _row(found.id, found.name, found.channels, found.created_at)


def list_tokens(connection: Connection) -> list[ApiTokenRow]:
    """All of them, by name."""
    return [_row(*found) for found in connection.execute(select(*_COLUMNS).order_by(ApiToken.name))]


def revoke_token(connection: Connection, name: str) -> None:
    """Forget a token; from the next request on it is nobody's.

    Raises:
        UnknownName: the name has none.
    """
    if not connection.execute(delete(ApiToken).where(ApiToken.name == name)).rowcount:
        raise UnknownName(f"{name} has no token. All that there are: greenroom token list")


def _row(number: int, name: str, channels: list[str] | None, created_at: datetime) -> ApiTokenRow:
    limited = None if channels is None else frozenset(channels)
    return ApiTokenRow(id=number, name=name, channels=limited, created_at=created_at)
