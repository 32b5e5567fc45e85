"""`greenroom campaign export`: a campaign's mapping from refs to media IDs, as CSV."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.formats import counted, say
from cli.installation import open_database
from cli.options import CAMPAIGN, installation_options
from cli.report import write_csv
from greenroom.errors import Misuse
from models.campaign import get_campaign
from models.item_reports import campaign_items


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="[default: standard output]"
)
@installation_options
def export(campaign_id: str, *, csv_file: Path | None, state: Path, sandbox: bool) -> None:
    """Write CAMPAIGN_ID's mapping from refs to media IDs as CSV.

    Of a campaign on several channels there is a line for each of them, and a column that says which.
    """
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        channels = get_campaign(connection, campaign_id).channels
        items = campaign_items(connection, campaign_id, now=now, channels=channels)
        several = len(channels) > 1
        if csv_file is None:
            write_csv(items, sys.stdout, channels=several)
            return
        try:
            with csv_file.open("w", encoding="utf-8", newline="") as file:
                lines = write_csv(items, file, channels=several)
        except OSError as error:
            raise Misuse(f"{csv_file} cannot be written: {error.strerror}") from error
    say(f"{counted(lines, 'line')} in {csv_file}", err=True)
