"""Who is logged in to the pages: by a random word in a cookie, of which there is the digest alone.

A session ends at its time, when it is logged out, and with its token, in the same moment.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Connection, ForeignKey, String, delete, insert, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.bearer_token import digest_of
from models.api_tokens import TOKEN_COLUMNS, ApiToken, ApiTokenRow, as_token_row, token_row
from models.base import Base, BigKey, UtcDateTime
from models.locks import lock_rows

#: How long one lasts: a working day, and some more.
SESSION_LIFE: Final = timedelta(hours=12)
#: Sessions by one token at a time; beyond, the oldest one ends.
MOST_SESSIONS: Final = 100
#: Letters of what a cookie has.
SECRET_LENGTH: Final = 43


class PageSession(Base):
    """Somebody who is logged in."""

    __tablename__ = "page_sessions"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


def open_session(connection: Connection, token: SecretStr, *, now: datetime) -> SecretStr | None:
    """Log somebody in, and forget sessions that are over.

    Returns:
        What the cookie has; None where the token is nobody's (any more), or may do more than read.
    """
    row = token_row(connection, token)
    if row is None or not row.read_only:
        return None
    # Who revokes it waits, or was first.
    lock_rows(connection, ApiToken, ApiToken.id == row.id)
    kept = (
        select(PageSession.id)
        .where(PageSession.token_id == row.id)
        .order_by(PageSession.id.desc())
        .limit(MOST_SESSIONS - 1)
    )
    over = or_(
        PageSession.expires_at <= now,
        (PageSession.token_id == row.id) & PageSession.id.not_in(kept),
    )
    lock_rows(connection, PageSession, over)
    connection.execute(delete(PageSession).where(over))
    made = SecretStr(secrets.token_urlsafe(32))
    values = {"digest": digest_of(made), "token_id": row.id, "expires_at": now + SESSION_LIFE}
    connection.execute(insert(PageSession).values(**values))
    return made


def session_token(connection: Connection, secret: SecretStr, *, now: datetime) -> ApiTokenRow | None:
    """By which token somebody is logged in; None who is not (any more)."""
    statement = (
        select(*TOKEN_COLUMNS)
        .join(PageSession, PageSession.token_id == ApiToken.id)
        .where(PageSession.digest == digest_of(secret), PageSession.expires_at > now)
    )
    found = connection.execute(statement).first()
    return None if found is None else as_token_row(found)


def end_session(connection: Connection, secret: SecretStr) -> None:
    """Log somebody out; who is not logged in may be, too."""
    connection.execute(delete(PageSession).where(PageSession.digest == digest_of(secret)))
