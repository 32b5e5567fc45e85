"""`greenroom media`: the IDs that the provider issued."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.formats import console, counted, moment, plain, say
from cli.installation import open_database
from cli.options import CHANNEL, installation_options
from cli.tables import FileName, plain_table
from models.channel import get_channel
from models.media_reports import MediaReport, list_media
from models.usage_reports import UsageReport, record_dead


@click.group()
def media() -> None:
    """Media IDs at the provider."""


@media.command("list")
@click.option("--channel", type=CHANNEL, help="Of this channel alone.")
@click.option("--all", "also_gone", is_flag=True, help="Those too that are deleted or expired.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@installation_options
def media_list(*, channel: str | None, also_gone: bool, limit: int, state: Path, sandbox: bool) -> None:
    """Show media IDs, the next to expire first."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        rows = list_media(connection, now=now, channel_id=channel, also_gone=also_gone, limit=limit)
    if not rows:
        say("No media yet.")
        return
    table = plain_table()
    for column in ("Media ID", "Channel", "File", "Uploaded", "Last used", "Expires", "State"):
        table.add_column(column, overflow="fold", no_wrap=column == "Media ID")
    for row in rows:
        table.add_row(
            plain(row.media_id),
            plain(row.channel_id),
            FileName(row.file_name),
            moment(row.uploaded_at),
            moment(row.last_used_at) or "never",
            moment(row.expires_at),
            _state(row, now),
        )
    console.print(table)


@media.command("mark-dead")
@click.argument("channel_id", type=CHANNEL)
@click.argument("media_ids", nargs=-1, required=True)
@installation_options
def mark_dead_(channel_id: str, *, media_ids: tuple[str, ...], state: Path, sandbox: bool) -> None:
    """Say that the provider did not know MEDIA_IDS of CHANNEL_ID: what is needed is uploaded anew at once."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        get_channel(connection, channel_id)
        reports = [UsageReport(channel_id=channel_id, media_id=media_id, at=now) for media_id in media_ids]
        dead = record_dead(connection, reports, now=now)
    say(f"{counted(dead, 'media ID')} taken out of service.")


def _state(row: MediaReport, now: datetime) -> str:
    if row.deleted_at is not None:
        return f"deleted {moment(row.deleted_at)}"
    if row.expires_at <= now:
        return "[red]expired[/red]"
    return "[green]live[/green]" if row.is_current else "[yellow]to be deleted[/yellow]"
