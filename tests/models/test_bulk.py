"""What goes over as an array arrives as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import BigInteger, Boolean, LargeBinary, String, select
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.types import TypeEngine

from models import Campaign, Database
from models.base import UtcDateTime
from models.bulk import add_rows, as_array
from tests.support.world import CHANNEL, World

_TEXTS = [
    "plain",
    "",
    "NULL",
    "null",
    None,
    "a,b",
    "{a}",
    '"',
    "\\",
    '\\"',
    "two\nlines\t",
    " around ",
    "grün, größer, 😀, مرحبا",
    "'; DROP TABLE item; --",
    ":name %s %(name)s",
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (String(10), _TEXTS),
        (BigInteger(), [0, -1, 2**62, None]),
        (Boolean(), [True, False, None]),
        (
            UtcDateTime(),
            [datetime(2026, 11, 24, 5, 30, 0, 123_456, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC), None],
        ),
        (String(10), []),
    ],
    ids=["texts", "numbers", "truths", "moments", "none at all"],
)
def test_an_array_arrives_as_it_was(migrated_postgres: str, kind: TypeEngine[Any], values: list[Any]) -> None:
    """PostgreSQL reads the notation that we write; nothing in a value can break out of it."""
    database = Database(SecretStr(migrated_postgres))
    try:
        with database.read() as connection:
            arrived = connection.execute(select(as_array(values, kind))).scalar_one()
    finally:
        database.close()
    assert [_as_read(value) for value in arrived] == values


def _as_read(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def test_what_cannot_be_a_member_is_refused(migrated_postgres: str) -> None:
    """Bytes would arrive as something else."""
    database = Database(SecretStr(migrated_postgres))
    try:
        with database.read() as connection, pytest.raises(StatementError, match="no notation for Binary"):
            connection.execute(select(as_array([b"a"], LargeBinary())))
    finally:
        database.close()


def test_rows_are_added_where_none_is_there(world: World) -> None:
    """Where one is, none is written, and the transaction goes on; other mistakes are not taken for that."""
    now = world.clock.now()

    def add(*ids: str, channel: str = CHANNEL) -> bool:
        rows = [{"id": name} for name in ids]
        same = {"channel_id": channel, "send_at": now, "keep_until": now, "created_at": now}
        return add_rows(connection, Campaign, rows, same=same)

    with world.database.write() as connection:
        assert add("spring", "summer")
        assert not add("autumn", "summer")
        assert add("winter")
        assert add()
        with pytest.raises(IntegrityError):
            add("one", channel="nobody's")
        found = connection.execute(select(Campaign.id).order_by(Campaign.id)).scalars().all()
    assert found == ["spring", "summer", "winter"]
