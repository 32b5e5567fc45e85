"""Wait until the database has this version's tables, or those of a later one.

Run with ``python -m worker.wait_for_tables``, by what starts a worker beside the migration. Tables of a later
version are fine: migrations only add, so that workers of before may run on them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from greenroom.errors import DatabaseUnavailable, GreenroomError
from greenroom.settings_loader import load_settings
from models import Database
from models.schema import revision_of
from worker.embedded.schema_upgrade import newest_revision

SECONDS_BETWEEN_LOOKS = 2.0


def wait_for_tables(database: Database, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Look until the tables are there; says once what it waits for, and each time that it has changed."""
    wanted, said = newest_revision(), ""
    while True:
        try:
            with database.read() as connection:
                found = revision_of(connection)
        except DatabaseUnavailable as error:
            state = str(error)
        else:
            if found is not None and found >= wanted:
                return
            state = f"The tables are at revision {found or 'none'}; {wanted} is needed."
        if state != said:
            print(f"{state} Waiting for: alembic upgrade head", flush=True)
            said = state
        sleep(SECONDS_BETWEEN_LOOKS)


def main() -> None:
    """Wait for the tables of the settings' database."""
    try:
        database = Database(load_settings().database_url)
    except GreenroomError as error:
        sys.exit(str(error))
    try:
        wait_for_tables(database)
    finally:
        database.close()


if __name__ == "__main__":
    main()
