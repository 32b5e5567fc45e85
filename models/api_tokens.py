"""The tokens of who comes by HTTP: who they are, and on which channels they may work, or only read."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import JSON, Connection, Row, String, delete, false, insert, select
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
    #: Whether it changes nothing, and may be used to log in to the pages.
    read_only: Mapped[bool] = mapped_column(default=False, server_default=false())


@dataclass(frozen=True, kw_only=True)
class ApiTokenRow:
    """Whose a token is, and what it is good for; `channels` is None for all."""

    id: int
    name: str
    channels: frozenset[str] | None
    created_at: datetime
    read_only: bool


TOKEN_COLUMNS = (ApiToken.id, ApiToken.name, ApiToken.channels, ApiToken.created_at, ApiToken.read_only)


def add_token(
    connection: Connection,
    *,
    name: str,
    token: SecretStr,
    channels: Collection[str] | None,
    now: datetime,
    read_only: bool = False,
) -> None:
    """Note a token.

    Args:
        connection: an open transaction.
        name: whose it is.
        token: of which the digest is kept.
        channels: those that it may work on; None for all.
        now: the present.
        read_only: whether it changes nothing.

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
    connection.execute(insert(ApiToken).values(**values, read_only=read_only))


def token_row(connection: Connection, token: SecretStr) -> ApiTokenRow | None:
    """Whose token it is; None where it is nobody's (any more)."""
    digest = digest_of(token)
    found = connection.execute(
        select(ApiToken.digest, *TOKEN_COLUMNS).where(ApiToken.digest == digest)
    ).first()
    if found is None or not hmac.compare_digest(found.digest, digest):
        return None
    return as_token_row(found)


def list_tokens(connection: Connection) -> list[ApiTokenRow]:
    """All of them, by name."""
    return list(map(as_token_row, connection.execute(select(*TOKEN_COLUMNS).order_by(ApiToken.name))))


def revoke_token(connection: Connection, name: str) -> None:
    """Forget a token, and with it who is logged in by it; from the next request on it is nobody's.

    Raises:
        UnknownName: the name has none.
    """
    if not connection.execute(delete(ApiToken).where(ApiToken.name == name)).rowcount:
        raise UnknownName(f"{name} has no token. All that there are: greenroom token list")


def as_token_row(row: Row[*tuple[Any, ...]]) -> ApiTokenRow:
    """A row that has :data:`TOKEN_COLUMNS`."""
    limited = None if row.channels is None else frozenset(row.channels)
    return ApiTokenRow(
        id=row.id,
        name=row.name,
        channels=limited,
        created_at=row.created_at,
        read_only=row.read_only,
    )
