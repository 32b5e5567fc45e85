"""`greenroom campaign move`: a campaign is sent at another time."""

from __future__ import annotations

from datetime import timedelta

import click

from cli.formats import moment, say
from cli.json_lines import print_json
from cli.options import CAMPAIGN, json_option
from cli.production_client import client_of
from cli.when_ready import estimate_as_json, show_estimate
from greenroom.manifest import CampaignPlan, parse_moment
from greenroom.settings_loader import load_settings


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.option("--send-at", help="When it is sent, like 2026-12-01T09:00:00+01:00.  [default: as before]")
@click.option(
    "--upload-from",
    help="From when its media are uploaded.  [default: GREENROOM_UPLOAD_DAYS_BEFORE its send time]",
)
@click.option(
    "--keep-days",
    type=click.IntRange(1, 3650),
    help="Days its media must stay usable.  [default: as long after its send time as before]",
)
@json_option
def move(
    campaign_id: str,
    *,
    send_at: str | None,
    upload_from: str | None,
    keep_days: int | None,
    as_json: bool,
) -> None:
    """Give CAMPAIGN_ID other dates; what it needs is uploaded, and kept alive, by those from now on.

    Uploads that have begun are not taken back, and no file is uploaded anew.
    """
    if not (send_at or upload_from or keep_days):
        raise click.UsageError("Give --send-at, --upload-from or --keep-days.")
    settings = load_settings()
    with client_of(settings) as client:
        before = client.status(campaign_id)
        start = parse_moment(send_at) if send_at else before.send_at
        keep = timedelta(days=keep_days) if keep_days else before.keep_until - before.send_at
        plan = CampaignPlan(
            id=campaign_id,
            channel=before.channel,
            send_at=start,
            keep_until=start + keep,
            upload_from=parse_moment(upload_from) if upload_from else None,
        )
        client.move(
            campaign_id, send_at=plan.send_at, keep_until=plan.keep_until, upload_from=plan.upload_from
        )
        estimate, allowed = client.estimate(plan), settings.uploads_per_second
        if as_json:
            dates = {"send_at": plan.send_at, "keep_until": plan.keep_until}
            print_json({"campaign": campaign_id, **dates, **estimate_as_json(estimate, allowed=allowed)})
            return
        say(
            f"Campaign {campaign_id} is sent at {moment(plan.send_at)}, and its media stay usable until "
            f"{moment(plan.keep_until)}."
        )
        show_estimate(estimate, allowed=allowed)
