"""`greenroom run`: a folder of media goes in, media IDs come out; with everything it needs started for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.embedded import RunOutcome, RunRequest, get_ready, require_files, sandbox_key
from cli.embedded_plan import settings_of, stack_plan
from cli.formats import console, counted, plain, remarks
from cli.installation import read_api_key
from cli.options import (
    CHANNEL,
    LIVE,
    SANDBOX,
    all_to_be_fixed,
    fix_option,
    keep_days_option,
    latency_option,
    state_option,
)
from cli.refusals import say_what_is_refused
from cli.report import accepted_table, item_as_json, rejected_table, write_csv
from cli.verdicts import MOST_LINES
from greenroom.errors import Misuse
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_moment, parse_plan
from greenroom.manifest_file import read_manifest
from greenroom.sources import Sources
from models.progress import ItemStatus
from worker.embedded.stack import embedded_stack


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--channel", type=CHANNEL, required=True, help="The WhatsApp phone number, as your provider names it."
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .csv, .json or .jsonl file with ref, source and perhaps kind, instead of paths.",
)
@click.option("--campaign", "campaign_id", help="A name for this send-out.  [default: the present moment]")
@click.option("--send-at", help="When it is to be sent, like 2026-12-01T09:00:00+01:00.  [default: now]")
@keep_days_option
@fix_option
@click.option("--sandbox", is_flag=True, help="Send nothing to 360dialog: use our stand-in for it.")
@latency_option
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 16), help="Processes that upload."
)
@click.option(
    "--concurrency",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Processes that look at files.",
)
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a file, instead of tables.")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Where the mapping goes."
)
@state_option
@click.pass_context
def run(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    channel: str,
    manifest: Path | None,
    campaign_id: str | None,
    send_at: str | None,
    keep_days: int,
    fix: bool,
    sandbox: bool,
    latency: str,
    workers: int,
    concurrency: int,
    as_lines: bool,
    csv_file: Path | None,
    state: Path,
) -> None:
    """Check and upload PATHS (files and folders), and print their media IDs.

    The API key is read from GREENROOM_API_KEY, or from the file that GREENROOM_API_KEY_FILE names. Everything
    else that is needed is started for the run, and ends with it.

    Exit code 0: all files are ready. 1: some were rejected. 2: it could not be done.
    """
    if bool(paths) == bool(manifest):
        raise click.UsageError("Give paths, or a --manifest.")
    items = (
        read_manifest(manifest, fix=fix)
        if manifest
        else all_to_be_fixed(items_of_paths(paths), all_of_them=fix)
    )
    require_files(items)
    now = datetime.now(UTC)
    start = parse_moment(send_at) if send_at else now
    if start + timedelta(days=keep_days) <= now:
        raise Misuse(f"A campaign sent at {start.isoformat()} is over by now. Give a later --send-at.")
    plan = parse_plan(
        {
            "id": campaign_id or f"run-{now:%Y%m%d-%H%M%S}",
            "channel": channel,
            "send_at": start,
            "keep_until": start + timedelta(days=keep_days),
            "upload_from": now,
        }
    )
    state_dir = state / (SANDBOX if sandbox else LIVE)
    api_key = sandbox_key(channel) if sandbox else read_api_key()
    if api_key is None and not (state_dir / "greenroom.db").exists():
        raise Misuse(
            "There is no API key. Put it into GREENROOM_API_KEY, or its file's name into "
            "GREENROOM_API_KEY_FILE; or try with --sandbox, which needs none."
        )
    if csv_file is not None:
        require_writable(csv_file)
    stack = stack_plan(
        state_dir,
        workers=workers,
        concurrency=concurrency,
        sandbox=sandbox,
        latency=latency,
        media=[manifest.absolute().parent] if manifest else paths,
    )
    say_what_is_refused(items, Sources.of(settings_of(stack)))
    with embedded_stack(stack) as running:
        outcome = get_ready(running, RunRequest(campaign=plan, items=items, api_key=api_key))
    csv_file = csv_file or state_dir / f"{plan.id}.csv"
    # Before anything is printed: whoever reads the output may stop reading, like `head`.
    save_mapping(outcome, csv_file)
    if as_lines:
        for item in outcome.items:
            click.echo(item_as_json(item))
    else:
        show(outcome)
    say_where(csv_file)
    say_what_the_sandbox_saw(outcome)
    context.exit(0 if outcome.progress.ready == outcome.progress.total else 1)


def require_writable(csv_file: Path) -> None:
    """Refuse a mapping that could not be written, before anything is uploaded for it.

    Raises:
        Misuse: there is no such folder, or its files may not be written.
    """
    if not os.access(csv_file if csv_file.exists() else csv_file.absolute().parent, os.W_OK):
        raise Misuse(f"The mapping cannot be written to {csv_file}. Give another file with --csv.")


def show(outcome: RunOutcome) -> None:
    """Print the tables, and a line that sums them up."""
    ready = [item for item in outcome.items if item.status is ItemStatus.READY]
    others = [item for item in outcome.items if item.status is not ItemStatus.READY]
    if ready:
        console.print()
        console.print("[bold green]Ready to send[/bold green]\n")
        console.print(accepted_table(ready))
        _rest(len(ready))
    if others:
        console.print()
        console.print("[bold red]Cannot be sent[/bold red]\n")
        console.print(rejected_table(others))
        _rest(len(others))
    total = outcome.progress.total
    console.print()
    console.print(
        f"[bold]{len(ready)} of {counted(total, 'file')} ready[/bold] in {outcome.seconds:.1f} s, "
        f"{counted(len(others), 'file')} to fix."
    )


def say_what_the_sandbox_saw(outcome: RunOutcome) -> None:
    """The other side's own counts: proof that the provider's limit was kept."""
    if outcome.sandbox is None:
        return
    uploads, refused = outcome.sandbox.get("uploads", 0), outcome.sandbox.get("throttled", 0)
    twice, peak = outcome.sandbox.get("duplicates", 0), outcome.sandbox.get("peak_rps", 0)
    remarks.print(
        f"The sandbox counted {counted(uploads, 'upload')}: at most {peak} in any second (25 are allowed), "
        f"{refused} refused, {twice} arrived twice.",
        soft_wrap=True,
    )


def _rest(lines: int) -> None:
    if lines > MOST_LINES:
        console.print(f"... and {lines - MOST_LINES:,} more, all of them in the mapping below.")


def save_mapping(outcome: RunOutcome, csv_file: Path) -> None:
    """Write the mapping from refs to media IDs."""
    try:
        with csv_file.open("w", encoding="utf-8", newline="") as file:
            write_csv(outcome.items, file)
    except OSError as error:
        raise Misuse(f"The mapping cannot be written to {csv_file}: {error.strerror}") from error


def say_where(csv_file: Path) -> None:
    """Where the mapping is."""
    remarks.print(f"The mapping from files to media IDs is in {plain(csv_file)}", soft_wrap=True)
