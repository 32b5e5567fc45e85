"""The doctor says which call-backs are not delivered, by their reasons, and nothing of those that are."""

from __future__ import annotations

from datetime import datetime, timedelta

from cli.doctor_callbacks import GIVEN_UP_LATELY, undelivered_in_words
from greenroom.callbacks.payload import CallbackData, CallbackEvent, CallbackPayload
from greenroom.callbacks.target import CallbackTarget
from models.callback import save_callback
from models.outbox import claim_due, give_up_delivery, postpone_delivery, put_in_outbox, record_delivery
from tests.support.rows import accepted_item
from tests.support.world import CHANNEL, World

MINUTE = timedelta(minutes=1)


def write(world: World, campaign: str, now: datetime) -> None:
    """A call-back of a campaign."""
    accepted_item(world, campaign, campaign=campaign)
    data = CallbackData(
        campaign_id=campaign,
        channel=CHANNEL,
        version=1,
        send_at=now,
        total=1,
        ready=1,
        rejected=0,
        failed=0,
    )
    payload = CallbackPayload(id=campaign, type=CallbackEvent.READY, timestamp=now, data=data)
    with world.database.write() as connection:
        save_callback(connection, campaign, CallbackTarget(url="https://crm.example/canary"))
        assert put_in_outbox(connection, payload)


def words(world: World) -> str:
    """What the doctor says now."""
    with world.database.read() as connection:
        return undelivered_in_words(connection, now=world.clock.now())


def test_what_is_not_delivered_is_told_by_its_reason(world: World) -> None:
    """How many, since when, and what was given up lately."""
    now = world.clock.now()
    for campaign in ("delivered", "late-1", "late-2", "unwanted", "new"):
        write(world, campaign, now)
    assert words(world) == ""
    with world.database.write() as connection:
        due = {one.id: one for one in claim_due(connection, now=now, lease=MINUTE, limit=10)}
        assert record_delivery(connection, "delivered", now=now)
        for name in ("late-1", "late-2"):
            until = now + MINUTE
            postpone_delivery(connection, due[name], until=until, failure="https://crm.example answered 500.")
        assert give_up_delivery(connection, "unwanted", now=now, failure="https://crm.example answered 410.")
    said = words(world)
    assert said.startswith(
        "2 call-backs are not delivered, the first campaign.ready of campaign late-1 since "
    )
    assert "answered 500. 1 call-back is not delivered, 1 of them given up" in said
    assert "delivered of" not in said
    assert "canary" not in said
    world.clock.advance(GIVEN_UP_LATELY + MINUTE)
    assert "410" not in words(world)
