"""A campaign on two numbers as a shop has it: by the command, the client and HTTP, on real workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.client import Greenroom
from greenroom.errors import Misuse, UnknownName
from sandbox.testing import RunningSandbox
from tests.support.http_api import RunningApi, running_api
from tests.support.production import CHANNEL, KEY, PATIENCE, Production

OTHER, OTHER_KEY = "33612345678", "canary-production-key-of-the-other"
SENT = "2030-01-01T09:00:00+00:00"


def test_a_campaign_on_two_numbers(
    production: tuple[Production, RunningSandbox], redis_url: str, tmp_path: Path
) -> None:
    """Handed over once, it is ready on both, and answers the IDs of the one that is asked for."""
    running, sandbox = production
    for channel, key in ((CHANNEL, KEY), (OTHER, OTHER_KEY)):
        running.greenroom("channel", "add", channel, GREENROOM_API_KEY=key)
    media = tmp_path / "media"
    media.mkdir()
    for name in ("one.txt", "two.txt"):
        (media / name).write_text(f"This is {name}.\n", encoding="utf-8")
    when = ("--send-at", SENT, "--upload-from", "2026-01-01T00:00:00Z")
    numbers = ("--channel", CHANNEL, "--channel", f"+{OTHER}")
    text = running.greenroom("campaign", "submit", "sale", str(media), *numbers, *when, "--dry-run")
    assert "would be handed over" in text
    assert f"On channel {OTHER}: 2 uploads left" in text
    running.greenroom("campaign", "submit", "sale", str(media), *numbers, *when)
    with Greenroom(redis_url, timeout=PATIENCE) as client:
        found = client.wait_until_ready("sale", timeout=PATIENCE)
        assert found.is_ready
        assert [(one.channel, one.ready) for one in found.channels] == [(CHANNEL, 2), (OTHER, 2)]
        refs = ["one.txt", "two.txt"]
        ids = {channel: client.resolve("sale", refs, channel=channel) for channel in (CHANNEL, OTHER)}
        assert set(ids[CHANNEL].values()) == set(sandbox.live_media_ids(KEY))
        assert set(ids[OTHER].values()) == set(sandbox.live_media_ids(OTHER_KEY))
        assert dict(client.media_ids("sale", channel=OTHER)) == ids[OTHER]
        with pytest.raises(Misuse, match=f"{CHANNEL}, {OTHER}"):
            client.resolve("sale", ["one.txt"])
        with pytest.raises(UnknownName, match="not on channel 391"):
            client.resolve("sale", ["one.txt"], channel="391234567")
    database_url = running.environment["GREENROOM_DATABASE_URL"]
    with running_api(database_url, redis_url, timeout=PATIENCE) as api:
        by_http(api, ids)
    text = running.greenroom("campaign", "submit", "sale", str(media), "--channel", OTHER, *when, "--dry-run")
    assert f"no more on {CHANNEL}" in text


def by_http(api: RunningApi, ids: dict[str, dict[str, str]]) -> None:
    """The same answers; and nothing for a token that is for one of its channels alone."""
    page = api.ask("GET", "/v1/campaigns/sale/media-ids", params={"channel": OTHER}).json()
    assert page["media_ids"] == ids[OTHER]
    asked = {"refs": ["one.txt"], "channel": CHANNEL}
    found = api.ask("POST", "/v1/campaigns/sale/resolve", json=asked).json()["media_ids"]
    assert found == {"one.txt": ids[CHANNEL]["one.txt"]}
    assert api.ask("POST", "/v1/campaigns/sale/resolve", json={"refs": ["one.txt"]}).status_code == 409
    of_one = api.token("one", CHANNEL)
    assert api.ask("GET", "/v1/campaigns/sale", token=of_one).status_code == 404
    dates = {"send_at": SENT, "keep_until": SENT}
    more = {"channels": [CHANNEL, OTHER], **dates}
    assert api.ask("POST", "/v1/campaigns/new/estimate", json=more, token=of_one).status_code == 403
    estimate = api.ask("POST", "/v1/campaigns/new/estimate", json={**more, "files": 5}).json()
    assert [(one["channel"], one["left"]) for one in estimate["channels"]] == [(CHANNEL, 5), (OTHER, 5)]
