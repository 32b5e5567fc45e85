"""A shop's scheduler in Celery: its own app, which hands campaigns over to Greenroom and sends them in time.

``celery -A examples.celery_scheduler worker --beat`` runs it. A campaign is a file of JSON, and the folder in
which it lies says how far it is: `new`, `planned`, `sent`, `cancelled`, or `refused` for what Greenroom did
not take. A tick that fails, because somebody is away, leaves the file where it is; the next one tries again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from celery import Celery
from celery.utils.log import get_task_logger
from pydantic import BaseModel

from greenroom.client import Greenroom
from greenroom.errors import Misuse
from greenroom.manifest import CampaignPlan, ManifestItem
from greenroom.messages import message_for

FOLDER = Path(os.environ["SHOP_FOLDER"])
GREENROOM_BROKER = os.environ["SHOP_GREENROOM_BROKER"]
API, KEY = os.environ["SHOP_API_URL"], {"D360-API-KEY": os.environ["SHOP_API_KEY"]}

app = Celery("shop", broker=os.environ["SHOP_BROKER"])
app.conf.beat_schedule = {
    "plan": {"task": "shop.plan_new", "schedule": 1.0},
    "send": {"task": "shop.send_due", "schedule": 1.0},
}
logger = get_task_logger(__name__)


class Recipient(BaseModel):
    """Who is sent which of the campaign's files."""

    to: str
    ref: str


class ShopCampaign(BaseModel):
    """A campaign as the shop keeps it."""

    plan: CampaignPlan
    items: list[ManifestItem]
    recipients: list[Recipient]


def campaigns(state: str) -> Iterator[tuple[Path, ShopCampaign]]:
    """Those in one of the folders."""
    for path in sorted((FOLDER / state).glob("*.json")):
        yield path, ShopCampaign.model_validate_json(path.read_bytes())


def put(path: Path, state: str) -> None:
    """Say how far a campaign is."""
    (FOLDER / state).mkdir(exist_ok=True)
    path.rename(FOLDER / state / path.name)


@app.task(name="shop.plan_new")
def plan_new() -> None:
    """Hand new campaigns over, days before they are sent."""
    with Greenroom(GREENROOM_BROKER) as greenroom:
        for path, campaign in campaigns("new"):
            try:
                found = greenroom.estimate(campaign.plan, files=len(campaign.items))
                changes = greenroom.submit(campaign.plan, campaign.items)
            except Misuse as error:
                logger.error("Campaign %s: %s", campaign.plan.id, error)
                put(path, "refused")
                continue
            put(path, "planned")
            logger.info("Campaign %s: %d files, ready at %s", campaign.plan.id, changes.added, found.ready_at)
            if found.at_risk:
                logger.warning("Campaign %s will be late. %s", campaign.plan.id, " ".join(found.what_helps))


@app.task(name="shop.send_due")
def send_due() -> None:
    """Send what is due, once nothing of it is on its way any more."""
    with Greenroom(GREENROOM_BROKER) as greenroom:
        for path, campaign in campaigns("planned"):
            if campaign.plan.send_at <= datetime.now(UTC) and greenroom.status(campaign.plan.id).is_settled:
                # First, so that whatever happens, nobody is sent a message twice.
                put(path, "sent")
                send(greenroom, campaign)


def send(greenroom: Greenroom, campaign: ShopCampaign) -> None:
    """Send a message to each recipient whose file is ready, and say which media IDs were used."""
    channel, kinds = campaign.plan.channel, {item.ref: item.kind for item in campaign.items}
    # Right before they are sent, for a media ID may have been renewed.
    media_ids = greenroom.resolve(campaign.plan.id, kinds)
    used = []
    for recipient in campaign.recipients:
        media_id = media_ids.get(recipient.ref)
        if media_id is None:
            logger.warning("%s is not ready, and %s gets nothing", recipient.ref, recipient.to)
            continue
        message = message_for(media_id, to=recipient.to, category=kinds[recipient.ref])
        # A webhook that tells of a failure gives this back.
        message["biz_opaque_callback_data"] = media_id
        answer = requests.post(f"{API}/messages", json=message, headers=KEY, timeout=30)
        now = datetime.now(UTC)
        if answer.ok:
            used.append((channel, media_id, now))
        else:
            greenroom.report_error([(channel, media_id, now, [answer.json()["error"]])])
    greenroom.mark_used(used)


@app.task(name="shop.take_statuses")
def take_statuses(channel: str, statuses: list[dict[str, Any]]) -> None:
    """Take what a webhook has in `entry[].changes[].value.statuses`: report what failed, as it is."""
    with Greenroom(GREENROOM_BROKER) as greenroom:
        greenroom.report_error(
            (
                channel,
                status.get("biz_opaque_callback_data"),
                datetime.fromtimestamp(int(status["timestamp"]), UTC),
                status["errors"],
            )
            for status in statuses
            if status["status"] == "failed"
        )


@app.task(name="shop.cancel")
def cancel(name: str) -> None:
    """Call a campaign off: what only it needed is not uploaded any more, and deleted at the provider."""
    path = FOLDER / "planned" / f"{name}.json"
    with Greenroom(GREENROOM_BROKER) as greenroom:
        greenroom.cancel(json.loads(path.read_bytes())["plan"]["id"])
    put(path, "cancelled")
