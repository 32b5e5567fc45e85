"""Manifests: what a scheduler hands over, checked at the door, and the items that folders of files make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.types import AwareDatetime

from greenroom.callbacks.target import CallbackTarget
from greenroom.channel_name import channel_name
from greenroom.clock import require_aware, require_plausible
from greenroom.errors import ManifestError
from greenroom.is_url import is_remote
from greenroom.rules import Category

LONGEST_REF = 255
LONGEST_SOURCE = 4096
#: Channels of one campaign.
MOST_CAMPAIGN_CHANNELS = 50
#: Characters that are shown of the name of a field that is not known.
_LONGEST_SHOWN = 50
_NAME = re.compile(r"\+?[A-Za-z0-9][A-Za-z0-9._:+@-]*")
#: For the JSON Schema: a name, or a phone number as people write it.
_CHANNEL_PATTERN = f"^({_NAME.pattern}|[+(]?[0-9][0-9 ()./-]*)$"


def _plain(text: str) -> str:
    """Names that can stand in a command line, a file name and a database without quoting."""
    if not _NAME.fullmatch(text):
        raise ValueError("may have letters, digits and . _ : + @ - alone, and begins with a letter or digit")
    return text


#: For the JSON Schema, which knows no function.
_PATTERN = Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"})
Name = Annotated[str, StringConstraints(max_length=128), AfterValidator(_plain), _PATTERN]
#: Written in any usual form; what is kept is `channel_name` of it.
ChannelName = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(channel_name),
    AfterValidator(_plain),
    Field(json_schema_extra={"pattern": _CHANNEL_PATTERN}),
]


def storable_whole(text: str) -> str:
    """The same text, if every database keeps all of it.

    Raises:
        ValueError: it holds a character that none keeps.
    """
    if "\0" in text:
        raise ValueError("must not hold the character NUL, which no database keeps")
    return text


def _source(text: str) -> str:
    source = storable_whole(text)
    # Nearly all are plain paths. Taking each apart would be an eighth of what handing it over takes
    # (`make bench`: "Handing a manifest over").
    if source.startswith("/") and not source.startswith("//"):
        return source
    if not is_remote(source) and not Path(source).is_absolute():
        raise ValueError(
            "must be an absolute path, or an address that begins with http(s)://, s3://, gs://, az:// or sftp://"
        )
    return source


#: A scheduler's own name for an item.
Ref = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_REF), AfterValidator(storable_whole)]


#: All channels of one campaign.
ChannelNames = Annotated[Sequence[ChannelName], Field(max_length=MOST_CAMPAIGN_CHANNELS)]


def channel_or_channels(schema: dict[str, Any]) -> None:
    """For the JSON Schema: two sorts of object, one with a channel, and one with a list of them."""
    properties, required = schema.pop("properties"), schema.pop("required")
    for name in ("channel", "channels"):
        properties[name].pop("default")
    filled = {"channels": {**properties["channels"], "minItems": 1}}
    schema["anyOf"] = [
        {
            "type": schema["type"],
            "properties": {**properties, **more},
            "required": [needed, *required],
            "additionalProperties": schema["additionalProperties"],
        }
        for needed, more in (("channel", {}), ("channels", filled))
    ]
    del schema["type"], schema["additionalProperties"]


_NO_CHANNEL = "names no channel: give channel, or a list of channels"


class CampaignPlan(BaseModel):
    """A send-out: on which channels, when it is sent, and until when its media must stay usable.

    Attributes:
        id: the scheduler's own name for it.
        channel: on which phone number it is sent; of several, the first.
        channels: all numbers on which it is sent, each once. One may be given as `channel` alone, and several
            as `channels` alone.
        send_at: when.
        keep_until: until when its media IDs can be used.
        upload_from: from when its media are uploaded; None for the operator's setting. They are inspected at
            once in any case.
        callback: whom to tell when it is ready, at risk, or has rejected files. None leaves it as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=channel_or_channels)

    id: Name
    channel: ChannelName = ""
    channels: ChannelNames = ()
    send_at: Annotated[AwareDatetime, AfterValidator(require_plausible)]
    keep_until: Annotated[AwareDatetime, AfterValidator(require_plausible)]
    upload_from: Annotated[AwareDatetime, AfterValidator(require_plausible)] | None = None
    callback: CallbackTarget | None = None

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        """Have both say the same, each channel once."""
        channels = tuple(dict.fromkeys(filter(None, (self.channel, *self.channels))))
        if not channels:
            raise ValueError(_NO_CHANNEL)
        # It is frozen for everybody else.
        self.__dict__.update(channel=channels[0], channels=channels)
        return self

    def as_message(self) -> dict[str, Any]:
        """Its JSON for workers. What is not set, or said by another field, is left out: some know less."""
        message = self.model_dump(mode="json", exclude_none=True)
        if len(self.channels) == 1:
            del message["channels"]
        return message


