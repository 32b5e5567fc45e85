"""What an operator asks of the provider is counted, written down and refused as what workers ask."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from greenroom.errors import KeyRefused, LookupBlocked, MediaGone, Misuse, ProviderUnavailable, RequestRefused
from models import Media
from models.cancellation import cancel_campaign
from models.channel import get_channel, pause_channel, resume_channel
from models.lookups import FAILURES_ALLOWED, LookupFailure
from tasks.prepare import prepare
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.runtime.retrieval import DELETE_BY_HAND, Retrieval
from tasks.verify import verify
from tests.support.rows import asset_row, media_rows
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all


@pytest.fixture
def image(make_image: MakeImage) -> Path:
    """The campaign's only file."""
    return make_image()


@pytest.fixture
def media_id(world: World, image: Path) -> str:
    """The ID of a campaign's only file."""
    prepare(world.context, world.campaign(days=25), [{"ref": "hero", "source": str(image)}])
    inspect_all(world)
    upload_all(world)
    return resolve(world.context, "spring", ["hero"])["hero"]


@pytest.fixture
def retrieval(world: World) -> Retrieval:
    """By hand."""
    context = world.context
    return Retrieval(
        channel_id=CHANNEL,
        settings=context.settings,
        database=context.database,
        provider=context.provider,
        vault=context.vault,
        clock=context.clock,
    )


def failures(world: World) -> int:
    """How many failed look-ups are counted."""
    with world.database.read() as connection:
        return connection.execute(select(func.count(LookupFailure.id))).scalar_one()


def test_a_look_up_says_where_the_file_is_and_is_remembered(
    world: World, retrieval: Retrieval, media_id: str, image: Path
) -> None:
    """It costs nothing, and verification need not ask again so soon."""
    world.clock.advance(timedelta(days=7))
    location = retrieval.look_up(media_id)
    assert location.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()
    assert failures(world) == 0
    (row,) = media_rows(world)
    assert row.seen_alive_at == world.clock.now()
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).longest_life_seconds == 7 * 86_400


