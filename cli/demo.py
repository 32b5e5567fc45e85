"""`greenroom demo`: the example campaign, made on the spot and got ready against the sandbox."""

from __future__ import annotations

import shlex
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.embedded import RunRequest, get_ready, sandbox_key
from cli.embedded_plan import stack_plan
from cli.formats import console, plain, remarks
from cli.options import DEMO, KEEP_DAYS, state_option
from cli.run_files import save_mapping, say_what_the_sandbox_saw, say_where, show
from examples import spring_sale
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_plan
from worker.embedded.stack import Stack, embedded_stack
from worker.embedded.state_dir import StateDir

CHANNEL = "4915112345678"
LATENCY = "40ms-160ms"


@click.command()
@click.option("--stay", is_flag=True, help="Keep everything up afterwards, with Flower.")
@state_option
def demo(*, stay: bool, state: Path) -> None:
    """Get the example campaign ready, with nothing but this machine."""
    state_dir = StateDir(folder=state / DEMO)
    with state_dir.locked():
        state_dir.stop_stale()
        # Each demo begins with an empty stage.
        state_dir.begin_anew()
        state_dir.prepare()
    # Beside the state folder, in which nothing is ever opened for a campaign.
    media = state / "spring-sale"
    remarks.print(f"Making the example campaign's files in {plain(media)}")
    spring_sale.make(media)
    now = datetime.now(UTC)
    plan = parse_plan(
        {
            "id": "spring-sale",
            "channel": CHANNEL,
            "send_at": now,
            "keep_until": now + timedelta(days=KEEP_DAYS),
            "upload_from": now,
        }
    )
    remarks.print("Starting a broker (Valkey), a database (SQLite), the 360dialog sandbox, a worker and beat")
    stack = stack_plan(
        state_dir.folder, workers=1, concurrency=2, sandbox=True, latency=LATENCY, flower=stay, media=[media]
    )
    with embedded_stack(stack) as running:
        request = RunRequest(campaign=plan, items=items_of_paths([media]), api_key=sandbox_key(CHANNEL))
        outcome = get_ready(running, request)
        mapping = state_dir.folder / "spring-sale.csv"
        save_mapping(outcome, mapping)
        show(outcome)
        say_where(mapping)
        say_what_the_sandbox_saw(outcome)
        if stay:
            _stay(running, state_dir)
    _say_what_next(state)


def _stay(stack: Stack, state_dir: StateDir) -> None:
    settings = stack.settings
    console.print("\n[bold]Everything is up until you press Ctrl-C[/bold]\n")
    console.print(f"  Flower, to watch the tasks   {plain(stack.flower)}")
    console.print(f"  The sandbox's own counts     {plain(stack.sandbox)}/_sandbox/stats")
    console.print(f"  The broker                   {plain(settings.redis_url.get_secret_value())}")
    console.print(f"  The database                 {plain(state_dir.database)}", soft_wrap=True)
    console.print(f"  Logs                         {plain(state_dir.logs)}\n", soft_wrap=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        remarks.print("Ending everything")


def _say_what_next(state: Path) -> None:
    # As it was called here: from a checkout by its path, and otherwise as it is found.
    name = "greenroom" if Path(sys.argv[0]).is_absolute() else sys.argv[0]
    # What this installation has is looked at as live: it is all there is in its folder.
    where = f"--state {shlex.quote(str(state / DEMO))}"
    console.print("\n[bold]See this campaign again[/bold]\n")
    _list(
        (f"{name} campaign status spring-sale {where}", "how far it is, and what the coming weeks hold"),
        (
            f"{name} campaign report spring-sale --html spring-sale.html {where}",
            "the same as a page for campaign managers",
        ),
    )
    console.print("\n[bold]Next, with your own files[/bold]\n")
    _list(
        (f"{name} check ./media", "judge them, with nothing running and no network"),
        (f"{name} run ./media --channel {CHANNEL} --sandbox", "rehearse the upload against the sandbox"),
        (
            f"GREENROOM_API_KEY_FILE=channel.key {name} run ./media --channel {CHANNEL}",
            "upload them to 360dialog, with the API key in that file",
        ),
    )


def _list(*commands: tuple[str, str]) -> None:
    for command, what in commands:
        console.print(f"  [cyan]{plain(command)}[/cyan]\n      {what}", soft_wrap=True)
