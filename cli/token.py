"""`greenroom token`: who may come by HTTP, to hand campaigns over or to read, and on which channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from cli.formats import console, moment, plain, say
from cli.json_lines import print_json
from cli.options import CHANNEL, json_option
from cli.tables import plain_table
from greenroom.bearer_token import new_token
from greenroom.manifest import parse_name
from greenroom.settings_loader import load_settings
from models import Database
from models.api_tokens import ApiTokenRow, add_token, list_tokens, revoke_token


@contextmanager
def _installed() -> Iterator[Database]:
    """The database of the installation that the settings name: an embedded one serves nobody."""
    with closing(Database(load_settings().database_url)) as database:
        yield database


@click.group()
def token() -> None:
    """Tokens of those who come by HTTP: schedulers, and people who read."""


@token.command("new")
@click.argument("name")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    type=CHANNEL,
    help="It may work on this one alone; may be repeated.",
)
@click.option("--read-only", is_flag=True, help="It changes nothing; a person logs in to the pages with it.")
def new(name: str, *, channels: tuple[str, ...], read_only: bool) -> None:
    """Make a token for NAME, a scheduler or a person, and print it: this once, for only a digest is kept."""
    made = new_token(read_only=read_only)
    with _installed() as database, database.write() as connection:
        add_token(
            connection,
            name=parse_name(name),
            token=made,
            channels=channels or None,
            now=datetime.now(UTC),
            read_only=read_only,
        )
    click.echo(made.get_secret_value())
    kept = "in a password manager" if read_only else "where your scheduler reads secrets"
    say(f"Keep it {kept}: it is not shown again.", err=True)


@token.command("list")
@json_option
def token_list(*, as_json: bool) -> None:
    """Show who has a token, since when, and for which channels."""
    with _installed() as database, database.read() as connection:
        tokens = list_tokens(connection)
    if as_json:
        print_json({"tokens": [_as_json(row) for row in tokens]})
        return
    if not tokens:
        say("No tokens yet. Make one with: greenroom token new NAME")
        return
    table = plain_table()
    for column in ("Name", "Since", "May", "Channels"):
        table.add_column(column, overflow="fold")
    for row in tokens:
        channels = "[dim]all[/dim]" if row.channels is None else plain(", ".join(sorted(row.channels)))
        may = "read" if row.read_only else "read and write"
        table.add_row(plain(row.name), moment(row.created_at), may, channels)
    console.print(table)


def _as_json(row: ApiTokenRow) -> dict[str, Any]:
    channels = None if row.channels is None else sorted(row.channels)
    return {
        "name": row.name,
        "channels": channels,
        "created_at": row.created_at,
        "read_only": row.read_only,
    }


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Refuse NAME's token from the next request on."""
    with _installed() as database, database.write() as connection:
        revoke_token(connection, name)
    say(f"The token of {name} is revoked.")
