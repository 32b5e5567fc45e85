"""Where a campaign's call-backs go: a Celery task by its name, or an address by HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

LONGEST_URL: Final = 2_048
#: Celery's own, where nobody says another.
DEFAULT_QUEUE: Final = "celery"
_ONE_OF_TWO = "must have either url or task"


def _plain_url(text: str) -> str:
    """The letters alone: whether it may be called is the operator's decision, and asked for by workers."""
    try:
        parts = urlsplit(text)
        known = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known or not text.isprintable() or " " in text:
        raise ValueError("must be an http(s) address")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password: call-backs are signed")
    return text


CallbackUrl = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_URL),
    AfterValidator(_plain_url),
    Field(json_schema_extra={"format": "uri"}),
]
#: As Python and Celery name things.
DottedName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_.:-]*$")]


def _either(schema: dict[str, Any]) -> None:
    """For the JSON Schema: two sorts of object, and not one with fields that exclude each other."""
    fields = {name: _given(field) for name, field in schema.pop("properties").items()}
    schema["anyOf"] = [
        {
            "type": schema["type"],
            "properties": {name: fields[name] for name in names},
            "required": names[:1],
            "additionalProperties": schema["additionalProperties"],
        }
        for names in (["url"], ["task", "queue"])
    ]
    del schema["type"], schema["additionalProperties"]


def _given(field: dict[str, Any]) -> dict[str, Any]:
    """What a field may be where it is there."""
    found: dict[str, Any] = next((one for one in field.get("anyOf", ()) if one["type"] != "null"), field)
    return found


class CallbackTarget(BaseModel):
    """Where call-backs of a campaign go; one of the first two.

    Attributes:
        url: what is asked with ``POST``.
        task: the name of a Celery task, whose one argument is the same JSON.
        queue: that it goes to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_either)

    url: CallbackUrl | None = None
    task: DottedName | None = None
    queue: DottedName = DEFAULT_QUEUE

    @property
    def receiver(self) -> str:
        """Who answers for it: a host with its port, or the broker."""
        return "broker" if self.url is None else urlsplit(self.url).netloc.lower()

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.url is None) == (self.task is None):
            raise ValueError(_ONE_OF_TWO)
        return self
