"""What Alembic runs: against GREENROOM_DATABASE_URL, or an engine that the program hands over."""

from __future__ import annotations

import sys

from alembic import context
from sqlalchemy import Engine

from greenroom.errors import GreenroomError
from greenroom.settings_loader import load_settings
from models import Base, Database


def run(engine: Engine) -> None:
    """Run the migrations in one transaction each."""
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
            # SQLite cannot alter tables; Alembic copies them there.
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


def engine_from_settings() -> Engine:
    """The database that the settings name; a wrong setting ends the run with its sentence."""
    try:
        return Database(load_settings().database_url).engine
    except GreenroomError as error:
        sys.exit(str(error))


run(context.config.attributes.get("engine") or engine_from_settings())
