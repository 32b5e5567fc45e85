"""`greenroom campaign status`: the counts of all campaigns, and all that there is to say of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from cli.campaign_list import channels_table, counts_as_json, counts_table, show_campaigns
from cli.embedded_plan import installed_settings
from cli.forecast import WEEKS, show_forecast
from cli.formats import console, moment, plain, say
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import CAMPAIGN, installation_options, json_option
from cli.report import rejected_table
from cli.when_ready import readiness_as_json, show_readiness
from greenroom.readiness import Readiness, of_all
from greenroom.reasons import advice_on
from greenroom.settings import Settings
from greenroom.sources import unsigned
from models.campaign import CampaignRow, get_campaign
from models.campaign_readiness import readiness_by_channel
from models.channel import get_channel
from models.forecast import at_risk, renewals
from models.item_reports import ItemReport, campaign_items
from models.progress import ItemStatus, Progress, campaign_progress, progress_by_channel

#: What a campaign manager has to see to.
BAD = (ItemStatus.REJECTED, ItemStatus.FAILED)


def show_campaign(
    connection: Connection, row: CampaignRow, progress: Progress, settings: Settings, *, now: datetime
) -> None:
    """Print what keeps the campaign from being ready, when it will be, bad files, and the coming weeks."""
    if row.cancelled_at is None:
        if row.upload_from is not None:
            say(f"\nIts uploads begin {moment(row.upload_from)}.")
        allowed = settings.uploads_per_second
        for channel_id, readiness in readiness_by_channel(connection, row, now=now, allowed=allowed).items():
            show_readiness(readiness, now=now, channel=channel_id if row.further_channels else "")
    for channel_id in row.channels:
        channel = get_channel(connection, channel_id)
        if channel.paused_at is not None:
            console.print(
                f"\n[red]Channel {plain(channel.id)} is paused:[/red] {plain(channel.paused_reason)}"
            )
    if progress.hindrance:
        console.print(f"\n[yellow]Waiting to try again: {plain(progress.hindrance)}[/yellow]")
    if row.further_channels:
        console.print()
        console.print(channels_table(progress_by_channel(connection, row, now=now)))
    if bad := list(_bad(connection, row, now=now)):
        console.print()
        console.print(rejected_table(bad))
    show_forecast(connection, row, now=now, rules_of=settings.life_rules)


def _bad(connection: Connection, row: CampaignRow, *, now: datetime) -> Iterator[ItemReport]:
    return campaign_items(connection, row.id, now=now, statuses=BAD, channels=row.channels)


def campaign_as_json(
    connection: Connection, row: CampaignRow, progress: Progress, settings: Settings, *, now: datetime
) -> dict[str, Any]:
    """The same for programs."""
    channel = get_channel(connection, row.channel_id)
    allowed = settings.uploads_per_second
    readiness = readiness_by_channel(connection, row, now=now, allowed=allowed)
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
        "readiness": readiness_as_json(of_all(readiness.values()), now=now),
        **(_channels_as_json(connection, row, readiness, now=now) if row.further_channels else {}),
        "bad": [_bad_as_json(item) for item in _bad(connection, row, now=now)],
        "renewals": [{"week": week.monday.isoformat(), "files": week.files} for week in weeks],
        "media_at_risk": [
            {
                "ref": one.ref,
                **({"channel": one.channel_id} if row.further_channels else {}),
                "ends_at": one.ends_at,
                "why": one.why,
            }
            for one in endangered
        ],
    }


def _channels_as_json(
    connection: Connection, row: CampaignRow, readiness: Mapping[str, Readiness], *, now: datetime
) -> dict[str, Any]:
    """How far it is on each of several channels."""
    found = []
    for channel_id, progress in progress_by_channel(connection, row, now=now).items():
        channel = get_channel(connection, channel_id)
        found.append(
            {
                "channel": channel_id,
                "paused_at": channel.paused_at,
                "paused_reason": channel.paused_reason,
                "total": progress.total,
                "settled": progress.settled,
                **asdict(progress),
                "readiness": readiness_as_json(readiness[channel_id], now=now),
            }
        )
    return {"by_channel": found}


def _bad_as_json(item: ItemReport) -> dict[str, Any]:
    return {
        "ref": item.ref,
        "source": unsigned(item.source),
        "status": item.status,
        "reason": item.reason,
        "detail": item.detail,
        "advice": advice_on(item.reason),
        **({} if item.channel_id is None else {"channel": item.channel_id}),
    }


@click.command()
@click.argument("campaign_id", type=CAMPAIGN, required=False)
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
        progress = campaign_progress(connection, campaign_id, now=now, further=row.further_channels)
        settings = installed_settings(sandbox=sandbox)
        if as_json:
            print_json(campaign_as_json(connection, row, progress, settings, now=now))
            return
        console.print(counts_table([row], {row.id: progress}))
        show_campaign(connection, row, progress, settings, now=now)