class ManifestItem(BaseModel):
    """One file of a campaign, under the scheduler's own reference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: Ref
    source: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_SOURCE),
        AfterValidator(_source),
    ]
    kind: Category | None = None
    fix: bool = False


#: The first mistake is the last one.
_ITEMS = TypeAdapter(Annotated[list[ManifestItem], FailFast()])


def parse_plan(data: Mapping[str, Any]) -> CampaignPlan:
    """A campaign from JSON values.

    Raises:
        ManifestError: a field is missing, unknown or wrong.
    """
    try:
        return CampaignPlan.model_validate(data)
    except ValidationError as error:
        raise ManifestError(f"The campaign cannot be used: {_first(error)}") from None


def parse_name(text: str) -> str:
    """A name that can stand in a command line, a file name and a database, from one that somebody wrote.

    Raises:
        ManifestError: it has other characters than a name may have, or too many.
    """
    try:
        return TypeAdapter(Name).validate_python(text)
    except ValidationError as error:
        raise ManifestError(f"The name cannot be used: {_first(error)}") from None


def parse_channel_name(text: str) -> str:
    """The channel's name as it is kept, from one that somebody wrote.

    Raises:
        ManifestError: it has other characters than a name may have, or is a number without country code.
    """
    try:
        return TypeAdapter(ChannelName).validate_python(text)
    except ValidationError as error:
        raise ManifestError(f"The channel cannot be used: {_first(error)}") from None


class WrongItem(ManifestError):
    """An item cannot be used; the text says why and what to do.

    Attributes:
        index: which of those that were given, from 0.
    """

    def __init__(self, text: str, *, index: int) -> None:
        super().__init__(text)
        self.index = index


def check_items(data: list[Any]) -> list[ManifestItem]:
    """Items from JSON values; whether a ref stands twice is not looked at.

    Raises:
        WrongItem: the first that is wrong.
    """
    try:
        return _ITEMS.validate_python(data)
    except ValidationError as error:
        index = int(error.errors(include_input=False, include_url=False)[0]["loc"][0])
        raise WrongItem(_first(error, within=1), index=index) from None


def parse_items(data: Iterable[Mapping[str, Any]], *, where: str = "item") -> list[ManifestItem]:
    """Items from JSON values.

    Args:
        data: one mapping an item, with ``ref``, ``source`` and perhaps ``kind``.
        where: what to call one in an error, for example ``"file"``.

    Raises:
        ManifestError: naming the first item that is wrong, or two with one ref.
    """
    try:
        items = check_items(list(data))
    except WrongItem as wrong:
        raise ManifestError(f"{where} {wrong.index + 1}: {wrong}") from None
    first_with: dict[str, int] = {}
    for number, item in enumerate(items, start=1):
        before = first_with.setdefault(item.ref, number)
        if before != number:
            raise ManifestError(
                f"{where} {number}: the ref {item.ref!r} stands at {before} already; each "
                "item needs one of its own."
            )
    return items


def items_as_json(items: Sequence[ManifestItem]) -> list[dict[str, Any]]:
    """What :func:`parse_items` takes, as JSON values."""
    values: list[dict[str, Any]] = _ITEMS.dump_python(list(items), mode="json", exclude_defaults=True)
    return values


def parse_moment(text: str) -> datetime:
    """A point in time as a person writes it: ISO 8601, with a time zone.

    Raises:
        ManifestError: it is not one, has no zone, or is out of all bounds.
    """
    try:
        moment = require_aware(datetime.fromisoformat(text))
    except ValueError:
        raise ManifestError(
            f"{text!r} is no point in time with a zone. Write it like 2026-12-01T09:00:00+01:00."
        ) from None
    try:
        return require_plausible(moment)
    except ValueError as error:
        raise ManifestError(f"{text!r} {error}.") from None


#: What to do about what pydantic finds, by its names for it; its own words would do for a programmer.
_PROBLEMS: Final[dict[str, str]] = {
    "missing": "is missing, and has to be there",
    "extra_forbidden": "is not known: take it out",
    "string_type": "must be text",
    "string_too_short": "is empty. Write one",
    "string_unicode": "holds half a character, which is no text. Write it anew",
    "enum": "must be audio, document, image, video or sticker, or be left out",
    "bool_type": "must be true or false, or be left out",
    "bool_parsing": "must be true or false, or be left out",
    "model_type": 'must be an object like {"ref": "hero", "source": "/media/hero.jpg"}',
}


def _first(error: ValidationError, *, within: int = 0) -> str:
    """The first mistake in words; `within` parts of its place are left out. Values are not quoted."""
    problem = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(_named(part) for part in problem["loc"][within:]) or "it"
    if problem["type"] in _PROBLEMS:
        return f"{field} {_PROBLEMS[problem['type']]}."
    if problem["type"] == "string_too_long":
        return f"{field} has more than {problem['ctx']['max_length']:,} characters. Shorten it."
    text = problem["msg"].removeprefix("Value error, ")
    return f"{field}: {text[:1].lower()}{text[1:]}."


def _named(part: str | int) -> str:
    """The name of a field, which others may have chosen."""
    text = str(part)
    if _NAME.fullmatch(text) and len(text) <= _LONGEST_SHOWN:
        return text
    return f"the field {text[:_LONGEST_SHOWN]!r}"
