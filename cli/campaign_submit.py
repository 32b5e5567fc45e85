"""`greenroom campaign submit`: hand a campaign over to running workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from cli.formats import counted, say
from cli.options import CHANNEL, all_to_be_fixed, fix_option, keep_days_option
from cli.refusals import require_files, say_what_is_refused
from cli.when_ready import show_estimate
from greenroom.client import Greenroom
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_moment, parse_plan
from greenroom.manifest_file import read_manifest
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources


@click.command()
@click.argument("campaign_id")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--channel", type=CHANNEL, required=True, help="The WhatsApp phone number; known by `channel add`."
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .csv, .json or .jsonl file with ref, source and perhaps kind, instead of paths.",
)
@click.option("--send-at", required=True, help="When it is sent, like 2026-12-01T09:00:00+01:00.")
@click.option(
    "--upload-from",
    help="From when its media are uploaded.  [default: GREENROOM_UPLOAD_DAYS_BEFORE its send time]",
)
@keep_days_option
@fix_option
@click.pass_context
def submit(
    context: click.Context,
    campaign_id: str,
    *,
    paths: tuple[Path, ...],
    channel: str,
    manifest: Path | None,
    send_at: str,
    upload_from: str | None,
    keep_days: int,
    fix: bool,
) -> None:
    """Hand CAMPAIGN_ID over to the workers. The same again changes nothing; other dates move it.

    Paths must be the same on the machines of the workers, and lie where GREENROOM_MEDIA_ROOTS allows it.

    Exit code 0: all files are handed over. 1: some of them are never opened. 2: it could not be done.
    """
    if bool(paths) == bool(manifest):
        raise click.UsageError("Give paths, or a --manifest.")
    items = (
        read_manifest(manifest, fix=fix)
        if manifest
        else all_to_be_fixed(items_of_paths(paths), all_of_them=fix)
    )
    require_files(items)
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
    client = Greenroom(
        settings.celery_broker,
        result_url=settings.redis_url.get_secret_value(),
        sentinel_master=settings.sentinel_master,
    )
    try:
        client.add_items(plan, items)
        estimate = client.estimate(plan)
    finally:
        client.close()
    say(f"Campaign {campaign_id}: {counted(len(items), 'file')} handed over.")
    show_estimate(estimate, allowed=settings.uploads_per_second)
    say(f"See how far it is with: greenroom campaign status {campaign_id}")
    context.exit(1 if refused else 0)
