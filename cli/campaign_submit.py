"""`greenroom campaign submit`: hand a campaign over to running workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from cli.callback_options import callback_options
from cli.dry_run import ask_what_would_happen, dry_run_as_json, show_dry_run
from cli.formats import say
from cli.given_items import given_items
from cli.given_options import STANDARD_INPUT, Given, given_options
from cli.handing_over import changes_as_json, hand_over, say_what_was_handed_over, what_of_others
from cli.json_lines import print_json
from cli.options import CAMPAIGN, CHANNEL, json_option, keep_days_option
from cli.production_client import client_of
from cli.refusals import say_what_is_refused
from cli.when_ready import estimate_as_json, show_estimate
from greenroom.manifest import parse_moment, parse_plan
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@given_options
@click.option(
    "--channel",
    "channels",
    type=CHANNEL,
    required=True,
    multiple=True,
    help="The WhatsApp phone number, known by `channel add`; give it again for each further one.",
)
@click.option("--send-at", required=True, help="When it is sent, like 2026-12-01T09:00:00+01:00.")
@click.option(
    "--upload-from",
    help="From when its media are uploaded.  [default: GREENROOM_UPLOAD_DAYS_BEFORE its send time]",
)
@keep_days_option
@callback_options
@click.option("--add", is_flag=True, help="Only add: what else the campaign has stays in it.")
@click.option("--remove", is_flag=True, help="Remove what else the campaign has, without asking.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen, with the same exit codes; hand nothing over."
)
@json_option
@click.pass_context
def submit(
    context: click.Context,
    campaign_id: str,
    *,
    given: Given,
    channels: tuple[str, ...],
    send_at: str,
    upload_from: str | None,
    keep_days: int,
    callback: dict[str, Any] | None,
    add: bool,
    remove: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Hand CAMPAIGN_ID over to the workers. The same again changes nothing; other dates move it.

    What is handed over is all of the campaign: new files are added, and those with another source are
    inspected anew. What it has besides is removed after a question; where nobody can be asked, it stays.

    Paths must be the same on the machines of the workers, and lie where GREENROOM_MEDIA_ROOTS allows it.

    Exit code 0: all files are handed over. 1: some could not be taken, or will never be opened. 2: it could
    not be done.
    """
    taken = given_items(given)
    others = what_of_others(add=add, remove=remove, left_out=taken.left_out)
    items = taken.items
    start = parse_moment(send_at)
    plan = parse_plan(
        {
            "id": campaign_id,
            "channels": channels,
            "send_at": start,
            "keep_until": start + timedelta(days=keep_days),
            "upload_from": parse_moment(upload_from) if upload_from else None,
            "callback": callback,
        }
    )
    settings = load_settings()
    refused = say_what_is_refused(items, Sources.of(settings))
    allowed = settings.uploads_per_second
    with client_of(settings) as client:
        if dry_run:
            run = ask_what_would_happen(client, plan, items)
            document = dry_run_as_json(run, others, allowed=allowed)
            if not as_json:
                show_dry_run(run, others, allowed=allowed)
        else:
            changes = hand_over(client, plan, items, others, can_ask=given.manifest != STANDARD_INPUT)
            if not as_json:
                say_what_was_handed_over(plan, len(items), changes)
            estimate = client.estimate(plan)
            document = changes_as_json(changes) | estimate_as_json(estimate, allowed=allowed)
            if not as_json:
                show_estimate(estimate, allowed=allowed)
                say(f"See how far it is with: greenroom campaign status {campaign_id}")
    if as_json:
        counts = {"files": len(items), "left_out": taken.left_out, "will_be_rejected": refused}
        print_json({"campaign": campaign_id, "dry_run": dry_run, **counts, **document})
    context.exit(1 if refused or taken.left_out else 0)
