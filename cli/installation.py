"""Which installation a command works on: the one that the settings name, or an embedded one in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from dotenv import dotenv_values
from pydantic import SecretStr

from cli.options import STATE, homes_of
from greenroom.errors import Misuse
from greenroom.settings_loader import load_settings
from models import Database
from worker.embedded.state_dir import StateDir

#: What stands for the address of an embedded installation's sandbox, which has another port each time.
EMBEDDED_SANDBOX = "sandbox"


def given() -> dict[str, str]:
    """What the environment and a `.env` file say; the environment wins."""
    dotenv = {name: value for name, value in dotenv_values(Path(".env")).items() if value is not None}
    return {**dotenv, **os.environ}


@contextmanager
def open_database(state: Path, *, sandbox: bool) -> Iterator[Database]:
    """The database to look into: the settings' one, or else the embedded one.

    Raises:
        Misuse: there is neither, or there are both.
    """
    database = Database(_database_url(state, sandbox=sandbox))
    try:
        yield database
    finally:
        database.close()


def _database_url(state: Path, *, sandbox: bool) -> SecretStr:
    if in_production():
        if sandbox or state != STATE:
            raise Misuse(
                "GREENROOM_DATABASE_URL is set, and --sandbox and --state look at an embedded installation. "
                "Leave one of them away."
            )
        return load_settings().database_url
    return SecretStr(embedded_home(state, sandbox=sandbox).database_url)


def embedded_home(state: Path, *, sandbox: bool) -> StateDir:
    """Where the embedded installation is that these options name.

    Raises:
        Misuse: there is none.
    """
    homes = [StateDir(folder=folder) for folder in homes_of(state, sandbox=sandbox)]
    for state_dir in homes:
        if state_dir.database.exists():
            return state_dir
    if any(StateDir(folder=folder).database.exists() for folder in homes_of(state, sandbox=not sandbox)):
        there = "leave --sandbox out" if sandbox else "add --sandbox"
        raise Misuse(
            f"There is no database in {homes[0].folder}, but there is one of runs "
            f"{'without' if sandbox else 'with'} --sandbox: {there} to look into that."
        )
    raise Misuse(
        "There is no database yet: neither GREENROOM_DATABASE_URL is set, nor has `greenroom run` left one "
        f"in {homes[0].folder}."
    )


def in_production() -> bool:
    """Whether the settings name a database, so that embedded ones are out of the question."""
    return not {"GREENROOM_DATABASE_URL", "GREENROOM_DATABASE_URL_FILE"}.isdisjoint(given())


def read_api_key() -> SecretStr | None:
    """The API key from GREENROOM_API_KEY, or from the file that GREENROOM_API_KEY_FILE names.

    Both may stand in `.env`, too.

    Raises:
        Misuse: the file cannot be read.
    """
    values = given()
    if key := values.get("GREENROOM_API_KEY", "").strip():
        return SecretStr(key)
    if name := values.get("GREENROOM_API_KEY_FILE"):
        try:
            return SecretStr(Path(name).read_text(encoding="utf-8").strip())
        except OSError as error:
            raise Misuse(
                f"GREENROOM_API_KEY_FILE names {name}, which cannot be read: {error.strerror}"
            ) from error
    return None


def ask_for_api_key() -> SecretStr:
    """The API key as it is typed on the terminal, which does not show it.

    Raises:
        Misuse: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise Misuse(
            "There is no API key, and no terminal to ask for it. Put it into GREENROOM_API_KEY, or the name "
            "of its file into GREENROOM_API_KEY_FILE."
        )
    return SecretStr(click.prompt("API key", hide_input=True, err=True))