def test_an_id_that_is_gone_is_replaced_and_counted(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """As where verification finds it; an ID that nobody here knows is counted alone."""
    world.sandbox.faults({"forget_media": [media_id]})
    with pytest.raises(MediaGone):
        retrieval.look_up(media_id)
    assert resolve(world.context, "spring", ["hero"]) == {}
    assert upload_all(world)["uploaded"] == 1
    with pytest.raises(MediaGone):
        retrieval.look_up("1")
    assert failures(world) == 2


def test_what_the_provider_will_not_talk_about_is_renewed(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """The page: a 400 is not retried."""
    world.sandbox.faults(
        {"on": "media_url", "times": 1, "answer": {"status": 400, "code": 100, "message": "No"}}
    )
    with pytest.raises(RequestRefused):
        retrieval.look_up(media_id)
    (row,) = media_rows(world)
    assert (row.doubted_at, row.verify_at) == (world.clock.now(), None)


def test_failures_by_hand_and_of_verification_are_counted_together(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """The fifth of an hour is never risked, whoever would make it; later it may be made."""
    for number in range(FAILURES_ALLOWED):
        with pytest.raises(MediaGone):
            retrieval.look_up(f"{number}")
    with pytest.raises(LookupBlocked, match="the next one may be made at 13:00:00 UTC") as blocked:
        retrieval.look_up(media_id)
    assert blocked.value.retry_after == 3600
    world.clock.advance(timedelta(minutes=59))
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == FAILURES_ALLOWED
    world.clock.advance(timedelta(minutes=1))
    assert retrieval.look_up(media_id).size


def test_a_block_at_the_provider_stops_verification(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """Within the hour nobody asks."""
    world.sandbox.faults({"on": "media_url", "times": 1, "answer": {"status": 403, "message": "blocked"}})
    for _ in range(2):
        with pytest.raises(LookupBlocked):
            retrieval.look_up(media_id)
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == 1


def test_a_download_is_what_was_uploaded(
    world: World, retrieval: Retrieval, media_id: str, image: Path
) -> None:
    """By the provider's word and by ours."""
    into = io.BytesIO()
    assert retrieval.download(media_id, into).size == len(into.getvalue())
    assert into.getvalue() == image.read_bytes()
    with world.database.write() as connection:
        connection.execute(update(Media).values(sha256="0" * 64))
    with pytest.raises(ProviderUnavailable, match="another content than was uploaded"):
        retrieval.download(media_id, io.BytesIO())


def test_the_url_of_a_webhook_needs_no_look_up(
    world: World, retrieval: Retrieval, media_id: str, image: Path
) -> None:
    """By itself, or in the webhook's own object, whose SHA-256 is checked; another number's is refused."""
    webhook = world.sandbox.inbound(media_id)
    for given in (
        webhook["url"],
        json.dumps(webhook),
        f" {webhook['url']}\n",
        webhook["url"].replace("/", "\\/"),
    ):
        into = io.BytesIO()
        retrieval.download_inbound(given, into)
        assert into.getvalue() == image.read_bytes()
    wrong = {**webhook, "sha256": base64.b64encode(bytes(32)).decode()}
    with pytest.raises(ProviderUnavailable, match="SHA-256 differs"):
        retrieval.download_inbound(json.dumps(wrong), io.BytesIO())
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == 0
    world.add_channel("4930", "another-key")
    with pytest.raises(ProviderUnavailable) as refused:
        replace(retrieval, channel_id="4930").download_inbound(webhook["url"], io.BytesIO())
    assert "hash=" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "{",
        "{}",
        '{"url": 7}',
        "https://example.com/whatsapp_business/attachments/?mid=1&hash=secretHash",
        "http://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&hash=secretHash",
        "https://lookaside.fbsbx.com.example.com/whatsapp_business/attachments/?hash=secretHash",
        "https://user@lookaside.fbsbx.com/whatsapp_business/attachments/?hash=secretHash",
        "https://lookaside.fbsbx.com/1234?hash=secretHash",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?hash=secretHash\r\nX: y",
        '{"url": ' + "[" * 10_000,
    ],
)
def test_no_other_url_is_asked_for(world: World, retrieval: Retrieval, given: str) -> None:
    """The key goes to the API alone, and nothing of the URL is quoted."""
    with pytest.raises(RequestRefused) as refused:
        retrieval.download_inbound(given, io.BytesIO())
    assert "secretHash" not in str(refused.value)
    assert CANARY_KEY not in world.sandbox.stats()


def test_what_a_campaign_needs_is_deleted_by_force_alone(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """Then it is uploaded anew at once, and no early death is counted."""
    with pytest.raises(Misuse, match="is needed by spring"):
        retrieval.delete(media_id)
    assert world.sandbox.live_media_ids(CANARY_KEY) == [media_id]
    assert retrieval.delete(media_id, force=True) is True
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    (row,) = media_rows(world)
    assert (row.is_current, row.deleted_at) == (False, world.clock.now())
    assert resolve(world.context, "spring", ["hero"]) == {}
    assert upload_all(world)["uploaded"] == 1
    assert resolve(world.context, "spring", ["hero"])["hero"] != media_id
    assert retrieval.delete(media_id) is False
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).early_deaths == 0


def test_what_nothing_needs_is_deleted(world: World, retrieval: Retrieval, media_id: str) -> None:
    """A cancelled campaign needs nothing; an ID that is not known here is deleted all the same."""
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert retrieval.delete(media_id) is True
    (row,) = media_rows(world)
    assert row.deleted_at == world.clock.now()
    assert asset_row(world, row.asset_id).state == "idle"
    assert retrieval.delete("1") is False


def test_a_delete_that_fails_is_done_by_retiring(world: World, retrieval: Retrieval, media_id: str) -> None:
    """The ID is out of service from the first try on; within the lease nobody else tries."""
    world.sandbox.faults({"on": "delete", "times": 1, "answer": {"status": 503}})
    with pytest.raises(ProviderUnavailable):
        retrieval.delete(media_id, force=True)
    assert resolve(world.context, "spring", ["hero"]) == {}
    assert retire(world.context)["deleted"] == 0
    world.clock.advance(DELETE_BY_HAND)
    assert retire(world.context)["deleted"] == 1
    assert world.sandbox.live_media_ids(CANARY_KEY) == []


def test_a_channel_that_is_paused_is_asked_for_nothing(
    world: World, retrieval: Retrieval, media_id: str
) -> None:
    """Paused by hand, or by a key that is refused here."""
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="a test", now=world.clock.now())
    for ask in (lambda: retrieval.look_up(media_id), lambda: retrieval.delete(media_id)):
        with pytest.raises(Misuse, match=f"Channel {CHANNEL} is paused: a test"):
            ask()
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == 0
    with world.database.write() as connection:
        resume_channel(connection, CHANNEL)
    world.sandbox.faults({"revoke_key": CANARY_KEY})
    with pytest.raises(KeyRefused):
        retrieval.look_up(media_id)
    assert failures(world) == 1
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at == world.clock.now()
