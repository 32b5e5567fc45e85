"""``manage.py send CAMPAIGN``, once it is time; who has got a message already is not sent another one."""

from argparse import ArgumentParser
from datetime import datetime

import requests
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from campaigns.models import Campaign, Recipient
from greenroom.client import Greenroom
from greenroom.messages import message_for


class Command(BaseCommand):
    """Send each recipient the file that was got ready, and tell Greenroom which media IDs were used."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the campaign's name."""
        parser.add_argument("campaign")

    def handle(self, *_args: object, campaign: str, **_options: object) -> None:
        """Do it."""
        waiting = Campaign.objects.get(name=campaign).recipients.filter(message_id="")
        recipients = {str(one.pk): one for one in waiting}
        used: list[tuple[str, str, datetime]] = []
        with Greenroom(settings.GREENROOM_BROKER) as greenroom:
            for ref, media_id in greenroom.media_ids(campaign, recipients):
                self.send(greenroom, recipients[ref], media_id, used)
            greenroom.mark_used(used)
        self.stdout.write(f"{len(used)} of {len(recipients)} messages sent.")

    def send(
        self, greenroom: Greenroom, recipient: Recipient, media_id: str, used: list[tuple[str, str, datetime]]
    ) -> None:
        """Send one message; of what the provider refuses, Greenroom knows whether it is the file."""
        message = message_for(media_id, to=recipient.phone, category=recipient.kind)
        # A webhook that tells of a failure gives this back, see `take_statuses`.
        message["biz_opaque_callback_data"] = media_id
        headers = {"D360-API-KEY": settings.WHATSAPP_KEY}
        answer = requests.post(f"{settings.WHATSAPP_API}/messages", json=message, headers=headers, timeout=30)
        channel = recipient.campaign.channel
        if answer.ok:
            recipient.message_id = answer.json()["messages"][0]["id"]
            recipient.save(update_fields=["message_id"])
            used.append((channel, media_id, timezone.now()))
        else:
            greenroom.report_error([(channel, media_id, timezone.now(), [answer.json()["error"]])])
