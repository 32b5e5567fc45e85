"""`greenroom campaign submit`: hand a campaign over to running workers."""

from __future__ import annotations

from datetime import timedelta

import click

from cli.dry_run import show_dry_run
from cli.formats import counted, say
from cli.given_items import given_items
from cli.given_options import Given, given_options
from cli.options import CHANNEL, keep_days_option
from cli.production_client import client_of
from cli.refusals import say_what_is_refused
from cli.when_ready import show_estimate
from greenroom.manifest import parse_moment, parse_plan
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources


@click.command()
@click.argument("campaign_id")
@given_options
@click.option(
    "--channel", type=CHANNEL, required=True, help="The WhatsApp phone number; known by `channel add`."
)
@click.option("--send-at", required=True, help="When it is sent, like 2026-12-01T09:00:00+01:00.")
@click.option(
    "--upload-from",
    help="From when its media are uploaded.  [default: GREENROOM_UPLOAD_DAYS_BEFORE its send time]",
)
@keep_days_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen, with the same exit codes; hand nothing over."
)
@click.pass_context
def submit(
    context: click.Context,
    campaign_id: str,
    *,
    given: Given,
    channel: str,
    send_at: str,
    upload_from: str | None,
    keep_days: int,
    dry_run: bool,
) -> None:
    """Hand CAMPAIGN_ID over to the workers. The same again changes nothing; other dates move it.

    Paths must be the same on the machines of the workers, and lie where GREENROOM_MEDIA_ROOTS allows it.

    Exit code 0: all files are handed over. 1: some could not be taken, or will never be opened. 2: it could
    not be done.
    """
    taken = given_items(given)
    items = taken.items
    start = parse_moment(send_at)
    plan = parse_plan(
        {
            "id": campaign_id,
            "channel": channel,
            "send_at": start,
            "keep_until": start + timedelta(days=keep_days),
            "upload_from": parse_moment(upload_from) if upload_from else None,
        }
    )
    settings = load_settings()
    refused = say_what_is_refused(items, Sources.of(settings))
    with client_of(settings) as client:
        if dry_run:
            show_dry_run(client, plan, len(items), allowed=settings.uploads_per_second)
        else:
            # Nothing is removed: what cannot be taken now may be in the campaign already.
            client.add_items(plan, items)
            estimate = client.estimate(plan)
            say(f"Campaign {campaign_id}: {counted(len(items), 'file')} handed over.")
            show_estimate(estimate, allowed=settings.uploads_per_second)
            say(f"See how far it is with: greenroom campaign status {campaign_id}")
    context.exit(1 if refused or taken.left_out else 0)
