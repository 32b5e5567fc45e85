"""`greenroom campaign`: hand campaigns over to running workers, and look how far they are."""

from __future__ import annotations

import click

from cli.lazy_group import LazyGroup

#: Each in a module of its own: handing over needs no tables.
SUBCOMMANDS = {
    "cancel": "Say that CAMPAIGN_ID needs nothing any more; what only it needed is deleted at the provider.",
    "explain": "Tell what became of REF, one file of CAMPAIGN_ID, what it waits for, and what comes.",
    "export": "Write CAMPAIGN_ID's mapping from refs to media IDs as CSV.",
    "list": "Show how far all campaigns are, the latest first.",
    "move": "Give CAMPAIGN_ID other dates; what it needs is uploaded, and kept alive, by those from now on.",
    "report": "Write CAMPAIGN_ID's page for campaign managers: is it ready, what is wrong, and what to do.",
    "retry": "Try again what of CAMPAIGN_ID was rejected or given up; what is ready stays as it is.",
    "status": "Show how far CAMPAIGN_ID is, or all campaigns, the latest first.",
    "submit": "Hand CAMPAIGN_ID over to the workers.",
    "watch": "Follow CAMPAIGN_ID until nothing of it waits.",
}


@click.group(cls=LazyGroup, module="cli.campaign_{}", sentences=SUBCOMMANDS)
def campaign() -> None:
    """Send-outs: hand them over, look how far they are, take their media IDs."""
