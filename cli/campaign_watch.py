"""`greenroom campaign watch`: follow a campaign until nothing of it waits any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.campaign_list import counts_as_json
from cli.embedded_plan import installed_settings
from cli.formats import console, counted, plain, say, zoned
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import CAMPAIGN, installation_options
from cli.progress_bar import SettledBar
from cli.when_ready import in_a_sentence, length, readiness_as_json
from greenroom.readiness import Readiness, of_all
from greenroom.settings import Settings
from models import Database
from models.campaign import CampaignRow, get_campaign
from models.campaign_readiness import readiness_by_channel
from models.channel import ChannelRow, get_channel
from models.progress import FollowedCampaign, Progress, followed_on_each

#: Seconds between two looks.
LOOK_EVERY = 1.0
#: Columns of the bar.
_BAR = 40


@dataclass(frozen=True, kw_only=True)
class CampaignView:
    """A campaign at one moment."""

    at: datetime
    row: CampaignRow
    channels: Sequence[ChannelRow]
    progress: Progress
    readiness: Readiness

    @property
    def bad(self) -> int:
        """Files that cannot be sent."""
        return self.progress.rejected + self.progress.failed

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.row.cancelled_at is not None or self.progress.settled == self.progress.total

    @property
    def seen(self) -> tuple[object, ...]:
        """What has to differ for another line: not the moments alone, which differ at each look."""
        pauses = tuple((one.paused_at, one.paused_reason) for one in self.channels)
        return self.progress, self.readiness.at_risk, pauses, self.row


def views(database: Database, campaign_id: str, settings: Settings) -> Iterator[CampaignView]:
    """The campaign, once a second, until it is over.

    Raises:
        UnknownName: there is no such campaign.
    """
    followed: FollowedCampaign | None = None
    on_each: dict[str, FollowedCampaign] = {}
    channels: tuple[str, ...] = ()
    while True:
        now = datetime.now(UTC)
        with database.read() as connection:
            row = get_campaign(connection, campaign_id)
            if followed is None or row.channels != channels:
                channels = row.channels
                followed = FollowedCampaign(campaign_id, (None, *row.further_channels))
                on_each = followed_on_each(row)
            progress = followed.look(connection, now=now)
            # On several channels, what is left differs.
            by_channel = {one: it.look(connection, now=now) for one, it in on_each.items()}
            view = CampaignView(
                at=now,
                row=row,
                channels=[get_channel(connection, channel) for channel in channels],
                progress=progress,
                readiness=of_all(
                    readiness_by_channel(
                        connection,
                        row,
                        now=now,
                        allowed=settings.uploads_per_second,
                        progress=by_channel or {row.channel_id: progress},
                    ).values()
                ),
            )
        yield view
        if view.is_over:
            return
        time.sleep(LOOK_EVERY)


def counts(view: CampaignView) -> list[str]:
    """How many files are ready, how many bad, and how many stand where; of the latter, what there is."""
    progress = view.progress
    others = {
        "bad": view.bad,
        "checking": progress.checking,
        "scheduled": progress.scheduled,
        "waiting": progress.waiting,
        "uploading": progress.uploading,
    }
    told = [f"{number:,} {name}" for name, number in others.items() if number]
    return [f"{progress.ready:,} of {counted(progress.total, 'file')} ready", *told]


def what_is_left(view: CampaignView) -> list[str]:
    """What is left, how fast it goes, how long it takes, and what is in the way: a sentence each."""
    sentences = []
    readiness = view.readiness
    if readiness.left:
        left = "" if readiness.ready_at is None else f" Time left: {length(readiness.ready_at - view.at)}."
        sentences.append(in_a_sentence(readiness, now=view.at) + left)
    if view.row.upload_from is not None and view.row.cancelled_at is None:
        sentences.append(f"Its uploads begin at {zoned(view.row.upload_from)}.")
    paused = (channel for channel in view.channels if channel.paused_at is not None)
    sentences += [f"Channel {channel.id} is paused: {channel.paused_reason}" for channel in paused]
    if view.progress.hindrance:
        sentences.append(f"Waiting to try again: {view.progress.hindrance}")
    return sentences


def as_line(view: CampaignView) -> str:
    """All of it in one line, for a pipe or a log."""
    return " ".join([f"{zoned(view.at)} {view.row.id}: {', '.join(counts(view))}.", *what_is_left(view)])


def as_screen(view: CampaignView) -> Group:
    """The same for a terminal, in the place of what stood there a second ago."""
    progress = view.progress
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        SettledBar(ready=progress.ready, bad=view.bad, total=progress.total, width=_BAR),
        f"{progress.settled:,} of {progress.total:,} settled",
    )
    ready, *others = map(plain, counts(view))
    if view.bad:
        others[0] = f"[red]{others[0]}[/red]"
    sentences = [plain(sentence) for sentence in what_is_left(view)]
    if sentences and view.readiness.at_risk:
        sentences[0] = f"[red]{sentences[0]}[/red]"
    return Group(
        Text.from_markup(f"[bold]{plain(view.row.id)}[/bold], sent at {zoned(view.row.send_at)}"),
        bar,
        Text.from_markup(", ".join([f"[green]{ready}[/green]", *others])),
        *map(Text.from_markup, sentences),
    )


def print_as_json(view: CampaignView) -> None:
    """The same for programs."""
    paused = {one.id: one.paused_reason for one in view.channels if one.paused_at is not None}
    print_json(
        {
            "at": view.at,
            **counts_as_json(view.row, view.progress),
            "paused": paused,
            "readiness": readiness_as_json(view.readiness, now=view.at),
        }
    )


def follow(seen: Iterator[CampaignView], *, as_lines: bool = False) -> CampaignView:
    """Show each view, as what standard output is allows; returns the last one."""
    # Not what Rich takes for a terminal, which is also a pipe where FORCE_COLOR is set.
    if not as_lines and sys.stdout.isatty() and not console.is_dumb_terminal:
        return _on_screen(seen)
    last = None
    for view in seen:
        if last is None or view.seen != last.seen:
            print_as_json(view) if as_lines else say(as_line(view))
        last = view
    if last is None:
        raise AssertionError("there is always a first view")
    return last


def _on_screen(seen: Iterator[CampaignView]) -> CampaignView:
    last = next(seen)
    with Live(as_screen(last), console=console, auto_refresh=False) as live:
        for last in seen:
            live.update(as_screen(last), refresh=True)
    return last


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a change, instead of sentences.")
@installation_options
@click.pass_context
def watch(context: click.Context, campaign_id: str, *, as_lines: bool, state: Path, sandbox: bool) -> None:
    """Follow CAMPAIGN_ID until nothing of it waits.

    Or until it is cancelled. On a terminal it is shown in one place, anywhere else with a line for each
    change. Ctrl-C ends the watching alone.

    Exit code 0: all files are ready. 1: some are not.
    """
    with open_database(state, sandbox=sandbox) as database:
        try:
            seen = views(database, campaign_id, installed_settings(sandbox=sandbox))
            last = follow(seen, as_lines=as_lines)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "Only the watching ended: workers continue, and what is ready stays ready."
            ) from None
    if last.row.cancelled_at is not None and not as_lines:
        say(f"Campaign {campaign_id} was cancelled at {zoned(last.row.cancelled_at)}.")
    if last.bad and not as_lines:
        say(f"{counted(last.bad, 'file')} cannot be sent. See: greenroom campaign status {campaign_id}")
    context.exit(0 if last.progress.ready == last.progress.total else 1)
