"""`greenroom campaign explain` tells each file's story by what the tables hold, and what comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from cli.explain import sentences, story_as_json
from cli.formats import zoned
from cli.json_lines import json_line
from greenroom.errors import UnknownName
from greenroom.figures import human_size
from models import Asset, Campaign, Item
from models.asset import AssetState
from models.asset_claims import claim_assets, sweep_assets, take_assets
from models.campaign import get_campaign, save_campaign
from models.cancellation import cancel_campaign
from models.channel import pause_channel
from models.claim import Claim
from models.item_story import ItemStory, item_story, nearest_refs
from models.upload_outcomes import finish_asset, postpone_asset
from models.usage_reports import UsageReport, record_dead, record_uses
from tasks.prepare import prepare
from tests.support.rows import LEASE, accepted_item, asset_row, ready_item
from tests.support.world import CANARY_KEY, CHANNEL, World

MINUTE = timedelta(minutes=1)


def story_of(world: World, ref: str = "hero", campaign: str = "spring") -> ItemStory:
    """As the tables have it now."""
    with world.database.read() as connection:
        return item_story(
            connection,
            campaign,
            ref,
            now=world.clock.now(),
            rules_of=world.context.settings.life_rules,
        )


def told(world: World, ref: str = "hero", campaign: str = "spring") -> str:
    """The sentences, a line each."""
    story = story_of(world, ref, campaign)
    rates = dict.fromkeys(story.campaign.channels, 25.0)
    return "\n".join(sentences(story, now=world.clock.now(), uploads_per_second=rates))


def taken(world: World, asset_id: int, worker: str | None = "host:1:abc") -> Claim:
    """The asset, claimed and being uploaded by a worker."""
    now = world.clock.now()
    with world.database.write() as connection:
        (claims,) = claim_assets(connection, [CHANNEL], limit=1, now=now, lease=LEASE).values()
        assert [one.claim.id for one in claims] == [asset_id]
        (begun,) = take_assets(
            connection, [one.claim for one in claims], now=now, lease=LEASE, worker=worker
        ).values()
    return begun[0].claim


def test_what_waits_says_how_many_come_before_it(world: World) -> None:
    """Of its channel's uploads, by their order; of its campaign's inspections, by the manifest's."""
    for number in range(3):
        accepted_item(world, f"before-{number}", hours=0.5, campaign="sooner")
    accepted_item(world, "hero")
    accepted_item(world, "after")
    text = told(world)
    assert f"first handed over at {zoned(world.clock.now())}, for channel {CHANNEL}" in text
    assert f"Inspection accepted it: JPEG image, {human_size(1000)}, sent as image/jpeg." in text
    assert "waits for its turn, with 3 uploads of its channel before it" in text
    assert "4 uploads of its channel" in told(world, "after")
    items = [{"ref": ref, "source": f"/media/{ref}.jpg"} for ref in ("a", "b", "c")]
    prepare(world.context, world.campaign("autumn"), items)
    assert "waits for inspection, with 2 files of its campaign before it" in told(world, "c", "autumn")


def test_what_is_with_a_worker_names_it(world: World) -> None:
    """And how long its claim lasts."""
    asset_id = accepted_item(world, "hero")
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.CLAIMED))
    assert "Its upload was handed out, and waits for a worker." in told(world)
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.WAITING))
    taken(world, asset_id)
    end = zoned(world.clock.now() + LEASE)
    assert f"worker host:1:abc uploads it now, and keeps it until {end}" in told(world)


def test_back_off_pause_and_lost_answers(world: World) -> None:
    """Until when, why, and what may be left at the provider."""
    claim = taken(world, accepted_item(world, "hero"))
    later = world.clock.now() + 2 * MINUTE
    with world.database.write() as connection:
        postpone_asset(
            connection, claim, until=later, detail="The answer was lost.", counts=True, answer_lost=True
        )
    text = told(world)
    assert f"tried again at {zoned(later)}, in 120 seconds, after 1 failure: The answer was lost." in text
    assert "1 upload of it may have arrived" in text
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was refused.", now=world.clock.now())
    text = told(world)
    assert f"channel {CHANNEL} is paused since {zoned(world.clock.now())}: The key was refused." in text
    assert f"greenroom channel resume {CHANNEL}" in text


def test_a_worker_that_went_silent_is_told(world: World) -> None:
    """Its file is back in the backlog, and may have arrived."""
    taken(world, accepted_item(world, "hero"))
    world.clock.advance(LEASE + MINUTE)
    with world.database.write() as connection:
        sweep_assets(connection, now=world.clock.now(), max_attempts=10, limit=10)
    text = told(world)
    assert "possible orphan" in text
    assert "0 uploads of its channel before it" in text


