"""`greenroom channel`: the phone numbers that Greenroom knows, and their API keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from cli.formats import console, counted, moment, parse_span, plain, say, span
from cli.installation import ask_for_api_key, open_database, read_api_key
from cli.json_lines import print_json
from cli.options import CHANNEL, installation_options, json_option
from cli.tables import NARROW, plain_table, wide_or_narrow
from greenroom.errors import Misuse, SettingsError
from greenroom.settings_loader import load_settings
from greenroom.vault import Vault, new_secret_key
from models import Database
from models.channel import (
    ChannelRow,
    add_channel,
    get_channel,
    list_channels,
    pause_channel,
    replace_encrypted_key,
    resume_channel,
    set_media_life,
)

#: Of a reason for a pause, which stands in tables and sentences.
LONGEST_REASON = 500


@click.group()
def channel() -> None:
    """Phone numbers and their API keys."""


@channel.command("add")
@click.argument("channel_id", type=CHANNEL)
def add(channel_id: str) -> None:
    """Add CHANNEL_ID, or give it another API key; a paused channel is resumed.

    The key is read from GREENROOM_API_KEY, from the file that GREENROOM_API_KEY_FILE names, or asked for:
    never from the command line, where others could read it.
    """
    now = datetime.now(UTC)
    settings = load_settings()
    key = read_api_key() or ask_for_api_key()
    database = Database(settings.database_url)
    try:
        with database.write() as connection:
            add_channel(
                connection,
                channel_id=channel_id,
                api_base_url=settings.api_base_url,
                api_key=Vault(settings.secret_key).encrypt(key),
                now=now,
            )
    finally:
        database.close()
    say(f"Channel {channel_id} is ready for campaigns.")


@channel.command("list")
@json_option
@installation_options
def channel_list(*, as_json: bool, state: Path, sandbox: bool) -> None:
    """Show all channels, and which are paused and why."""
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        channels = list_channels(connection)
    if as_json:
        print_json({"channels": [_as_json(row) for row in channels]})
        return
    if not channels:
        say("No channels yet. Add one with: greenroom channel add CHANNEL_ID")
        return
    console.print(wide_or_narrow(partial(keys_table, channels), enough=NARROW))


def keys_table(channels: Sequence[ChannelRow], *, narrow: bool) -> Table:
    """A line for each; where there is no room beside it, its address stands below its name."""
    table = plain_table()
    for column in ("Channel",) if narrow else ("Channel", "At"):
        table.add_column(column, overflow="fold", no_wrap=True)
    for column in ("Media live", "Observed", "State"):
        table.add_column(column, overflow="fold")
    for row in channels:
        health = "[green]running[/green]"
        if row.paused_at is not None:
            health = f"[red]paused since {moment(row.paused_at)}[/red]: {plain(row.paused_reason)}"
        life = span(row.media_life) if row.media_life else "[dim]as set for all[/dim]"
        names = [plain(row.id), plain(row.api_base_url)]
        table.add_row(*(["\n".join(names)] if narrow else names), life, observed(row), health)
    return table


def _as_json(row: ChannelRow) -> dict[str, Any]:
    """What may be told of a channel: all but its key."""
    return {
        "channel": row.id,
        "api_base_url": row.api_base_url,
        "paused_at": row.paused_at,
        "paused_reason": row.paused_reason,
        "media_life_seconds": row.media_life_seconds,
        "early_deaths": row.early_deaths,
        "shortest_life_seconds": row.shortest_life_seconds,
        "longest_life_seconds": row.longest_life_seconds,
    }


def observed(row: ChannelRow) -> str:
    """What look-ups and senders told of how long the channel's media IDs live."""
    said = []
    if row.longest_life_seconds is not None:
        said.append(f"alive after {span(timedelta(seconds=row.longest_life_seconds))}")
    if row.shortest_life_seconds is not None:
        first = span(timedelta(seconds=row.shortest_life_seconds))
        said.append(f"[red]{counted(row.early_deaths, 'early death')}, the first after {first}[/red]")
    return ", ".join(said) or "[dim]nothing yet[/dim]"


