"""A row of Flower for each file: what inspection said of it, and what came of its uploads.

The row is an item's, from its verdict to its media ID; each upload on a further channel has one of its own.
Celery's rule for events that come out of order lets nothing follow a success but a retry; so a file that
failed has both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from greenroom.figures import human_size
from greenroom.reasons import ADVICE, Reason
from greenroom.sources import source_name, without_secrets
from greenroom.untrusted_text import one_line
from models import Database
from models.asset_items import ServedItem, items_of_assets
from models.media import live_ids_of
from tasks.runtime.task_events import TaskEvent

#: The name of a file's rows; no message has it.
FILE_ROW = "media.file"
#: Characters of a reason.
LONGEST_SAID = 400
#: How the ids of rows begin: a file has the same one whichever worker tells of it. They are short, for a
#: table shows them beside all else. One is for items, and one for content that no item names any more.
_ITEM_ROW, _ASSET_ROW = "file-", "content-"


class InspectedFile(NamedTuple):
    """What inspection said of an item.

    Attributes:
        reason: why it was rejected; empty where it was accepted, or has to wait.
        detail: the sentence with it, or why it has to wait; empty where it was accepted.
    """

    item_id: int
    campaign_id: str
    channel_id: str
    ref: str
    source: str
    size: int | None
    asset_id: int | None
    reason: str
    detail: str
    at: datetime


class UploadedFile(NamedTuple):
    """What came of one upload.

    Attributes:
        media_id: the new one; None where it failed.
        error: the name of the error's type.
        detail: its sentence.
        is_final: whether the file was given up.
        task_id: of the task that uploaded it.
    """

    asset_id: int
    channel_id: str
    file_name: str
    size: int
    media_id: str | None
    error: str
    detail: str
    is_final: bool
    at: datetime
    task_id: str


def events_of(database: Database, told: Sequence[Any]) -> Iterator[TaskEvent]:
    """The events of files, with the names that operators know them by; those of others as they are.

    Raises:
        DatabaseUnavailable: names cannot be found.
    """
    uploaded = {one.asset_id for one in told if isinstance(one, UploadedFile)}
    accepted = {one.asset_id for one in told if isinstance(one, InspectedFile) and one.asset_id is not None}
    items: Mapping[int, Sequence[ServedItem]] = {}
    live: Mapping[int, str] = {}
    if uploaded or accepted:
        with database.read() as connection:
            items = items_of_assets(connection, uploaded) if uploaded else {}
            at = max(one.at for one in told)
            live = live_ids_of(connection, accepted, now=at) if accepted else {}
    for one in told:
        match one:
            case UploadedFile():
                yield from _of_upload(one, items.get(one.asset_id, ()))
            case InspectedFile():
                yield from _of_inspection(one, live)
            case TaskEvent():
                yield one


def row_of_item(item_id: int) -> str:
    """The id of an item's row."""
    return f"{_ITEM_ROW}{item_id}"


def _row_of_upload(item: ServedItem, one: UploadedFile) -> str:
    row = row_of_item(item.item_id)
    return f"{row}-{one.channel_id}" if item.is_further else row


def _of_inspection(one: InspectedFile, live: Mapping[int, str]) -> Iterable[TaskEvent]:
    row = _row(row_of_item(one.item_id), one.at, _described(one.ref, one.source, one.campaign_id), one)
    if one.reason:
        reason = Reason(one.reason)
        return _failed(one.at, row, f"FileRejected: {reason}", f"{one.detail} {ADVICE.get(reason, '')}")
    if one.detail:
        return [_retried(one.at, row, "SourceUnavailable", one.detail)]
    if media_id := live.get(one.asset_id or 0):
        return [_succeeded(one.at, row, f"media ID {media_id}, which its content had already")]
    row["result"] = "accepted, and not uploaded yet"
    return [TaskEvent(type="task-received", at=one.at, fields=row)]


def _of_upload(one: UploadedFile, items: Sequence[ServedItem]) -> Iterator[TaskEvent]:
    rows = [
        _row(_row_of_upload(item, one), one.at, _described(item.ref, item.source, item.campaign_id), one)
        for item in items
    ] or [_row(f"{_ASSET_ROW}{one.asset_id}", one.at, one_line(one.file_name), one)]
    for row in rows:
        if one.task_id:
            row["root_id"] = one.task_id
        if one.media_id is not None:
            yield _succeeded(one.at, row, f"media ID {one.media_id}")
        elif one.is_final:
            yield from _failed(one.at, row, one.error, one.detail)
        else:
            yield _retried(one.at, row, one.error, one.detail)


def _row(row_id: str, at: datetime, name: str, one: InspectedFile | UploadedFile) -> dict[str, Any]:
    size = "" if one.size is None else f", {human_size(one.size)}"
    return {
        "uuid": row_id,
        "name": FILE_ROW,
        "args": f"{name}{size}, on {one.channel_id}",
        "received": at.timestamp(),
    }


def _described(ref: str, source: str, campaign_id: str) -> str:
    """An item by its ref, by its file's name where that is another one, and by its campaign."""
    name = source_name(source)
    shown = ref if ref.endswith(name) else f"{ref} ({name})"
    return one_line(f"{shown} of {campaign_id}")


def _succeeded(at: datetime, row: dict[str, Any], result: str) -> TaskEvent:
    # What an earlier try said is over.
    return TaskEvent(type="task-succeeded", at=at, fields=row | {"result": result, "exception": None})


def _retried(at: datetime, row: dict[str, Any], error: str, why: str) -> TaskEvent:
    said = _sentence(why)
    fields = row | {"exception": f"{error}: {said}", "result": f"postponed: {said}"}
    return TaskEvent(type="task-retried", at=at, fields=fields)


def _failed(at: datetime, row: dict[str, Any], error: str, why: str) -> list[TaskEvent]:
    said = _sentence(why)
    fields = row | {"exception": f"{error}: {said}", "result": said}
    return [TaskEvent(type=kind, at=at, fields=fields) for kind in ("task-retried", "task-failed")]


def _sentence(text: str) -> str:
    return one_line(without_secrets(text).strip(), longest=LONGEST_SAID)
