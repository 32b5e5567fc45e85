"""One campaign through the embedded stack, from files to media IDs, with progress on the terminal."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from pydantic import SecretStr
from rich.progress import TaskID

from cli.formats import remarks
from cli.installation import EMBEDDED_SANDBOX
from cli.progress_bar import RunProgress, run_progress
from greenroom.errors import ChannelError, Misuse
from greenroom.manifest import CampaignPlan, ManifestItem
from greenroom.settings import Settings
from greenroom.vault import Vault
from models import Database
from models.campaign import get_campaign
from models.channel import add_channel, get_channel
from models.item_reports import ItemReport, campaign_items
from models.progress import FollowedCampaign
from models.progress import Progress as CampaignProgress
from worker.embedded.stack import Stack

#: Seconds between two looks at how far a campaign is: at first, how much longer each time, and at last.
FIRST_LOOK_SECONDS, SLOWER, PROGRESS_SECONDS = 0.02, 1.1, 0.2
#: The first part of a manifest waits for a worker to have started.
SANDBOX_START_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What is to be got ready.

    Attributes:
        campaign: the plan; its channel is added to the embedded installation.
        items: the files.
        api_key: None where the channel is known from an earlier run.
    """

    campaign: CampaignPlan
    items: Collection[ManifestItem]
    api_key: SecretStr | None


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What came of it.

    Attributes:
        progress: how many items stand where.
        items: each of them.
        seconds: from the first part of the manifest to the last media ID.
        sandbox: what the sandbox itself counted on the channel; None at the real provider.
    """

    progress: CampaignProgress
    items: list[ItemReport]
    seconds: float
    sandbox: dict[str, Any] | None


def load_client() -> None:
    """Load what hands files over, while a stack starts: there is nothing else to do then."""
    for name in ("greenroom.client", "requests"):
        import_module(name)


def get_ready(stack: Stack, request: RunRequest) -> RunOutcome:
    """Hand the campaign over, and follow it until nothing of it waits any more.

    Raises:
        Misuse: there is no API key, or the stack has ended.
        ChannelError: the provider refuses the channel; what is ready stays ready.
    """
    from greenroom.client import Greenroom  # noqa: PLC0415 - see load_client

    started = time.monotonic()
    database = Database(stack.settings.database_url)
    client = Greenroom(stack.settings.celery_broker, timeout=SANDBOX_START_SECONDS)
    try:
        save_channel(database, stack.settings, request, sandbox=stack.sandbox is not None)
        with run_progress() as bars:
            task = bars.add_task("Starting", total=None, settled="", bad="")
            client.add_items(request.campaign, request.items)
            progress = _follow(stack, database, request.campaign, bars, task)
        now = datetime.now(UTC)
        with database.read() as connection:
            items = list(campaign_items(connection, request.campaign.id, now=now))
        return RunOutcome(
            progress=progress,
            items=items,
            seconds=time.monotonic() - started,
            sandbox=_counted(stack, request) if stack.sandbox else None,
        )
    finally:
        client.close()
        database.close()


def _counted(stack: Stack, request: RunRequest) -> dict[str, Any]:
    """The sandbox's counts of this run; a sandbox that is asked for nothing knows no channel."""
    import requests  # noqa: PLC0415 - see load_client

    with requests.Session() as session:
        session.trust_env = False  # a proxy of the user's does not know our own port
        try:
            answer = session.get(f"{stack.sandbox}/_sandbox/stats", timeout=10)
        except requests.RequestException:
            return {}  # it died a moment ago; what the run brought counts all the same
    of_channels: dict[str, dict[str, Any]] = answer.json()
    return of_channels.get(sandbox_key(request.campaign.channel).get_secret_value(), {})


def save_channel(database: Database, settings: Settings, request: RunRequest, *, sandbox: bool) -> None:
    """Add a run's channel, or give it the run's key.

    Raises:
        UnknownName: there is no key, and no such channel.
    """
    channel_id = request.campaign.channel
    with database.write() as connection:
        if request.api_key is None:
            get_channel(connection, channel_id)
            return
        add_channel(
            connection,
            channel_id=channel_id,
            api_base_url=EMBEDDED_SANDBOX if sandbox else settings.api_base_url,
            api_key=Vault(settings.secret_key).encrypt(request.api_key),
            now=datetime.now(UTC),
        )


def _follow(
    stack: Stack, database: Database, campaign: CampaignPlan, bars: RunProgress, task: TaskID
) -> CampaignProgress:
    followed = FollowedCampaign(campaign.id)
    pause = FIRST_LOOK_SECONDS
    while True:
        now = datetime.now(UTC)
        with database.read() as connection:
            progress = followed.look(connection, now=now)
            channel = get_channel(connection, campaign.channel)
            cancelled_at = get_campaign(connection, campaign.id).cancelled_at
        _show(bars, task, progress)
        if progress.settled == progress.total:
            return progress
        if cancelled_at is not None:
            raise Misuse(f"Campaign {campaign.id} was cancelled meanwhile.")
        if channel.paused_at is not None:
            raise ChannelError(
                f"Channel {campaign.channel} is paused: {channel.paused_reason} "
                f"{progress.ready} of {progress.total} files are ready. Then run this again: "
                "what is ready is not uploaded twice."
            )
        for name in stack.news():
            remarks.print(f"[yellow]{name} died and was started again; nothing is lost.[/yellow]")
        time.sleep(pause)
        pause = min(pause * SLOWER, PROGRESS_SECONDS)


def _show(bars: RunProgress, task: TaskID, progress: CampaignProgress) -> None:
    bad = progress.rejected + progress.failed
    bars.remark = f"Waiting to try again: {progress.hindrance}" if progress.hindrance else ""
    bars.update(
        task,
        total=progress.total,
        completed=progress.settled,
        description="Checking" if progress.checking else "Uploading",
        settled=f"{progress.settled:,} of {progress.total:,}",
        bad=f"{bad:,} bad" if bad else "",
        bad_files=bad,
    )


def sandbox_key(channel: str) -> SecretStr:
    """The API key by which the sandbox knows a channel; it takes any, and keeps media apart by it."""
    return SecretStr(f"sandbox-{channel}")
