"""``manage.py hand_over CAMPAIGN``: days before it is sent, and again when its recipients have changed."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from campaigns.models import Campaign
from greenroom.client import Greenroom
from greenroom.errors import GreenroomError


class Command(BaseCommand):
    """Hand a campaign's files over, and say which of them have to be replaced before it is sent."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the campaign's name, and how long to wait."""
        parser.add_argument("campaign")
        parser.add_argument("--wait", type=float, default=600, help="seconds")

    def handle(self, *_args: object, campaign: str, wait: float, **_options: object) -> None:
        """Do it."""
        found = Campaign.objects.get(name=campaign)
        try:
            with Greenroom(settings.GREENROOM_BROKER) as greenroom:
                self.hand_over(greenroom, found, wait)
        except GreenroomError as error:
            raise CommandError(str(error)) from error

    def hand_over(self, greenroom: Greenroom, campaign: Campaign, wait: float) -> None:
        """Submit it, wait until each file is ready or judged bad, and note what is wrong with bad ones."""
        plan = campaign.plan()
        estimate = greenroom.estimate(plan, files=campaign.recipients.count())
        late = " ".join(["It will be late.", *estimate.what_helps])
        self.stdout.write(f"{estimate.left} uploads at most. {late if estimate.at_risk else 'In time.'}")
        changes = greenroom.submit(plan, campaign.items())
        self.stdout.write(f"{changes.added} added, {changes.changed} changed, {changes.removed} removed.")
        status = greenroom.wait_until_ready(plan.id, timeout=wait)
        campaign.recipients.update(problem="")
        for item in greenroom.rejected(plan.id):
            campaign.recipients.filter(pk=item.ref).update(problem=f"{item.detail} {item.advice}")
        self.stdout.write(f"{status.ready} of {status.total} files are ready.")
