"""`greenroom campaign retry`: what could not be had, read or uploaded is tried again by running workers."""

from __future__ import annotations

import click

from cli.formats import counted, say
from cli.json_lines import print_json
from cli.options import CAMPAIGN, json_option
from cli.production_client import client_of
from greenroom.settings_loader import load_settings


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.argument("refs", nargs=-1)
@click.option(
    "--all",
    "every_reason",
    is_flag=True,
    help="Also what was rejected for its content, or refused by the provider.",
)
@json_option
def retry(campaign_id: str, *, refs: tuple[str, ...], every_reason: bool, as_json: bool) -> None:
    """Try again what of CAMPAIGN_ID was rejected or given up; what is ready stays as it is.

    Without REFS: files that were missing, unreadable or not allowed, and uploads that were given up. A file
    that was rejected for its content is looked at again only if it is named, or with --all: somebody has to
    put a better one in its place first.

    Rejected files are inspected from the beginning. Nothing is uploaded twice: what is ready or on its way is
    left alone. A campaign that was cancelled or is over is not tried again.
    """
    if refs and every_reason:
        raise click.UsageError("REFS are tried again for whatever reason; leave --all away.")
    settings = load_settings()
    with client_of(settings) as client:
        tried = client.retry(campaign_id, refs or None, every_reason=every_reason)
    if as_json:
        print_json({"campaign": campaign_id, "inspected": tried.inspected, "uploaded": tried.uploaded})
        return
    if not tried.inspected and not tried.uploaded:
        say(f"Nothing of campaign {campaign_id} is to be tried again{_why(refs, every_reason=every_reason)}.")
        return
    inspected, uploaded = counted(tried.inspected, "file"), counted(tried.uploaded, "file")
    said = [f"{inspected} inspected anew"] * bool(tried.inspected)
    said += [f"{uploaded} in the backlog again"] * bool(tried.uploaded)
    say(f"Campaign {campaign_id}: {', '.join(said)}.")
    say(f"See how far it is with: greenroom campaign status {campaign_id}")


def _why(refs: tuple[str, ...], *, every_reason: bool) -> str:
    if refs:
        return ": these are not rejected or given up"
    return "" if every_reason else " as it is; with --all, what was rejected for its content, too"
