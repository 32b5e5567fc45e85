"""``manage.py call_off CAMPAIGN``: it is not sent; what only it needed is deleted at the provider."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand

from greenroom.client import Greenroom


class Command(BaseCommand):
    """Say that a campaign needs nothing any more."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the campaign's name."""
        parser.add_argument("campaign")

    def handle(self, *_args: object, campaign: str, **_options: object) -> None:
        """Do it."""
        with Greenroom(settings.GREENROOM_BROKER) as greenroom:
            greenroom.cancel(campaign)
        self.stdout.write(f"{campaign} is called off.")
