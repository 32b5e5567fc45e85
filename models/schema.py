"""A new database's tables in one go, as the migrations would have made them."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from models.base import Base

#: Where Alembic notes which revision a database has.
VERSION_TABLE = "alembic_version"
#: What a campaign's refs can be sent as now, for whoever reads the database; as the newest revision has it.
READY_MEDIA = """
SELECT items.campaign_id, items.ref, campaigns.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN media ON media.asset_id = items.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
UNION ALL
SELECT items.campaign_id, items.ref, item_assets.channel_id, media.media_id, media.mime_type,
       media.sha256, media.expires_at
FROM items
JOIN campaigns ON campaigns.id = items.campaign_id
JOIN item_assets ON item_assets.item_id = items.id AND item_assets.token = items.token
JOIN media ON media.asset_id = item_assets.asset_id
WHERE media.is_current AND media.deleted_at IS NULL AND media.expires_at > CURRENT_TIMESTAMP
      AND campaigns.cancelled_at IS NULL
"""


def revision_of(connection: Connection) -> str | None:
    """The revision that a database has; None of one with no revision, or with none of its own."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a name of ours
    return found


def is_empty(connection: Connection) -> bool:
    """Whether a database has no table at all."""
    return not inspect(connection).get_table_names()


def create_schema(connection: Connection, revision: str) -> None:
    """Make all tables and the view in an empty database, and note that they are those of this revision."""
    Base.metadata.create_all(connection, checkfirst=False)
    for statement in (
        f"CREATE VIEW ready_media AS {READY_MEDIA}",
        (
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        ),
    ):
        connection.execute(text(statement))
    connection.execute(
        text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:revision)"),  # noqa: S608 - a name of ours
        {"revision": revision},
    )
