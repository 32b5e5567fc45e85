"""The contract of the broker's messages: what each task may be given, checked before anything is done.

Whoever can write to the broker can write anything. A message that is not of this form is refused with one
sentence, at the door. The same models make the JSON Schema that other programs may check against:
``python -m greenroom.contract > greenroom/messages.schema.json``.
"""

from __future__ import annotations

import json
import reprlib
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaMode

from greenroom.answers import ANSWERS, ResultRecord
from greenroom.callbacks.payload import CallbackPayload
from greenroom.errors import (
    DatabaseUnavailable,
    ManifestError,
    MessageRefused,
    Misuse,
    SubmissionSuperseded,
    TransientError,
    UnknownName,
)
from greenroom.manifest import LONGEST_REF, CampaignPlan, ChannelName, ManifestItem, Name, Ref, storable_whole
from greenroom.rules import MIB
from greenroom.task_names import TaskName

#: Grows when what was allowed is allowed no more.
CONTRACT_VERSION = 1
#: The message's header that may say which version its sender means; one that does not means the first.
VERSION_HEADER = "greenroom_contract"
#: Bytes of a whole message as the broker holds it. The client's largest, 2,000 items with the longest names,
#: has 12 MB.
LARGEST_MESSAGE = 16 * MIB
#: Items, refs or reports in one message.
MOST_ROWS = 10_000
#: Claims in one message: twice the largest batch that a setting allows.
MOST_CLAIMS = 1_000
#: Channels with a batch in one message.
MOST_BATCHES = 100
#: What a row's number may be: a BIGINT.
LARGEST_NUMBER = 2**63 - 1
#: Errors of one failed message: Meta's webhooks have one.
MOST_ERRORS = 10
#: Files of a campaign that is thought of.
MOST_FILES = 10**9
#: Characters of each text in one of them.
LONGEST_ERROR_TEXT = 4_096
#: Characters of a refusal that may come from the message itself.
_LONGEST_QUOTE = 200

#: The public tasks; the arguments of others may change with any version.
PUBLIC = (
    TaskName.PREPARE,
    TaskName.BEGIN_SUBMISSION,
    TaskName.SUBMIT,
    TaskName.END_SUBMISSION,
    TaskName.RESOLVE,
    TaskName.MARK_USED,
    TaskName.MARK_DEAD,
    TaskName.REPORT_ERROR,
    TaskName.STATUS,
    TaskName.ESTIMATE,
    TaskName.REJECTED,
    TaskName.MEDIA_IDS,
    TaskName.COMPARE,
    TaskName.RETRY,
    TaskName.MOVE,
    TaskName.CANCEL,
)


#: What public tasks fail with; anything else is a fault of Greenroom's.
RAISED = (MessageRefused, ManifestError, UnknownName, SubmissionSuperseded, Misuse, DatabaseUnavailable)


StoredInteger = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
#: The ref that a page ended with, or nothing.
After = Annotated[str, Field(max_length=LONGEST_REF), AfterValidator(storable_whole)]
#: A row's ID and the claim's token.
ClaimPair = Annotated[list[StoredInteger], Field(min_length=2, max_length=2)]
Claims = Annotated[list[ClaimPair], Field(max_length=MOST_CLAIMS)]
#: A media ID as the provider gave it: letters, digits and signs of ASCII.
GivenMediaId = Annotated[str, StringConstraints(max_length=128, pattern=r"^[!-~]+$")]
#: When, in ISO 8601 with a zone.
AwareMoment = Annotated[
    str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})
]
#: Channel, media ID and moment of a report.
ReportRow = tuple[ChannelName, GivenMediaId, AwareMoment]
#: Rows that cannot be read are left out, one by one, for the others would be lost with them.
Reports = Annotated[list[SkipValidation[ReportRow]], Field(max_length=MOST_ROWS)]


class WebhookErrorData(BaseModel):
    """``error_data`` of a webhook's error; what else it holds is not looked at."""

    details: Annotated[str, StringConstraints(max_length=LONGEST_ERROR_TEXT)] | None = None


class WebhookError(BaseModel):
    """An object of a webhook's ``statuses[].errors``, as it is; what else it holds is not looked at."""

    code: Annotated[int, Field(ge=0, lt=10**9)]
    title: Annotated[str, StringConstraints(max_length=LONGEST_ERROR_TEXT)] | None = None
    message: Annotated[str, StringConstraints(max_length=LONGEST_ERROR_TEXT)] | None = None
    error_data: WebhookErrorData | None = None


