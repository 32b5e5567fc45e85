"""What is asked of a process that looks at files, and what it answers: lines of JSON.

Plain values, so that nothing which a hostile file did to that process is ever run by the one that asked.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from greenroom.errors import CannotFix, SourceChanged
from greenroom.fixed_file import FixedFile
from greenroom.reasons import Reason
from greenroom.rules import KIB, Category
from greenroom.verdict import Notice, Verdict

#: The first line, once everything is imported: who never says it could not start.
READY: Final = b"ready\n"
#: On a pipe of its own, once everything that was asked is answered.
RING: Final = b"\n"
#: Bytes; one of 128 pixels a side has up to 10,000.
LARGEST_THUMBNAIL: Final = 64 * KIB
_THUMBNAIL: Final = "thumbnail"


@dataclass(frozen=True, kw_only=True)
class InspectOrder:
    """Say what a file is.

    Attributes:
        path: the file.
        name: what the sender calls it; by default as the path does.
        kind: what the manifest wants it to be.
    """

    path: Path
    name: str | None = None
    kind: Category | None = None


@dataclass(frozen=True, kw_only=True)
class FixOrder(InspectOrder):
    """Make a file into one that WhatsApp takes.

    Attributes:
        verdict: what was said of the file.
        into: an existing folder for the new file.
    """

    verdict: Verdict
    into: Path


@dataclass(frozen=True, kw_only=True)
class ThumbnailOrder(InspectOrder):
    """Make a small picture of a file, see :func:`greenroom.conversion.thumbnail.thumbnail`."""


@dataclass(frozen=True, kw_only=True)
class FixResult:
    """What came of fixing: a new file, or nothing that had to be done, or why it cannot be.

    Attributes:
        new: the new file.
        refusal: the text of a :class:`~greenroom.errors.CannotFix`.
        changed: the text of a :class:`~greenroom.errors.SourceChanged`.
        system: number and text of an :class:`OSError`.
    """

    new: FixedFile | None = None
    refusal: str = ""
    changed: str = ""
    system: tuple[int, str] | None = None

    def file(self) -> FixedFile | None:
        """The new file, or None where nothing had to be done; raises here what was raised there.

        Raises:
            CannotFix: the text says why.
            SourceChanged: the file is not the one that the verdict is about.
            OSError: the folder cannot be written to.
        """
        if self.refusal:
            raise CannotFix(self.refusal)
        if self.changed:
            raise SourceChanged(self.changed)
        if self.system is not None:
            raise OSError(*self.system)
        return self.new


def write_orders(orders: Sequence[InspectOrder]) -> bytes:
    """The line that asks; bytes of a name that are no UTF-8 survive as JSON escapes."""
    return json.dumps([_asked(order) for order in orders]).encode() + b"\n"


def _asked(order: InspectOrder) -> list[Any]:
    values: list[Any] = [str(order.path), order.name, order.kind]
    if isinstance(order, FixOrder):
        values += [_values(order.verdict), str(order.into)]
    if isinstance(order, ThumbnailOrder):
        values.append(_THUMBNAIL)
    return values


def read_orders(line: bytes) -> list[InspectOrder]:
    """The orders in a line."""
    return [_order(*values) for values in json.loads(line)]


def _order(path: str, name: str | None, kind: str | None, *fix: Any) -> InspectOrder:
    wanted = Category(kind) if kind else None
    if not fix:
        return InspectOrder(path=Path(path), name=name, kind=wanted)
    if fix == (_THUMBNAIL,):
        return ThumbnailOrder(path=Path(path), name=name, kind=wanted)
    verdict, into = fix
    return FixOrder(path=Path(path), name=name, kind=wanted, verdict=_verdict(verdict), into=Path(into))


def write_verdict(verdict: Verdict) -> bytes:
    """The line that says a verdict."""
    return json.dumps(_values(verdict)).encode() + b"\n"


def read_verdict(line: bytes) -> Verdict:
    """The verdict in a line.

    Raises:
        ValueError: it is no whole answer.
    """
    try:
        return _verdict(json.loads(line))
    except (TypeError, RecursionError) as error:
        raise ValueError("no verdict") from error


def write_thumbnail(image: bytes) -> bytes:
    """The line with a picture; an empty one says that there is none."""
    return b64encode(image) + b"\n"


def read_thumbnail(line: bytes) -> bytes:
    """The picture in a line.

    Raises:
        ValueError: it is no whole answer, or more than a picture of that size can be.
    """
    image = b64decode(line.removesuffix(b"\n"), validate=True)
    if len(image) > LARGEST_THUMBNAIL or (image and not image.startswith(b"RIFF")):
        raise ValueError("no small picture")
    return image


def write_fix_result(made: FixResult) -> bytes:
    """The line that says what came of fixing."""
    new = None
    if made.new is not None:
        fixed = made.new
        verdict = _values(fixed.verdict)
        new = str(fixed.path), fixed.steps, fixed.original_sha256, fixed.sha256, verdict
    return json.dumps((new, made.refusal, made.changed, made.system)).encode() + b"\n"


def read_fix_result(line: bytes) -> FixResult:
    """What came of fixing.

    Raises:
        ValueError: it is no whole answer.
    """
    try:
        new, refusal, changed, system = json.loads(line)
        number, text = system or (0, "")
        return FixResult(
            new=_fixed(*new) if new else None,
            refusal=str(refusal),
            changed=str(changed),
            system=(int(number), str(text)) if system else None,
        )
    except (TypeError, LookupError, RecursionError) as error:
        raise ValueError("not what comes of fixing") from error


def _fixed(path: str, steps: list[str], original_sha256: str, sha256: str, verdict: Any) -> FixedFile:
    return FixedFile(
        path=Path(path),
        steps=tuple(map(str, steps)),
        original_sha256=str(original_sha256),
        sha256=str(sha256),
        verdict=_verdict(verdict),
    )


def _values(verdict: Verdict) -> list[Any]:
    return [
        verdict.label,
        verdict.size,
        verdict.sha256,
        verdict.category,
        verdict.mime_type,
        verdict.reason,
        verdict.detail,
        [(notice.code, notice.detail) for notice in verdict.notices],
    ]


def _verdict(values: Any) -> Verdict:
    label, size, sha256, category, mime_type, reason, detail, notices = values
    return Verdict(
        label=label,
        size=size,
        sha256=sha256,
        category=Category(category) if category else None,
        mime_type=mime_type,
        reason=Reason(reason) if reason else None,
        detail=detail,
        notices=tuple(Notice(code=code, detail=words) for code, words in notices),
    )
