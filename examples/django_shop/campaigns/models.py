"""Campaigns and their recipients; the recipient's primary key is the item's ref."""

from collections.abc import Iterator

from django.db import models

from greenroom.manifest import CampaignPlan, ManifestItem
from greenroom.rules import Category


class Campaign(models.Model):
    """A send-out on one phone number."""

    name = models.CharField(max_length=128, primary_key=True)
    channel = models.CharField(max_length=64)
    send_at = models.DateTimeField()
    keep_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    def plan(self) -> CampaignPlan:
        """It, as Greenroom takes it."""
        return CampaignPlan(
            id=self.name, channel=self.channel, send_at=self.send_at, keep_until=self.keep_until
        )

    def items(self) -> Iterator[ManifestItem]:
        """Each recipient's file, read from the database as they are needed."""
        for one in self.recipients.iterator():
            yield ManifestItem(ref=str(one.pk), source=one.file, kind=Category(one.kind))


class Recipient(models.Model):
    """Somebody who gets a file."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="recipients")
    phone = models.CharField(max_length=32)
    file = models.CharField(max_length=4096)
    kind = models.CharField(max_length=16)
    #: Why nothing can be sent, in a sentence for whoever looks after the campaign.
    problem = models.TextField(blank=True)
    message_id = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return self.phone