#: Channel, media ID (null where it is not known), moment, and errors of a message that failed.
FailedMessageRow = tuple[
    ChannelName,
    GivenMediaId | None,
    AwareMoment,
    Annotated[list[WebhookError], Field(min_length=1, max_length=MOST_ERRORS)],
]
#: As reports are: one that cannot be read costs no other.
FailedMessages = Annotated[list[SkipValidation[FailedMessageRow]], Field(max_length=MOST_ROWS)]


class Arguments(BaseModel):
    """A task's arguments, in their order, by their names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NoArguments(Arguments):
    """For a task that takes none."""


class PrepareArguments(Arguments):
    """(A part of) a campaign's manifest. Its fields are checked by the task itself, which names the item."""

    campaign: SkipValidation[CampaignPlan]
    items: Annotated[list[SkipValidation[ManifestItem]], Field(max_length=MOST_ROWS)]


class BeginSubmissionArguments(Arguments):
    """A campaign whose whole manifest follows in parts, and a key that no other submission of it has."""

    campaign: SkipValidation[CampaignPlan]
    key: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]


class SubmitArguments(Arguments):
    """A part of a submission, whose number is what beginning it answered. Its fields are as of `prepare`."""

    campaign: SkipValidation[CampaignPlan]
    items: Annotated[list[SkipValidation[ManifestItem]], Field(max_length=MOST_ROWS)]
    submission: StoredInteger


class EndSubmissionArguments(Arguments):
    """A submission whose parts have all come in; `after` is as in other pages."""

    campaign_id: Name
    submission: StoredInteger
    after: After = ""


class ResolveArguments(Arguments):
    """Refs of a campaign whose media IDs are asked for; of one on several channels, for which channel."""

    campaign_id: Name
    refs: Annotated[list[Ref], Field(max_length=MOST_ROWS)]
    channel: ChannelName | None = None


class MarkUsedArguments(Arguments):
    """Channel, media ID, and when a message was sent."""

    uses: Reports


class MarkDeadArguments(Arguments):
    """Channel, media ID, and when a message failed."""

    reports: Reports


class ReportErrorArguments(Arguments):
    """Channel, media ID, when a message failed, and the errors that the provider's webhook gives for it."""

    reports: FailedMessages


class CampaignArguments(Arguments):
    """Which campaign is asked about, or cancelled."""

    campaign_id: Name


class EstimateArguments(Arguments):
    """A campaign, and how many files more it would have. The task checks the campaign's fields."""

    campaign: SkipValidation[CampaignPlan]
    files: Annotated[int, Field(ge=0, le=MOST_FILES)]


class PageArguments(Arguments):
    """Which items of a campaign: those after the ref that the last answer ended with; empty for the first."""

    campaign_id: Name
    after: After = ""


class MediaIdsArguments(PageArguments):
    """Which media IDs of a campaign; of one on several channels, for which channel."""

    channel: ChannelName | None = None


class CompareArguments(Arguments):
    """(A part of) a manifest that is held against what a campaign has. Its fields are as of `prepare`."""

    campaign_id: Name
    items: Annotated[list[SkipValidation[ManifestItem]], Field(max_length=MOST_ROWS)]


class RetryArguments(Arguments):
    """Which items of a campaign are tried again; `after` is as in other pages, for all there are."""

    campaign_id: Name
    refs: Annotated[list[Ref], Field(max_length=MOST_ROWS)] | None = None
    every_reason: bool = False
    after: After = ""


class MoveArguments(Arguments):
    """The dates that a campaign has from now on."""

    campaign_id: Name
    send_at: AwareMoment
    keep_until: AwareMoment
    upload_from: AwareMoment | None = None


class InspectArguments(Arguments):
    """Items to be judged, before whatever else waits."""

    claims: Claims


class UploadArguments(Arguments):
    """Assets to be uploaded, by channel."""

    batches: Annotated[dict[ChannelName, Claims], Field(max_length=MOST_BATCHES)]


class DispatchArguments(Arguments):
    """Whether beat asked."""

    tick: bool = False


class VerifyArguments(Arguments):
    """One channel, or all."""

    channel_id: ChannelName | None = None


