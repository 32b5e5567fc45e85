"""Names of campaigns and channels, for a shell that completes them: read quickly, or not at all.

Whoever presses a key is not kept waiting, so neither settings are checked nor tables loaded, which take ten
times as long as the question: it is one statement, to the database's own driver, that can write nothing.
Where there is no database, or it does not answer at once, there are no names.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, Literal

NameTable = Literal["campaigns", "channels"]
Ask = Callable[[NameTable, str], Sequence[str]]
#: Names that are offered at most: the newest.
MOST_NAMES: Final = 100
#: Seconds after which nobody waits for an answer any more.
PATIENCE: Final = 0.2
_DATABASE: Final = "GREENROOM_DATABASE_URL"


def known_names(table: NameTable, beginning: str, *, homes: Sequence[Path]) -> list[str]:
    """Names that begin so, the newest first.

    Args:
        table: of what.
        beginning: what was typed so far.
        homes: folders in which an embedded installation may be, where no settings name another one.
    """
    found: list[str] = []

    def look(ask: Ask) -> None:
        with suppress(Exception):
            found.extend(ask(table, beginning))

    with suppress(Exception):
        # Whoever listens and says nothing is left behind: nothing waits for this thread.
        thread = Thread(target=look, args=[_way_to_ask(homes)], daemon=True)
        thread.start()
        thread.join(PATIENCE)
    return [name for name in found if name.startswith(beginning) and name.isprintable()]


def _way_to_ask(homes: Sequence[Path]) -> Ask:
    url = _given_url()
    file = _file_of(url) if url else _embedded_file(homes)
    if file is not None:
        return partial(_ask_sqlite, file)
    if not url:
        return lambda _table, _beginning: ()
    # Before anybody waits: it is loaded in a tenth of a second, and never hangs.
    import psycopg  # noqa: PLC0415 - where there is PostgreSQL alone

    return partial(_ask_postgresql, psycopg.connect, url)


def _ask_sqlite(file: Path, table: NameTable, beginning: str) -> Sequence[str]:
    address = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE)) as connection:
        return _names(connection, _STATEMENT.format(table=table, mark="?"), beginning)


def _ask_postgresql(connect: Callable[..., Any], url: str, table: NameTable, beginning: str) -> Sequence[str]:
    scheme, _, rest = url.partition("://")
    address = f"{scheme.partition('+')[0]}://{rest}"
    with connect(address, options="-c default_transaction_read_only=on") as connection:
        return _names(connection, _STATEMENT.format(table=table, mark="%s"), beginning)


#: Of letters, not of a pattern: what was typed may hold a percent sign.
_STATEMENT: Final = (
    "SELECT id FROM {table} WHERE substr(id, 1, {mark}) = {mark} ORDER BY created_at DESC, id LIMIT {mark}"
)


def _names(connection: Any, statement: str, beginning: str) -> Sequence[str]:
    rows = connection.execute(statement, (len(beginning), beginning, MOST_NAMES)).fetchall()
    return [name for (name,) in rows]


def _given_url() -> str:
    """What the environment says, or a `.env`; the environment wins."""
    given: dict[str, str | None] = dict(os.environ)
    if not {_DATABASE, f"{_DATABASE}_FILE"} & given.keys() and Path(".env").is_file():
        from dotenv import dotenv_values  # noqa: PLC0415 - where there is such a file alone

        given = dict(dotenv_values(".env"))
    if file := given.get(f"{_DATABASE}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return given.get(_DATABASE) or ""


def _file_of(url: str) -> Path | None:
    """The file of an SQLite database; None for another one."""
    scheme, _, rest = url.partition("://")
    return Path(rest.partition("?")[0].removeprefix("/")) if scheme.startswith("sqlite") else None


def _embedded_file(homes: Sequence[Path]) -> Path | None:
    return next((file for home in homes if (file := home / "greenroom.db").exists()), None)
