"""`greenroom run`: a folder of media goes in, media IDs come out; with everything it needs started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.given_options import Given, given_options
from cli.lazy_group import without_garbage_collection
from cli.options import keep_days_option, latency_option, state_option
from worker.embedded.supervisor_process import SupervisorProcess


@click.command()
@given_options
@click.option(
    "--channel",
    metavar="CHANNEL",
    required=True,
    help="The WhatsApp phone number, as your provider names it.",
)
@click.option("--campaign", "campaign_id", help="A name for this send-out.  [default: the present moment]")
@click.option("--send-at", help="When it is to be sent, like 2026-12-01T09:00:00+01:00.  [default: now]")
@keep_days_option
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
def run(context: click.Context, /, *, given: Given, **options: Any) -> None:
    """Check and upload PATHS (files and folders), and print their media IDs.

    The API key is read from GREENROOM_API_KEY, or from the file that GREENROOM_API_KEY_FILE names. Everything
    else that is needed is started for the run, and ends with it.

    Exit code 0: all files are ready. 1: some were rejected, or could not be taken. 2: it could not be done.
    """
    # It loads what workers need while this process loads what it needs itself.
    with SupervisorProcess() as supervisor:
        with without_garbage_collection():
            from cli.run_files import RunOptions, run_files  # noqa: PLC0415 - see above
        context.exit(run_files(RunOptions(given=given, **options), supervisor))
