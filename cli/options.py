"""Where a command works: on the installation that the settings name, or on an embedded one in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from dotenv import dotenv_values
from pydantic import SecretStr

from greenroom.errors import Misuse
from greenroom.manifest import ManifestItem
from greenroom.settings import load_settings
from models import Database
from sandbox.latency import Latency
from worker.state_dir import StateDir

#: A campaign got ready by hand keeps its media for as long as the provider does without a refresh.
KEEP_DAYS = 30

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

STATE = Path(".greenroom")
#: Media IDs of the sandbox and of the real provider never meet in one database.
LIVE, SANDBOX, DEMO = "live", "sandbox", "demo"


def _checked_latency(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        Latency.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


def latency_option(command: CommandT) -> CommandT:
    """`--latency`, for commands that run the sandbox."""
    return click.option(
        "--latency",
        default="0",
        show_default=True,
        callback=_checked_latency,
        help="The sandbox's answer time, like 80ms or 50ms-1500ms.",
    )(command)


def keep_days_option(command: CommandT) -> CommandT:
    """`--keep-days`, for commands that hand a campaign over."""
    return click.option(
        "--keep-days",
        type=click.IntRange(1, 3650),
        default=KEEP_DAYS,
        show_default=True,
        help="Days its media must stay usable.",
    )(command)


def fix_option(command: CommandT) -> CommandT:
    """`--fix`, for commands that hand a campaign over."""
    return click.option(
        "--fix",
        is_flag=True,
        help="Send fixed copies of files that WhatsApp does not take; the originals stay.",
    )(command)


def all_to_be_fixed(items: Sequence[ManifestItem], *, all_of_them: bool) -> list[ManifestItem]:
    """The items, each of them to be fixed where that was asked for all."""
    return [item.model_copy(update={"fix": True}) if all_of_them else item for item in items]


def state_option(command: CommandT) -> CommandT:
    """`--state`, for commands that may work on an embedded installation."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=STATE,
        show_default=True,
        help="Folder of the embedded installation.",
    )(command)


def installation_options(command: CommandT) -> CommandT:
    """`--state` and `--sandbox`, for commands that look into a database."""
    sandbox = click.option(
        "--sandbox", is_flag=True, help="Look at what was run with --sandbox, not at the real provider's."
    )
    return state_option(sandbox(command))


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
    # A folder that `greenroom demo --state` or an earlier run made may be named itself.
    homes = [StateDir(folder=state / (SANDBOX if sandbox else LIVE)), StateDir(folder=state)]
    for state_dir in homes:
        if state_dir.database.exists():
            return SecretStr(state_dir.database_url)
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