ARGUMENTS: dict[TaskName, type[Arguments]] = {
    TaskName.PREPARE: PrepareArguments,
    TaskName.BEGIN_SUBMISSION: BeginSubmissionArguments,
    TaskName.SUBMIT: SubmitArguments,
    TaskName.END_SUBMISSION: EndSubmissionArguments,
    TaskName.RESOLVE: ResolveArguments,
    TaskName.MARK_USED: MarkUsedArguments,
    TaskName.MARK_DEAD: MarkDeadArguments,
    TaskName.REPORT_ERROR: ReportErrorArguments,
    TaskName.STATUS: CampaignArguments,
    TaskName.ESTIMATE: EstimateArguments,
    TaskName.REJECTED: PageArguments,
    TaskName.MEDIA_IDS: MediaIdsArguments,
    TaskName.COMPARE: CompareArguments,
    TaskName.RETRY: RetryArguments,
    TaskName.MOVE: MoveArguments,
    TaskName.CANCEL: CampaignArguments,
    TaskName.INSPECT: InspectArguments,
    TaskName.UPLOAD: UploadArguments,
    TaskName.DISPATCH: DispatchArguments,
    TaskName.VERIFY: VerifyArguments,
    TaskName.SWEEP: NoArguments,
    TaskName.START_UPLOADS: NoArguments,
    TaskName.NOTE_READY: NoArguments,
    TaskName.DELIVER: NoArguments,
    TaskName.FORESEE: NoArguments,
    TaskName.REFRESH: NoArguments,
    TaskName.RETIRE: NoArguments,
    TaskName.PRUNE: NoArguments,
}


def check_message(
    name: TaskName, args: Sequence[Any], kwargs: Mapping[str, Any], *, version: object = None
) -> None:
    """Refuse a message that does not keep to the contract.

    Args:
        name: the task's.
        args: its arguments by place, as the message's JSON has them.
        kwargs: and by name.
        version: what the message's header says, if it says anything.

    Raises:
        MessageRefused: with what is wrong and where; of the message itself it shows little, and no value.
    """
    if version is not None and (type(version) is not int or version != CONTRACT_VERSION):
        raise MessageRefused(
            f"{name}: the message is of contract version {excerpt(version)}, and this worker knows version "
            f"{CONTRACT_VERSION}. Update the older of the two."
        )
    model = ARGUMENTS[name]
    fields = list(model.model_fields)
    if len(args) > len(fields):
        raise MessageRefused(f"{name} takes {len(fields)} arguments, not {len(args)}.")
    by_place = dict(zip(fields, args, strict=False))
    if twice := by_place.keys() & kwargs.keys():
        raise MessageRefused(f"{name}: {min(twice)} is given twice.")
    try:
        model.model_validate({**by_place, **kwargs})
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        said = problem["msg"].removeprefix("Value error, ")
        raise MessageRefused(f"{name}: {excerpt(where)}: {said[:_LONGEST_QUOTE]}.") from None


def excerpt(value: object) -> str:
    """What came from outside, so that it cannot fill a log or drive a terminal."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    text = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
    return text if text.isprintable() else ascii(text)


def json_schema() -> dict[str, Any]:
    """All of the contract as one JSON Schema.

    ``tasks`` says which definition a task's arguments have, in what order they stand, and what it answers;
    ``record`` has what lies under a result's key; ``callback`` what a call-back says; ``errors`` which
    failures there are, and after which of them asking again may help.
    """
    arguments = dict.fromkeys(ARGUMENTS.values())
    asked: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((model.__name__, "validation", TypeAdapter(model)) for model in arguments),
        *((name, "serialization", answer) for name, answer in ANSWERS.items()),
        ("record", "validation", TypeAdapter(ResultRecord)),
        ("callback", "serialization", TypeAdapter(CallbackPayload)),
    ]
    found, definitions = TypeAdapter.json_schemas(asked)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The messages of Greenroom's tasks, and their answers",
        "contract": CONTRACT_VERSION,
        "tasks": {
            str(name): {
                "public": name in PUBLIC,
                "arguments": list(model.model_fields),
                "$ref": f"#/$defs/{model.__name__}",
                **({"answer": found[name, "serialization"]} if name in ANSWERS else {}),
            }
            for name, model in ARGUMENTS.items()
        },
        "record": found["record", "validation"],
        "callback": found["callback", "serialization"],
        "errors": {
            error.__name__: {"module": error.__module__, "again": issubclass(error, TransientError)}
            for error in RAISED
        },
        "$defs": definitions["$defs"],
    }


def schema_text() -> str:
    """The schema as the documentation has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
