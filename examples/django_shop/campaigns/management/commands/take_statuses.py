"""``manage.py take_statuses CHANNEL < statuses``: what a webhook told; a view would do the same."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime

from django.conf import settings
from django.core.management.base import BaseCommand

from campaigns.models import Recipient
from greenroom.client import Greenroom


class Command(BaseCommand):
    """Report messages that failed, as `entry[].changes[].value.statuses` of a webhook has them.

    A media ID that was dead is replaced at once; whoever was sent it is sent another message next time.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the phone number that the webhook is of."""
        parser.add_argument("channel")

    def handle(self, *_args: object, channel: str, **_options: object) -> None:
        """Do it."""
        failed = [status for status in json.load(sys.stdin) if status["status"] == "failed"]
        with Greenroom(settings.GREENROOM_BROKER) as greenroom:
            greenroom.report_error(
                (
                    channel,
                    status.get("biz_opaque_callback_data"),
                    datetime.fromtimestamp(int(status["timestamp"]), UTC),
                    status["errors"],
                )
                for status in failed
            )
        Recipient.objects.filter(message_id__in=[status["id"] for status in failed]).update(message_id="")
        self.stdout.write(f"{len(failed)} failed.")
