"""The embedded stack's database at its newest revision: a new one made at once, an older one by Alembic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from greenroom.errors import Misuse
from models import Database
from models.schema import create_schema, is_empty, revision_of
from worker.checkout import CHECKOUT

REVISIONS = CHECKOUT / "migrations" / "versions"


def newest_revision() -> str:
    """What Alembic calls `head`: the file of each revision begins with its number."""
    return max(path.name.partition("_")[0] for path in REVISIONS.glob("[0-9]*_*.py"))


def prepare_database(url: SecretStr, folder: Path) -> None:
    """Bring the database to the newest revision; nothing of it is open afterwards.

    Alembic takes as long to load as all the rest to start, so that it is asked only where there is an older
    revision: in a process of its own, in this folder, by the settings of the environment.

    Raises:
        Misuse: it cannot be done, with the reason.
    """
    newest = newest_revision()
    database = Database(url)
    try:
        with database.write() as connection:
            if is_empty(connection):
                create_schema(connection, newest)
                return
            if revision_of(connection) == newest:
                return
    finally:
        database.close()
    result = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(CHECKOUT / "alembic.ini"), "upgrade", "head"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise Misuse(f"The database could not be brought up to date:\n{result.stderr[-2000:]}")
