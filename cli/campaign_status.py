"""`greenroom campaign status`: the counts of all campaigns, and all that there is to say of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from cli.campaign_list import counts_as_json, counts_table, show_campaigns
from cli.embedded_plan import installed_settings
from cli.forecast import WEEKS, show_forecast
from cli.formats import console, moment, plain, say
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import installation_options, json_option
from cli.report import rejected_table
from cli.when_ready import readiness_as_json, show_readiness
from greenroom.reasons import advice_on
from greenroom.settings import Settings
from greenroom.sources import unsigned
from models.campaign import CampaignRow, get_campaign
from models.campaign_readiness import readiness_of
from models.channel import get_channel
from models.forecast import at_risk, renewals
from models.item_reports import ItemReport, campaign_items
from models.progress import ItemStatus, Progress, campaign_progress

#: What a campaign manager has to see to.
BAD = (ItemStatus.REJECTED, ItemStatus.FAILED)


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
    if bad := list(campaign_items(connection, row.id, now=now, statuses=BAD)):
        console.print()
        console.print(rejected_table(bad))
    show_forecast(connection, row, now=now, rules_of=settings.life_rules)


def campaign_as_json(
    connection: Connection, row: CampaignRow, progress: Progress, settings: Settings, *, now: datetime
) -> dict[str, Any]:
    """The same for programs."""
    channel = get_channel(connection, row.channel_id)
    over = row.cancelled_at is not None or row.keep_until <= now
    until = min(row.keep_until, now + WEEKS * timedelta(days=7))
    weeks = [] if over else renewals(connection, row.id, now=now, until=until)
    endangered = at_risk(
        connection, now=now, rules_of=settings.life_rules, campaign_id=row.id, limit=progress.total
    )
    return {
        **counts_as_json(row, progress),
        "channel_paused_at": channel.paused_at,
        "channel_paused_reason": channel.paused_reason,
        "readiness": readiness_as_json(
            readiness_of(connection, row.id, now=now, allowed=settings.uploads_per_second), now=now
        ),
        "bad": [_bad_as_json(item) for item in campaign_items(connection, row.id, now=now, statuses=BAD)],
        "renewals": [{"week": week.monday.isoformat(), "files": week.files} for week in weeks],
        "media_at_risk": [{"ref": one.ref, "ends_at": one.ends_at, "why": one.why} for one in endangered],
    }


def _bad_as_json(item: ItemReport) -> dict[str, Any]:
    return {
        "ref": item.ref,
        "source": unsigned(item.source),
        "status": item.status,
        "reason": item.reason,
        "detail": item.detail,
        "advice": advice_on(item.reason),
    }


@click.command()
@click.argument("campaign_id", required=False)
@json_option
@installation_options
def status(campaign_id: str | None, *, as_json: bool, state: Path, sandbox: bool) -> None:
    """Show how far CAMPAIGN_ID is, or all campaigns, the latest first."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        if campaign_id is None:
            show_campaigns(connection, as_json=as_json)
            return
        row = get_campaign(connection, campaign_id)
        progress = campaign_progress(connection, campaign_id, now=now)
        settings = installed_settings(sandbox=sandbox)
        if as_json:
            print_json(campaign_as_json(connection, row, progress, settings, now=now))
            return
        console.print(counts_table([row], {row.id: progress}))
        show_campaign(connection, row, progress, settings, now=now)
