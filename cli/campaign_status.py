"""`greenroom campaign status`: the counts of all campaigns, and all that there is to say of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table
from sqlalchemy import Connection

from cli.embedded_plan import installed_settings
from cli.forecast import show_forecast
from cli.formats import console, moment, plain, say
from cli.installation import open_database
from cli.options import installation_options
from cli.report import rejected_table
from cli.tables import plain_table
from cli.when_ready import show_readiness
from greenroom.settings import Settings
from models.campaign import CampaignRow, get_campaign, list_campaigns
from models.campaign_readiness import readiness_of
from models.channel import get_channel
from models.item_reports import campaign_items
from models.progress import ItemStatus, Progress, campaign_progress


def counts_table(campaigns: Sequence[CampaignRow], counts: Mapping[str, Progress]) -> Table:
    """A line for each campaign: how many of its files stand where."""
    table = plain_table()
    for column in ("Campaign", "Channel", "Sent at"):
        table.add_column(column, overflow="fold")
    scheduled = any(progress.scheduled for progress in counts.values())
    for column in ("Files", "Checking", *(["Scheduled"] if scheduled else []), "Uploading", "Ready", "Bad"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in campaigns:
        progress = counts[row.id]
        table.add_row(
            plain(row.id) + _remark(row),
            plain(row.channel_id),
            moment(row.send_at),
            f"{progress.total:,}",
            f"{progress.checking:,}",
            *([f"{progress.scheduled:,}"] if scheduled else []),
            f"{progress.waiting + progress.uploading:,}",
            f"[green]{progress.ready:,}[/green]",
            f"[red]{bad:,}[/red]" if (bad := progress.rejected + progress.failed) else "0",
        )
    return table


def _remark(row: CampaignRow) -> str:
    if row.cancelled_at:
        return " [red](cancelled)[/red]"
    return " [red](at risk)[/red]" if row.at_risk_since else ""


def show_campaign(
    connection: Connection, row: CampaignRow, progress: Progress, settings: Settings, *, now: datetime
) -> None:
    """Print what keeps the campaign from being ready, when it will be, bad files, and the coming weeks."""
    if row.cancelled_at is None:
        if row.upload_from is not None:
            say(f"\nIts uploads begin {moment(row.upload_from)}.")
        readiness = readiness_of(connection, row.id, now=now, allowed=settings.uploads_per_second)
        show_readiness(readiness, now=now)
    channel = get_channel(connection, row.channel_id)
    if channel.paused_at is not None:
        console.print(f"\n[red]Channel {plain(channel.id)} is paused:[/red] {plain(channel.paused_reason)}")
    if progress.hindrance:
        console.print(f"\n[yellow]Waiting to try again: {plain(progress.hindrance)}[/yellow]")
    bad_ones = (ItemStatus.REJECTED, ItemStatus.FAILED)
    if bad := list(campaign_items(connection, row.id, now=now, statuses=bad_ones)):
        console.print()
        console.print(rejected_table(bad))
    show_forecast(connection, row, now=now, rules_of=settings.life_rules)


@click.command()
@click.argument("campaign_id", required=False)
@installation_options
def status(campaign_id: str | None, *, state: Path, sandbox: bool) -> None:
    """Show how far CAMPAIGN_ID is, or all campaigns, the latest first."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        chosen = [get_campaign(connection, campaign_id)] if campaign_id else list_campaigns(connection)
        if not chosen:
            say("No campaigns yet.")
            return
        counts = {row.id: campaign_progress(connection, row.id, now=now) for row in chosen}
        console.print(counts_table(chosen, counts))
        if campaign_id:
            settings = installed_settings(sandbox=sandbox)
            show_campaign(connection, chosen[0], counts[campaign_id], settings, now=now)
