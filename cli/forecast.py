"""The coming weeks of a campaign, for a terminal: when its media IDs are renewed, and which are at risk."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from rich.table import Table
from sqlalchemy import Connection

from cli.formats import console, counted, day, moment, plain
from cli.tables import FileName, fitted, plain_table
from models.campaign import CampaignRow
from models.forecast import AtRisk, at_risk, renewals
from models.life_rules import RulesOf

#: Weeks that are shown at most, and files at risk.
WEEKS = 8
FILES = 20
_BAR = 30
#: Campaigns that one sentence names.
NAMED = 3


def show_forecast(connection: Connection, campaign: CampaignRow, *, now: datetime, rules_of: RulesOf) -> None:
    """Print what the coming weeks hold, where they hold anything."""
    if campaign.cancelled_at is not None or campaign.keep_until <= now:
        return
    until = min(campaign.keep_until, now + WEEKS * timedelta(days=7))
    weeks = {week.monday: week.files for week in renewals(connection, campaign.id, now=now, until=until)}
    endangered = at_risk(connection, now=now, rules_of=rules_of, campaign_id=campaign.id, limit=FILES + 1)
    console.print()
    console.print(
        f"[bold]The coming weeks[/bold]; the campaign needs its files until {day(campaign.keep_until)}."
    )
    if weeks:
        console.print(_weeks(weeks, now=now, until=until))
        console.print()
    else:
        console.print("No media ID has to be renewed.")
    if not endangered:
        console.print("[green]No media ID ends too soon.[/green]")
        return
    console.print(_endangered(endangered[:FILES], now=now))
    if len(endangered) > FILES:
        console.print("[dim]and more; the CSV of `campaign export` has all files[/dim]")


def _weeks(weeks: dict[date, int], *, now: datetime, until: datetime) -> Table:
    table = plain_table()
    table.add_column("Week of", no_wrap=True)
    table.add_column("Media IDs renewed", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    monday = now.date() - timedelta(days=now.date().weekday())
    most = max(weeks.values(), default=0)
    while monday <= until.date():
        files = weeks.get(monday, 0)
        bar = "█" * max(round(files / most * _BAR), 1) if files else ""
        table.add_row(f"{monday:%d %b %Y}", f"{files:,}" if files else "-", f"[cyan]{bar}[/cyan]")
        monday += timedelta(days=7)
    return table


def _endangered(files: list[AtRisk], *, now: datetime) -> Table:
    table = plain_table()
    table.add_column("File at risk", ratio=2)
    table.add_column("Its ID ends", no_wrap=True)
    table.add_column("Why it has not been renewed", overflow="fold", ratio=5)
    for file in files:
        left = file.ends_at - now
        when = moment(file.ends_at) if left > timedelta(0) else f"ended {moment(file.ends_at)}"
        colour = "red" if left < timedelta(days=1) else "yellow"
        table.add_row(
            FileName(file.ref), f"[{colour}]{when}[/{colour}]", plain(file.why or "It waits for its turn.")
        )
    return fitted(table)


def risks_in_a_sentence(files: list[AtRisk]) -> str:
    """For the doctor: how many files of which campaigns."""
    campaigns = sorted({file.campaign_id for file in files})
    named = ", ".join(campaigns[:NAMED]) + (" and others" if len(campaigns) > NAMED else "")
    return (
        f"{counted(len(files), 'media ID')} of {named} could not be renewed. See: greenroom campaign status"
    )