def test_bad_files_have_their_reason_and_what_helps(world: World) -> None:
    """Rejected by inspection, or given up by uploading."""
    claim = taken(world, accepted_item(world, "hero"))
    with world.database.write() as connection:
        finish_asset(connection, claim, state=AssetState.FAILED, reason=None, detail="No more.")
    assert "Its upload was given up. No more." in told(world)
    with world.database.write() as connection:
        connection.execute(
            update(Item).values(state="rejected", asset_id=None, reason="broken", detail="It is cut short.")
        )
    assert "Inspection rejected it (broken). It is cut short. Export the file again" in told(world)


def test_ids_from_the_first_to_the_present_one(world: World) -> None:
    """When each was given, used, dead, replaced; when the present one ends and is renewed."""
    first = world.clock.now()
    asset_id = ready_item(world, "hero", media_id="111")
    world.clock.advance(MINUTE)
    used = world.clock.now()
    report = UsageReport(channel_id=CHANNEL, media_id="111", at=used)
    with world.database.write() as connection:
        record_uses(connection, [report], rules_of=world.context.settings.life_rules)
    text = told(world)
    assert f"It was uploaded at {zoned(first)}: media ID 111, last used at {zoned(used)}." in text
    assert f"It ends at {zoned(first + timedelta(days=30))}. It is needed until" in text
    assert "so it is not renewed" in text
    with world.database.write() as connection:
        keep_until = get_campaign(connection, "spring").send_at + timedelta(days=90)
        connection.execute(update(Campaign).values(keep_until=keep_until))
    (media,) = story_of(world).media
    assert media.refresh_at is not None
    assert f"and is renewed from {zoned(media.refresh_at)} on: it is needed until" in told(world)
    world.clock.advance(MINUTE)
    dead = UsageReport(channel_id=CHANNEL, media_id="111", at=world.clock.now())
    with world.database.write() as connection:
        record_dead(connection, [dead], now=world.clock.now())
    text = told(world)
    assert f"Media ID 111 was given at {zoned(first)}, last used at {zoned(used)}, found dead at" in text
    assert asset_row(world, asset_id).state == AssetState.WAITING
    assert "Its upload waits for its turn" in text


def test_scheduled_and_cancelled(world: World) -> None:
    """Uploads that begin later, and those that never will."""
    accepted_item(world, "hero")
    begin = world.clock.now() + 30 * MINUTE
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(upload_from=begin))
        connection.execute(update(Asset).values(state=AssetState.IDLE))
    assert f"It is scheduled: its campaign's uploads begin at {zoned(begin)}." in told(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    text = told(world)
    assert f"The campaign was cancelled at {zoned(world.clock.now())}" in text
    assert "Nothing needs it, so it is not uploaded." in text


def test_a_ref_that_is_not_there_names_the_nearest_ones(world: World) -> None:
    """What holds the text first, whatever its case, and what differs by a letter; a wildcard is a letter."""
    for ref in ("images/Hero.jpg", "images/herb.jpg", "teaser.mp4"):
        accepted_item(world, ref)
    with world.database.read() as connection:
        assert nearest_refs(connection, "spring", "hero.jpg") == ["images/Hero.jpg", "images/herb.jpg"]
        assert nearest_refs(connection, "spring", "%") == []
        assert nearest_refs(connection, "spring", "teaser.mp3") == ["teaser.mp4"]
    with pytest.raises(UnknownName, match=r"no file HERO\.jpg\. Is images/Hero\.jpg"):
        story_of(world, "HERO.jpg")
    with pytest.raises(UnknownName, match="greenroom campaign export spring"):
        story_of(world, "nothing like it")
    with pytest.raises(UnknownName, match="Campaign autumn is not known"):
        story_of(world, "hero", "autumn")


def test_the_values_for_programs_hold_no_key(world: World) -> None:
    """Nor its encrypted form, nor what stands behind an address's question mark."""
    accepted_item(world, "hero")
    with world.database.write() as connection:
        connection.execute(update(Item).values(source="https://cdn.example.com/a.jpg?token=canary"))
        save_campaign(
            connection,
            campaign_id="other",
            channel_id=CHANNEL,
            send_at=world.clock.now() + MINUTE,
            keep_until=world.clock.now() + 2 * MINUTE,
            now=world.clock.now(),
        )
    story = story_of(world)
    line = json_line(story_as_json(story))
    for secret in ("canary", CANARY_KEY, story.channel.api_key):
        assert secret not in line
    assert f'"handed_over_at": "{world.clock.now().isoformat()}"' in line
    assert '"ahead": 0' in line
