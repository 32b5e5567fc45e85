"""`greenroom campaign list`: the counts of all campaigns, the latest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from sqlalchemy import Connection

from cli.formats import below, console, moment, plain, say, short_moment
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import installation_options, json_option
from cli.tables import plain_table, wide_or_narrow
from models.campaign import CampaignRow, list_campaigns
from models.progress import Progress, campaign_progress

#: Campaigns that are shown unless more are asked for.
DEFAULT_LIMIT = 50


def counts_table(campaigns: Sequence[CampaignRow], counts: Mapping[str, Progress]) -> Table:
    """A line for each campaign: how many of its files stand where; on a narrow terminal two."""
    return wide_or_narrow(partial(_counts_table, campaigns, counts))


def _counts_table(campaigns: Sequence[CampaignRow], counts: Mapping[str, Progress], *, narrow: bool) -> Table:
    table = plain_table(gap=1 if narrow else 2)
    for column in ("Campaign",) if narrow else ("Campaign", "Channel"):
        table.add_column(column, overflow="fold")
    table.add_column("Sent at", no_wrap=True)
    scheduled = any(progress.scheduled for progress in counts.values())
    for column in ("Files", "Checking", *(["Scheduled"] if scheduled else []), "Uploading", "Ready", "Bad"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in campaigns:
        progress = counts[row.id]
        names = [plain(row.id) + _remark(row), below().join(map(plain, row.channels))]
        table.add_row(
            *(["\n".join(names)] if narrow else names),
            short_moment(row.send_at) if narrow else moment(row.send_at),
            f"{progress.total:,}",
            f"{progress.checking:,}",
            *([f"{progress.scheduled:,}"] if scheduled else []),
            f"{progress.waiting + progress.uploading:,}",
            f"[green]{progress.ready:,}[/green]" if progress.ready else "0",
            f"[red]{bad:,}[/red]" if (bad := progress.rejected + progress.failed) else "0",
        )
    return table


def channels_table(counts: Mapping[str, Progress]) -> Table:
    """A line for each channel of a campaign that has several."""
    table = plain_table()
    table.add_column("Channel", overflow="fold")
    for column in ("Uploading", "Ready", "Failed"):
        table.add_column(column, justify="right", no_wrap=True)
    for channel, progress in counts.items():
        table.add_row(
            plain(channel),
            f"{progress.waiting + progress.uploading:,}",
            f"[green]{progress.ready:,}[/green]",
            f"[red]{progress.failed:,}[/red]" if progress.failed else "0",
        )
    return table


def _remark(row: CampaignRow) -> str:
    if row.cancelled_at:
        return " [red](cancelled)[/red]"
    return " [red](at risk)[/red]" if row.at_risk_since else ""


def counts_as_json(row: CampaignRow, progress: Progress) -> dict[str, Any]:
    """A campaign's dates, and how many of its files stand where, for programs."""
    return {
        "campaign": row.id,
        "channel": row.channel_id,
        **({"channels": row.channels} if row.further_channels else {}),
        "handed_over_at": row.created_at,
        "send_at": row.send_at,
        "keep_until": row.keep_until,
        "upload_from": row.upload_from,
        "cancelled_at": row.cancelled_at,
        "at_risk_since": row.at_risk_since,
        "total": progress.total,
        "settled": progress.settled,
        **asdict(progress),
    }


def show_campaigns(connection: Connection, *, as_json: bool, limit: int = DEFAULT_LIMIT) -> None:
    """Print the counts of all campaigns."""
    now = datetime.now(UTC)
    campaigns = list_campaigns(connection, limit=limit)
    counts = {
        row.id: campaign_progress(connection, row.id, now=now, further=row.further_channels)
        for row in campaigns
    }
    if as_json:
        print_json({"campaigns": [counts_as_json(row, counts[row.id]) for row in campaigns]})
    elif campaigns:
        console.print(counts_table(campaigns, counts))
    else:
        say("No campaigns yet.")


@click.command()
@click.option(
    "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="How many at most."
)
@json_option
@installation_options
def list(*, limit: int, as_json: bool, state: Path, sandbox: bool) -> None:  # noqa: A001 - the subcommand's own name
    """Show how far all campaigns are, the latest first."""
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        show_campaigns(connection, as_json=as_json, limit=limit)
