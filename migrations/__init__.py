"""The database's history, kept by Alembic; also run from the program, for the embedded database."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

CONFIGURATION = Path(__file__).resolve().parent.parent / "alembic.ini"


def configuration(engine: Engine) -> Config:
    """Alembic's configuration for this database."""
    config = Config(CONFIGURATION)
    config.attributes["engine"] = engine
    return config


def upgrade_database(engine: Engine) -> None:
    """Bring the database to the newest revision; one that is there already is left as it is."""
    command.upgrade(configuration(engine), "head")
