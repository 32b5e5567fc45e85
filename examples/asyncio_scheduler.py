"""A scheduler in asyncio: folders of files are campaigns, which are handed over and waited for side by side.

``python -m examples.asyncio_scheduler BROKER CHANNEL FOLDER...`` prints what came of each file as a line of
JSON. The channel is known (greenroom channel add), and the workers may open the files.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from greenroom.aio import AsyncGreenroom
from greenroom.client import CampaignStatus
from greenroom.manifest import CampaignPlan, ManifestItem

#: Seconds that a campaign is waited for.
PATIENCE = 600


def items(folder: Path) -> Iterator[ManifestItem]:
    """A line for each file."""
    for path in sorted(folder.iterdir()):
        yield ManifestItem(ref=path.name, source=str(path.absolute()))


def show(**fields: str) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(fields) + "\n")


def progress(status: CampaignStatus) -> None:
    """Say how far a campaign is; the event loop calls it."""
    sys.stderr.write(f"{status.campaign_id}: {status.ready} of {status.total} ready\n")


async def get_ready(greenroom: AsyncGreenroom, channel: str, folder: Path) -> None:
    """Hand a campaign over, wait for it, and print its media IDs, and what cannot be sent."""
    send_at = datetime.now(UTC) + timedelta(days=1)
    plan = CampaignPlan(
        id=folder.name, channel=channel, send_at=send_at, keep_until=send_at + timedelta(days=14)
    )
    await greenroom.submit(plan, items(folder))
    status = await greenroom.wait_until_ready(plan.id, timeout=PATIENCE, on_progress=progress)
    async for ref, media_id in greenroom.media_ids(plan.id):
        show(campaign=plan.id, ref=ref, media_id=media_id)
    if not status.is_ready:
        async for item in greenroom.rejected(plan.id):
            show(campaign=plan.id, ref=item.ref, detail=item.detail, advice=item.advice)


async def main(broker: str, channel: str, *folders: str) -> None:
    """Get all of them ready; when one fails, the others are called off and said by their errors."""
    async with AsyncGreenroom(broker) as greenroom, asyncio.TaskGroup() as group:
        for folder in folders:
            group.create_task(get_ready(greenroom, channel, Path(folder)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