@channel.command("set")
@click.argument("channel_id", type=CHANNEL)
@click.option(
    "--media-life",
    required=True,
    help="How long the provider keeps this number's media, like 30d, 12h or 60min; or `default`.",
)
@installation_options
def set_(channel_id: str, *, media_life: str, state: Path, sandbox: bool) -> None:
    """Say how long the provider keeps CHANNEL_ID's media, where that is not what is set for all channels.

    Media of numbers without storage live for an hour, others as long as `channel list` shows under Observed.
    """
    life = None if media_life == "default" else parse_span(media_life)
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        get_channel(connection, channel_id)
        set_media_life(connection, channel_id, life)
    say(f"Channel {channel_id}: media live {span(life) if life else 'as set for all channels'}.")


@channel.command("pause")
@click.argument("channel_id", type=CHANNEL)
@click.option("--reason", required=True, help="Why, for whoever finds it paused.")
@installation_options
def pause(channel_id: str, *, reason: str, state: Path, sandbox: bool) -> None:
    """Hold CHANNEL_ID's uploads, look-ups and deletions back until `channel resume`.

    What is on its way to the provider is let through and recorded; nothing more is begun. Files lose no
    attempts, and other channels notice nothing.
    """
    reason = " ".join(reason.split())
    if not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        raise Misuse(f"--reason must say why, in 1 to {LONGEST_REASON} printable characters.")
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        was_running = pause_channel(connection, channel_id, reason=reason, now=datetime.now(UTC))
        row = get_channel(connection, channel_id)
    if was_running:
        say(f"Channel {channel_id} is paused. Resume it with: greenroom channel resume {channel_id}")
    else:
        since, why = moment(row.paused_at), plain(row.paused_reason)
        console.print(f"Channel {plain(channel_id)} is paused already, since {since}: {why}", soft_wrap=True)


@channel.command("resume")
@click.argument("channel_id", type=CHANNEL)
@installation_options
def resume(channel_id: str, *, state: Path, sandbox: bool) -> None:
    """Resume a paused channel with the key that it has."""
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        get_channel(connection, channel_id)
        resume_channel(connection, channel_id)
    say(f"Channel {channel_id} is resumed.")


@channel.command("rotate")
def rotate() -> None:
    """Encrypt all API keys anew under the first key of GREENROOM_SECRET_KEY.

    Workers continue meanwhile, with the new key before the old one in their settings. It may be broken off
    and run again: what is encrypted under the first key already stays as it is. Exit code 1: a key could not
    be read under any of the secret keys, and which.
    """
    settings = load_settings()
    database = Database(settings.database_url)
    try:
        outcomes = encrypt_anew(database, Vault(settings.secret_key))
    finally:
        database.close()
    if outcomes["rotated"]:
        say(f"{counted(outcomes['rotated'], 'API key')} encrypted anew under the first secret key.")
    if outcomes["current"]:
        say(f"{counted(outcomes['current'], 'API key')} under it already.")
    if outcomes["unreadable"]:
        say(f"{counted(outcomes['unreadable'], 'API key')} unreadable; keep the old secret keys.", err=True)
        raise click.exceptions.Exit(1)
    say("Leave only the first key in GREENROOM_SECRET_KEY, and restart all services.")


def encrypt_anew(database: Database, vault: Vault) -> Counter[str]:
    """Each channel in a transaction of its own, so that one that cannot be read costs no other anything."""
    with database.read() as connection:
        channel_ids = [row.id for row in list_channels(connection)]
    return Counter(_encrypt_one_anew(database, vault, channel_id) for channel_id in channel_ids)


def _encrypt_one_anew(database: Database, vault: Vault, channel_id: str) -> str:
    while True:
        with database.write() as connection:
            read = get_channel(connection, channel_id).api_key
            if vault.is_current(read):
                return "current"
            try:
                written = vault.encrypt(vault.decrypt(read))
            except SettingsError as error:
                say(f"Channel {channel_id}: {error}", err=True)
                return "unreadable"
            if replace_encrypted_key(connection, channel_id, read=read, written=written):
                return "rotated"


@channel.command("new-secret-key")
def new_key() -> None:
    """Print a fresh key for GREENROOM_SECRET_KEY, under which API keys are encrypted."""
    click.echo(new_secret_key().get_secret_value())
