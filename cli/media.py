"""`greenroom media`: the IDs that the provider issued."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from rich.console import Group
from rich.table import Table

from cli.formats import console, counted, moment, plain, say
from cli.installation import open_database
from cli.json_lines import print_json
from cli.media_recheck import recheck
from cli.media_rows import coloured_state, media_as_json
from cli.media_show import show_media
from cli.new_file import new_file
from cli.options import CHANNEL, CommandT, id_channel_option, installation_options, json_option
from cli.provider_access import open_retrieval
from cli.tables import FileName, plain_table, wide_or_narrow
from greenroom.errors import Misuse
from greenroom.figures import human_size
from models.channel import get_channel
from models.media_reports import MediaReport, list_media
from models.usage_reports import UsageReport, record_dead

#: Bytes of a webhook's object: a URL and little beside it.
_LONGEST_WEBHOOK = 64 * 1024


@click.group()
def media() -> None:
    """Media IDs at the provider."""


media.add_command(recheck)
media.add_command(show_media)


@media.command("list")
@click.option("--channel", type=CHANNEL, help="Of this channel alone.")
@click.option("--all", "also_gone", is_flag=True, help="Those too that are deleted or expired.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@json_option
@installation_options
def media_list(
    *, channel: str | None, also_gone: bool, limit: int, as_json: bool, state: Path, sandbox: bool
) -> None:
    """Show media IDs, the next to expire first."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        rows = list_media(connection, now=now, channel_id=channel, also_gone=also_gone, limit=limit)
    if as_json:
        print_json({"media": [media_as_json(row, now) for row in rows]})
        return
    if not rows:
        say("No media yet.")
        return
    console.print(wide_or_narrow(partial(media_table, rows, now)))


def media_table(rows: Sequence[MediaReport], now: datetime, *, narrow: bool) -> Table:
    """A line for each ID; on a narrow terminal three, with its channel and its file below it."""
    table = plain_table()
    whole = ("Media ID, and its file", "Uploaded, last used", "Expires", "State")
    for column in whole if narrow else ("Media ID", "Channel", "File", "Uploaded", "Last used", *whole[2:]):
        table.add_column(column, overflow="fold", no_wrap=column != "State")
    for row in rows:
        names: list[FileName | str] = [plain(row.media_id), plain(row.channel_id), FileName(row.file_name)]
        uses = [moment(row.uploaded_at), moment(row.last_used_at) or "never"]
        first = [Group(*names), "\n".join(uses)] if narrow else [*names, *uses]
        table.add_row(*first, moment(row.expires_at), coloured_state(row, now))
    return table


@media.command("mark-dead")
@click.argument("channel_id", type=CHANNEL)
@click.argument("media_ids", nargs=-1, required=True)
@json_option
@installation_options
def mark_dead_(
    channel_id: str, *, media_ids: tuple[str, ...], as_json: bool, state: Path, sandbox: bool
) -> None:
    """Say that the provider did not know MEDIA_IDS of CHANNEL_ID: what is needed is uploaded anew at once."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        get_channel(connection, channel_id)
        reports = [UsageReport(channel_id=channel_id, media_id=media_id, at=now) for media_id in media_ids]
        dead = record_dead(connection, reports, now=now)
    if as_json:
        print_json({"channel": channel_id, "marked_dead": dead})
        return
    say(f"{counted(dead, 'media ID')} taken out of service.")


def _force_option(command: CommandT) -> CommandT:
    return click.option("--force", is_flag=True, help="Put it in the place of a file that is there.")(command)


@media.command("url")
@click.argument("media_id")
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file that it is written to; - for standard output.",
)
@_force_option
@id_channel_option
@installation_options
def url(media_id: str, *, to: Path, force: bool, channel: str | None, state: Path, sandbox: bool) -> None:
    """Write the URL of MEDIA_ID's file, at the API's host, to a file that nobody else can read.

    It is valid for 5 minutes and confidential: with the API key, whoever has it can fetch the file.
    """
    with open_retrieval(state, sandbox=sandbox, channel=channel, media_id=media_id) as retrieval:
        if str(to) == "-":
            link = retrieval.provider.media_link(retrieval.look_up(media_id))
            click.echo(link.get_secret_value())
            return
        with new_file(to, force=force) as file:
            link = retrieval.provider.media_link(retrieval.look_up(media_id))
            file.write(f"{link.get_secret_value()}\n".encode())
    say(f"The URL is in {to}. It is valid for 5 minutes.")


@media.command("download")
@click.argument("media_id", required=False)
@click.option(
    "--url-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A file with the URL of a webhook, or with its object that has one, in place of MEDIA_ID; - for "
    "standard input.",
)
@click.option(
    "--to", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file it is written to."
)
@_force_option
@id_channel_option
@installation_options
def download(
    media_id: str | None,
    *,
    url_file: Path | None,
    to: Path,
    force: bool,
    channel: str | None,
    state: Path,
    sandbox: bool,
) -> None:
    """Download MEDIA_ID's file, or one that a message came with, to a file that nobody else can read.

    It has its name once it is whole and has the size and the SHA-256 that the provider said. The URL of a
    webhook is valid for 7 days and confidential: it is read from a file, and never from the command line.
    """
    if (media_id is None) == (url_file is None):
        raise click.UsageError("Give a MEDIA_ID, or a --url-file.")
    webhook = None if url_file is None else _read_webhook(url_file)
    with (
        open_retrieval(state, sandbox=sandbox, channel=channel, media_id=media_id) as retrieval,
        new_file(to, force=force) as file,
    ):
        if webhook is not None:
            copy = retrieval.download_inbound(webhook, file)
        else:
            copy = retrieval.download(media_id or "", file)
    say(f"{human_size(copy.size)} in {to}, SHA-256 {copy.sha256}")


def _read_webhook(path: Path) -> str:
    """What stands there; nothing of it is ever quoted."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_LONGEST_WEBHOOK + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_LONGEST_WEBHOOK + 1)
        text = data.decode()
    except OSError as error:
        raise Misuse(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Misuse(f"{path} is no text.") from None
    if len(data) > _LONGEST_WEBHOOK:
        raise Misuse(f"{path} holds more than a URL or the object of a webhook.")
    return text


@media.command("delete")
@click.argument("media_id")
@click.option("--force", is_flag=True, help="Also where a campaign needs it; its file is uploaded anew.")
@id_channel_option
@installation_options
def delete(media_id: str, *, force: bool, channel: str | None, state: Path, sandbox: bool) -> None:
    """Delete MEDIA_ID at the provider, unless a campaign needs it."""
    with open_retrieval(state, sandbox=sandbox, channel=channel, media_id=media_id) as retrieval:
        was_there = retrieval.delete(media_id, force=force)
    say(
        f"Media {media_id} of channel {retrieval.channel_id} is {'deleted' if was_there else 'gone already'}."
    )
