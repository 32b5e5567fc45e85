"""A campaign with its manifest, in a request's body: taken whole, onto disk, before anything is done with it.

A body that breaks off, is too large or has a line that cannot be used changes nothing. As JSON it is one
object, the campaign's fields with its ``items``. As JSON lines, for manifests of any length, the first line
has the campaign's fields, and each further one is an item; memory does not grow with them.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import IO, Any, Final

import anyio
from fastapi.concurrency import run_in_threadpool
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from api.refusals import BodyNotRead, BodyTooLarge, BodyTooSlow, RequestInvalid
from api.services import ApiLimits
from greenroom.chunks import chunks
from greenroom.errors import ManifestError
from greenroom.manifest import CampaignPlan, ManifestItem, WrongItem, check_items, parse_plan
from greenroom.manifest_rows import BadRow, rows_of_json_lines

JSON: Final = "application/json"
JSON_LINES: Final = ("application/jsonl", "application/x-ndjson")
#: Bytes of a manifest as one JSON text, which is read as a whole.
LARGEST_JSON: Final = 16 * 2**20
#: Bytes that are kept in memory before a file is made.
_IN_MEMORY: Final = 2**20
_AT_A_TIME: Final = 1_000
_NAME: Final = "the body"


class ManifestBody:
    """A body that is there as a whole.

    Args:
        file: what came.
        campaign_id: of the path.
        json_lines: whether it is JSON lines.

    Raises:
        ManifestError: it cannot be used; the text says which line, and what to do.
    """

    def __init__(self, file: IO[bytes], *, campaign_id: str, json_lines: bool) -> None:
        self._file = file
        self._given: list[ManifestItem] | None = None
        if json_lines:
            _, first = next(self._rows(), (1, {}))
            self.plan = _plan(first, campaign_id)
            # All of it is looked at before any of it is handed over.
            for _ in self._lines():
                pass
        else:
            fields = _object(file)
            items = fields.pop("items", [])
            self.plan = _plan(fields, campaign_id)
            self._given = _checked(items if isinstance(items, list) else [items], "item {}")

    def items(self) -> Iterator[ManifestItem]:
        """Its items, anew with each call."""
        return iter(self._lines() if self._given is None else self._given)

    def _lines(self) -> Iterator[ManifestItem]:
        rows = self._rows()
        next(rows, None)
        for part in chunks(rows, _AT_A_TIME):
            yield from _checked([value for _, value in part], "line {}", [line for line, _ in part])

    def _rows(self) -> Iterator[tuple[int, Any]]:
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="surrogateescape", newline="\n")
        try:
            yield from rows_of_json_lines(text, _NAME)
        finally:
            # The file is closed by who opened it, perhaps before a reader that broke off is.
            with suppress(ValueError):
                text.detach()


def _plan(fields: Any, campaign_id: str) -> CampaignPlan:
    if isinstance(fields, BadRow):
        raise ManifestError(f"{_NAME}, line 1: {fields.problem}")
    if not isinstance(fields, dict):
        raise ManifestError(
            'A body begins with the campaign: {"channel": ..., "send_at": ..., "keep_until": ...}'
        )
    if fields.setdefault("id", campaign_id) != campaign_id:
        raise ManifestError("The campaign's id is another one than the path's. Leave it out.")
    return parse_plan(fields)


def _object(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    try:
        fields = from_json(file.read(LARGEST_JSON + 1))
    except ValueError as error:
        raise ManifestError(f"The body is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise ManifestError("The body is no object with a campaign's fields and its items.")
    return fields


def _checked(values: list[Any], where: str, lines: list[int] | None = None) -> list[ManifestItem]:
    try:
        return check_items(values)
    except WrongItem as wrong:
        value, line = values[wrong.index], (lines or range(1, len(values) + 1))[wrong.index]
        problem = value.problem if isinstance(value, BadRow) else str(wrong)
        raise ManifestError(f"{where.format(line)}: {problem}") from None


@asynccontextmanager
async def taken(request: Request, campaign_id: str, limits: ApiLimits) -> AsyncIterator[ManifestBody]:
    """Take a request's manifest; it is there for as long as the block runs.

    Raises:
        ManifestError: it cannot be used.
        ApiRefusal: it is too large, too slow, or of another type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and kind not in JSON_LINES:
        raise BodyNotRead(f"A manifest comes as {JSON} or as {JSON_LINES[0]}: say which in Content-Type.")
    most = limits.largest_manifest if kind in JSON_LINES else min(LARGEST_JSON, limits.largest_manifest)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="greenroom-") as file:
        await _receive(request, file, most=most, limits=limits)
        yield await run_in_threadpool(
            ManifestBody, file, campaign_id=campaign_id, json_lines=kind in JSON_LINES
        )


async def _receive(request: Request, file: IO[bytes], *, most: int, limits: ApiLimits) -> None:
    size = 0
    parts = request.stream().__aiter__()
    try:
        with anyio.fail_after(limits.body_seconds):
            while True:
                with anyio.fail_after(limits.silence):
                    part = await anext(parts, None)
                if part is None:
                    return
                size += len(part)
                if size > most:
                    raise BodyTooLarge(
                        f"The body has more than {most:,} bytes. Send JSON lines ({JSON_LINES[0]}), or "
                        "several parts to .../items."
                    )
                await run_in_threadpool(file.write, part)
    except TimeoutError:
        raise BodyTooSlow("The body did not come in time. Nothing was done; send it again.") from None
    except ClientDisconnect:
        raise RequestInvalid("The body broke off. Nothing was done; send it again.") from None
