"""What `greenroom run` does: files in, media IDs out, by a stack of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from cli.embedded import RunOutcome, RunRequest, get_ready, load_client, sandbox_key
from cli.embedded_plan import settings_of, stack_plan
from cli.formats import console, counted, plain, remarks
from cli.given_items import given_items
from cli.given_options import Given
from cli.installation import read_api_key
from cli.options import LIVE, SANDBOX
from cli.refusals import say_what_is_refused
from cli.report import accepted_table, item_as_json, rejected_table, write_csv
from cli.verdicts import MOST_LINES
from greenroom.errors import Misuse
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.manifest import parse_channel_name, parse_moment, parse_plan
from greenroom.sources import Sources
from models import Database
from models.progress import ItemStatus, campaign_progress
from worker.embedded.stack import embedded_stack
from worker.embedded.stack_plan import StackPlan
from worker.embedded.state_dir import StateDir
from worker.embedded.supervisor_process import SupervisorProcess


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The command's options, as its help describes them."""

    given: Given
    channel: str
    campaign_id: str | None
    send_at: str | None
    keep_days: int
    sandbox: bool
    latency: str
    workers: int
    concurrency: int
    as_lines: bool
    csv_file: Path | None
    state: Path


def run_files(options: RunOptions, supervisor: SupervisorProcess) -> int:
    """Get the files ready; returns the exit code, 1 where some were rejected or left out.

    Raises:
        GreenroomError: it could not be done.
    """
    channel = parse_channel_name(options.channel)
    taken = given_items(options.given)
    items = taken.items
    now = datetime.now(UTC)
    start = parse_moment(options.send_at) if options.send_at else now
    if start + timedelta(days=options.keep_days) <= now:
        raise Misuse(f"A campaign sent at {start.isoformat()} is over by now. Give a later --send-at.")
    plan = parse_plan(
        {
            "id": options.campaign_id or f"run-{now:%Y%m%d-%H%M%S}",
            "channel": channel,
            "send_at": start,
            "keep_until": start + timedelta(days=options.keep_days),
            "upload_from": now,
        }
    )
    state_dir = options.state / (SANDBOX if options.sandbox else LIVE)
    api_key = sandbox_key(channel) if options.sandbox else read_api_key()
    if api_key is None and not (state_dir / "greenroom.db").exists():
        raise Misuse(
            "There is no API key. Put it into GREENROOM_API_KEY, or its file's name into "
            "GREENROOM_API_KEY_FILE; or try with --sandbox, which needs none."
        )
    if options.csv_file is not None:
        require_writable(options.csv_file)
    stack = stack_plan(
        state_dir,
        workers=options.workers,
        concurrency=options.concurrency,
        sandbox=options.sandbox,
        latency=options.latency,
        media=[options.given.manifest.absolute().parent] if options.given.manifest else options.given.paths,
    )
    say_what_is_refused(items, Sources.of(settings_of(stack)))
    request = RunRequest(campaign=plan, items=items, api_key=api_key)
    with (
        saying_what_is_kept(StateDir(folder=state_dir), plan.id),
        ExitStack() as running,
    ):
        known = outcome = _of_known_files(stack, request)
        if outcome is None:
            started = running.enter_context(embedded_stack(stack, supervisor, meanwhile=load_client))
            outcome = get_ready(started, request)
        csv_file = options.csv_file or state_dir / f"{plan.id}.csv"
        # Before anything is printed: whoever reads the output may stop reading, like `head`.
        save_mapping(outcome, csv_file)
        # And before all has ended, which takes a moment.
        if options.as_lines:
            for item in outcome.items:
                click.echo(item_as_json(item))
        else:
            show(outcome)
        say_where(csv_file)
        if known is not None:
            remarks.print("All of them came before: nothing had to be uploaded.")
        say_what_the_sandbox_saw(outcome)
    return 1 if taken.left_out or outcome.progress.ready < outcome.progress.total else 0


def _of_known_files(stack: StackPlan, request: RunRequest) -> RunOutcome | None:
    """The outcome where no stack is needed; a new folder needs not even what finds that out."""
    if not StateDir(folder=Path(stack.state_dir)).database.exists():
        return None
    with closing(ProcessPool()) as files:
        # It starts while the rest is loaded.
        with suppress(ProcessesFailed):
            files.start_ahead()
        from cli.run_again import run_known  # noqa: PLC0415 - see above

        return run_known(stack, request, files)


@contextmanager
def saying_what_is_kept(state_dir: StateDir, campaign_id: str) -> Iterator[None]:
    """Whoever ends a run by Ctrl-C is told what of it stays, once everything has ended, and how to go on.

    Raises:
        KeyboardInterrupt: the same one, with that in words.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(*_kept(state_dir, campaign_id)) from None


def _kept(state_dir: StateDir, campaign_id: str) -> Iterator[str]:
    """What stays; nothing where the run had not begun."""
    if not state_dir.database.exists():
        return
    database = Database(SecretStr(state_dir.database_url))
    try:
        with database.read() as connection:
            progress = campaign_progress(connection, campaign_id, now=datetime.now(UTC))
    except DBAPIError:
        return  # there are no tables yet
    finally:
        database.close()
    if progress.total:
        yield f"{progress.ready:,} of {counted(progress.total, 'file')} are ready, and stay so."
    yield "The same command again goes on: what is ready is not uploaded twice."


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
