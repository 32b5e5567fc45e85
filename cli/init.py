"""`greenroom init`: the settings of a production, with a key and passwords of their own."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from cli.formats import say
from cli.given_options import STANDARD_INPUT as STANDARD_OUTPUT
from cli.new_file import new_file
from greenroom.errors import Misuse
from greenroom.vault import new_secret_key
from worker.checkout import CHECKOUT

#: Every setting with its comment and its default (`python -m tests.docs.tables`); what is made here is empty.
EXAMPLE = CHECKOUT / ".env.example"
_FIRST_LINE = (
    "# Made by `greenroom init`; docker compose and the greenroom command read it. Keep it to yourself."
)
#: Bytes of a password, which is written in hexadecimal digits: it becomes a part of addresses.
PASSWORD_BYTES = 24


@click.command()
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=".env",
    show_default=True,
    help="The file to write; - for standard output.",
)
@click.option(
    "--force", is_flag=True, help="In place of a file that is there, which is kept beside it as *.old."
)
def init(*, target: Path, force: bool) -> None:
    """Write a `.env` for production, with a fresh secret key and passwords, readable for you alone.

    It has every setting with its comment and its default, and is ready for docker compose.
    """
    text = settings_file()
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    if force and target.exists():
        _keep(target)
    with new_file(target, force=force) as file:
        file.write(text.encode())
    say(f"{target} has a new secret key and new passwords; nobody but you can read it.")
    say("Keep a copy of the key where the backups of the database are not. Next: docker compose up --detach")


def settings_file() -> str:
    """The example of an environment, with what has to be secret made this moment."""
    _, _, rest = EXAMPLE.read_text(encoding="utf-8").partition("\n")
    return "\n".join(_filled_in(line) for line in (_FIRST_LINE, *rest.split("\n")))


def _filled_in(line: str) -> str:
    empty = line.endswith("=") and not line.startswith("#")
    return f"{line}{_secret(line.removesuffix('='))}" if empty else line


def _secret(name: str) -> str:
    """What is made for a variable that the example leaves empty; nothing where it may stay so."""
    if name.endswith("_PASSWORD"):
        return secrets.token_hex(PASSWORD_BYTES)
    return new_secret_key().get_secret_value() if name.endswith("_SECRET_KEY") else ""


def _keep(target: Path) -> None:
    """What is encrypted under the key of a file that is replaced is lost with it: the file stays.

    Raises:
        Misuse: one of before is kept there already, or it cannot be written.
    """
    kept = target.with_name(f"{target.name}.old")
    try:
        kept.hardlink_to(target)
    except FileExistsError:
        raise Misuse(
            f"{kept} is there already, perhaps with a key that is needed. Move it away first."
        ) from None
    except OSError as error:
        raise Misuse(f"{kept} cannot be written: {error.strerror}") from error
