"""`greenroom campaign cancel`: say that a campaign needs nothing any more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.formats import say
from cli.installation import open_database
from cli.options import CAMPAIGN, installation_options
from models.cancellation import cancel_campaign


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@installation_options
def cancel(campaign_id: str, *, state: Path, sandbox: bool) -> None:
    """Say that CAMPAIGN_ID needs nothing any more; what only it needed is deleted at the provider."""
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        cancel_campaign(connection, campaign_id, now=datetime.now(UTC))
    say(f"Campaign {campaign_id} is cancelled.")
