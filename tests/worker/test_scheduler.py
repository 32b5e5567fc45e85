"""A campaign as its scheduler sees it, by the broker alone: from the manifest to the last word on it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from examples import spring_sale
from greenroom.client import CampaignStatus, Greenroom, RetriedItems, SubmissionChanges
from greenroom.errors import EmptyManifest, Misuse, UnknownName
from greenroom.folder_items import items_of_paths
from greenroom.manifest import ManifestItem
from greenroom.reasons import ADVICE, Reason
from sandbox.testing import RunningSandbox
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, plan


def test_a_campaign_from_its_manifest_to_its_end(
    production: tuple[Production, RunningSandbox],
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Nothing is asked of the database, and no key is known."""
    running, sandbox = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    media = tmp_path / "media"
    spring_sale.make(media)
    items = items_of_paths([media])
    seen: list[CampaignStatus] = []
    with Greenroom(redis_url, timeout=PATIENCE) as client:
        with pytest.raises(UnknownName):
            client.status("sale")
        first = client.submit(plan("sale"), [*items, ManifestItem(ref="gone", source="/nowhere")])
        assert first == SubmissionChanges(added=len(items) + 1)
        assert client.submit(plan("sale"), items) == SubmissionChanges(unchanged=len(items), removed=1)
        with pytest.raises(EmptyManifest):
            client.submit(plan("sale"), [])
        status = client.wait_until_ready("sale", timeout=PATIENCE, on_progress=seen.append)
        assert status == seen[-1]
        assert (status.is_settled, status.is_ready) == (True, False)
        assert (status.total, status.rejected) == (len(items), len(spring_sale.BAD))
        bad = {one.ref: one for one in client.rejected("sale")}
        assert len(bad) == len(spring_sale.BAD)
        assert all(one.advice == ADVICE[Reason(one.reason)] for one in bad.values())
        ids = dict(client.media_ids("sale"))
        assert set(ids.values()) == set(sandbox.live_media_ids(KEY))
        assert ids == client.resolve("sale", [item.ref for item in items])
        assert set(ids) == {item.ref for item in items} - set(bad)

        try_again(running, client, media / "late.txt", bad=list(bad))
        assert dict(client.media_ids("sale")).items() > ids.items()
        assert sandbox.stats()[KEY]["uploads"] == len(ids) + 1
        move_by_command(running, client)

        later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        client.move("sale", send_at=later, keep_until=later + timedelta(days=1))
        assert client.status("sale").send_at == later
        with pytest.raises(Misuse, match="before it is sent"):
            client.move("sale", send_at=later, keep_until=later - timedelta(days=1))

        async def several() -> list[CampaignStatus]:
            """From asyncio, each in a thread."""
            return await asyncio.gather(*(asyncio.to_thread(client.status, "sale") for _ in range(3)))

        assert {one.state for one in asyncio.run(several())} == {"running"}
        client.cancel("sale")
        assert client.wait_until_ready("sale", timeout=PATIENCE).state == "cancelled"


def try_again(running: Production, client: Greenroom, late: Path, *, bad: list[str]) -> None:
    """A file that comes late is taken when somebody asks for it; what was bad stays so."""
    client.add_items(plan("sale"), [ManifestItem(ref="late", source=str(late))])
    client.wait_until_ready("sale", timeout=PATIENCE)
    late.write_text("Better late than never.", encoding="utf-8")
    assert client.retry("sale") == RetriedItems(inspected=1)
    assert client.wait_until_ready("sale", timeout=PATIENCE).rejected == len(bad)
    assert running.greenroom("campaign", "retry", "sale") == (
        "Nothing of campaign sale is to be tried again as it is; with --all, what was rejected for its "
        "content, too.\n"
    )
    said = running.greenroom("campaign", "retry", "sale", *bad)
    assert f"Campaign sale: {len(bad)} files inspected anew." in said
    assert "not rejected or given up" in running.greenroom("campaign", "retry", "sale", "late")
    assert "has no item 'nobody'" in running.greenroom("campaign", "retry", "sale", "nobody")


def move_by_command(running: Production, client: Greenroom) -> None:
    """What is not said stays: the time for which media are kept, or when they are sent."""
    before = client.status("sale")
    said = running.greenroom("campaign", "move", "sale", "--send-at", "2030-03-20T09:00:00+00:00")
    assert said.startswith("Campaign sale is sent at 2030-03-20")
    moved = client.status("sale")
    assert moved.send_at == datetime(2030, 3, 20, 9, tzinfo=UTC)
    assert moved.keep_until - moved.send_at == before.keep_until - before.send_at
    running.greenroom("campaign", "move", "sale", "--keep-days", "3")
    assert client.status("sale").keep_until == datetime(2030, 3, 23, 9, tzinfo=UTC)
    assert "Give --send-at" in running.greenroom("campaign", "move", "sale")
