"""Bodies of requests, checked at the door; and answers of which the client has no model."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.types import AwareDatetime

from greenroom.callbacks.target import CallbackTarget
from greenroom.clock import require_plausible
from greenroom.contract import MOST_FILES, MOST_ROWS, GivenMediaId, WebhookError
from greenroom.manifest import ChannelName, ChannelNames, ManifestItem, Ref, channel_or_channels

Moment = Annotated[AwareDatetime, AfterValidator(require_plausible)]


class Body(BaseModel):
    """A request's; what is not known is refused, for it may be a misspelt name."""

    model_config = ConfigDict(extra="forbid")


class Dates(Body):
    """When a campaign is sent, until when its media must stay usable, and from when they are uploaded.

    Attributes:
        send_at: when it is sent.
        keep_until: until when its media IDs can be used.
        upload_from: from when its media are uploaded; left out for the operator's setting.
    """

    send_at: Moment
    keep_until: Moment
    upload_from: Moment | None = None


class CampaignFields(Dates):
    """A campaign without its ID, which is in the path.

    Attributes:
        channel: on which phone number it is sent.
        channels: or all of them, where they are several.
        callback: whom to tell when it is ready, at risk, or has rejected files; left out, a known campaign
            keeps the one that it has.
    """

    model_config = ConfigDict(json_schema_extra=channel_or_channels)

    channel: ChannelName = ""
    channels: ChannelNames = ()
    callback: CallbackTarget | None = None

    def without_defaults(self) -> dict[str, Any]:
        """As the body had it."""
        return self.model_dump(exclude_unset=True)


class Manifest(CampaignFields):
    """A campaign with its items. As JSON lines: this without items, and on each further line an item."""

    items: list[ManifestItem] = []


class EstimateBody(CampaignFields):
    """A campaign, and how many files it would have more than it has."""

    files: Annotated[int, Field(ge=0, le=MOST_FILES)] = 0


class ResolveBody(Body):
    """Refs whose media IDs are asked for.

    Attributes:
        refs: the scheduler's own references.
        channel: of a campaign on several channels, for which.
    """

    refs: Annotated[list[Ref], Field(max_length=MOST_ROWS)]
    channel: ChannelName | None = None


class RetryBody(Body):
    """Which of the items that cannot be sent are tried again.

    Attributes:
        refs: these; left out for all that may be taken now though nobody has changed the file.
        every_reason: of all items, those too whose file would have to be another one.
    """

    refs: Annotated[list[Ref], Field(max_length=MOST_ROWS)] | None = None
    every_reason: bool = False


class MediaReport(Body):
    """A media ID of a channel: it was sent, or found dead, at this moment."""

    channel: ChannelName
    media_id: GivenMediaId
    at: Moment


class Reports(Body):
    """What was sent, or found dead."""

    reports: Annotated[list[MediaReport], Field(max_length=MOST_ROWS)]


class FailedMessage(Body):
    """A message that failed: ``errors`` are as in ``statuses[].errors`` of the provider's webhook."""

    channel: ChannelName
    media_id: GivenMediaId | None = None
    at: Moment
    errors: Annotated[list[WebhookError], Field(min_length=1, max_length=10)]


class FailedMessages(Body):
    """Messages that the provider took and then did not deliver."""

    messages: Annotated[list[FailedMessage], Field(max_length=MOST_ROWS)]


class HandedOver(BaseModel):
    """How many items were handed over, and are in the database."""

    items: int


class MediaIds(BaseModel):
    """The live media ID of each ref; a ref without one is left out."""

    media_ids: dict[str, str]


class Channels(BaseModel):
    """Names of the channels that the token may work on."""

    channels: list[str]


class Health(BaseModel):
    """That the server answers, and reaches its database."""

    status: str
