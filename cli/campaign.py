"""`greenroom campaign`: hand campaigns over to running workers, and look how far they are."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.campaign_status import counts_table, show_campaign
from cli.embedded_plan import installed_settings
from cli.formats import console, counted, say
from cli.installation import open_database
from cli.options import CHANNEL, all_to_be_fixed, fix_option, installation_options, keep_days_option
from cli.refusals import require_files, say_what_is_refused
from cli.report import write_csv
from greenroom.client import Greenroom
from greenroom.errors import Misuse
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_moment, parse_plan
from greenroom.manifest_file import read_manifest
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources
from models.campaign import get_campaign, list_campaigns
from models.cancellation import cancel_campaign
from models.item_reports import campaign_items
from models.progress import campaign_progress


@click.group()
def campaign() -> None:
    """Send-outs: hand them over, look how far they are, take their media IDs."""


@campaign.command("submit")
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
        client.prepare(plan, items)
    finally:
        client.close()
    say(f"Campaign {campaign_id}: {counted(len(items), 'file')} handed over.")
    say(f"See how far it is with: greenroom campaign status {campaign_id}")
    context.exit(1 if refused else 0)


@campaign.command("status")
@click.argument("campaign_id", required=False)
@installation_options
def status(campaign_id: str | None, *, state: Path, sandbox: bool) -> None:
    """Show how far CAMPAIGN_ID is, or all campaigns, the latest first."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        chosen = [get_campaign(connection, campaign_id)] if campaign_id else list_campaigns(connection)
        if not chosen:
            say("No campaigns yet.")
            return
        counts = {row.id: campaign_progress(connection, row.id, now=now) for row in chosen}
        console.print(counts_table(chosen, counts))
        if campaign_id:
            settings = installed_settings(sandbox=sandbox)
            show_campaign(connection, chosen[0], counts[campaign_id], settings, now=now)


@campaign.command("export")
@click.argument("campaign_id")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="[default: standard output]"
)
@installation_options
def export(campaign_id: str, *, csv_file: Path | None, state: Path, sandbox: bool) -> None:
    """Write CAMPAIGN_ID's mapping from refs to media IDs as CSV."""
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        get_campaign(connection, campaign_id)
        items = campaign_items(connection, campaign_id, now=now)
        if csv_file is None:
            write_csv(items, sys.stdout)
            return
        try:
            with csv_file.open("w", encoding="utf-8", newline="") as file:
                lines = write_csv(items, file)
        except OSError as error:
            raise Misuse(f"{csv_file} cannot be written: {error.strerror}") from error
    say(f"{counted(lines, 'line')} in {csv_file}", err=True)


@campaign.command("cancel")
@click.argument("campaign_id")
@installation_options
def cancel(campaign_id: str, *, state: Path, sandbox: bool) -> None:
    """Say that CAMPAIGN_ID needs nothing any more; what only it needed is deleted at the provider."""
    with open_database(state, sandbox=sandbox) as database, database.write() as connection:
        cancel_campaign(connection, campaign_id, now=datetime.now(UTC))
    say(f"Campaign {campaign_id} is cancelled.")
