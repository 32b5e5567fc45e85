"""When a verdict and an independent reader disagree.

An accepted file is looked at by the readers that know its type. They disagree where one that reads such files
to the end cannot open it, or where one calls it another type, or finds a rule of the page broken. A name that
was given by the file's head alone does not count against a reader that read it to the end without a
complaint, and agrees.

A refused file is looked at by the readers that could contradict the reason: they do where one opens the file
as a type of the page, finds nothing wrong with it, and it is not too large. A name alone contradicts no
refusal. Nor does a reader that had to repair the file, or took too long; and a refusal that has nothing to do
with the content (missing, empty, too large) is not asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom.rules import BY_MIME_TYPE, size_limit
from greenroom.verdict import Verdict
from tests.eye.opinion import Opinion
from tests.eye.programs import NoAnswer
from tests.eye.readers import Reader

#: Bytes at the start of a file by which readers are chosen.
_HEAD = 1024


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of one file.

    Attributes:
        file: which.
        verdict: Greenroom's.
        against: who says otherwise, a sentence each.
        asked: who was asked.
        silent: who of them took too long.
    """

    file: Path
    verdict: Verdict
    against: tuple[str, ...]
    asked: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def ours(self) -> str:
        """Greenroom's verdict in words."""
        if self.verdict.accepted:
            return f"accepted: {self.verdict.mime_type}"
        return f"{self.verdict.reason}: {self.verdict.detail}"

    @property
    def is_unseen(self) -> bool:
        """Whether the file is accepted, and nobody else has looked at it."""
        return self.verdict.accepted and len(self.asked) == len(self.silent)


def compare(file: Path, verdict: Verdict, readers: Iterable[Reader], *, seconds: float) -> Compared:
    """Ask the readers about a file; each may take so many seconds."""
    asked, silent = [], []
    opinions: list[tuple[Reader, Opinion]] = []
    for reader in _to_be_asked(file, verdict, readers):
        asked.append(reader.name)
        try:
            opinion = reader.ask(file, seconds)
        except NoAnswer:
            silent.append(reader.name)
            continue
        if opinion is not None:
            opinions.append((reader, opinion))
    against = tuple(objections(verdict, opinions))
    return Compared(file=file, verdict=verdict, against=against, asked=tuple(asked), silent=tuple(silent))


def objections(verdict: Verdict, opinions: Sequence[tuple[Reader, Opinion]]) -> Iterator[str]:
    """What readers have against a verdict."""
    seen = any(
        verdict.mime_type in opinion.types & reader.opens and opinion.is_audio for reader, opinion in opinions
    )
    for reader, opinion in opinions:
        if not verdict.accepted:
            said = _against_refusal(verdict, reader, opinion)
        else:
            said = _against_acceptance(verdict, reader, opinion, seen=seen)
        if said:
            yield f"{reader.name}: {said}"


def _to_be_asked(file: Path, verdict: Verdict, readers: Iterable[Reader]) -> Iterator[Reader]:
    if verdict.accepted:
        yield from (reader for reader in readers if verdict.mime_type in reader.names)
        return
    could = [reader for reader in readers if verdict.reason in reader.contradicts]
    if could:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
        yield from (reader for reader in could if reader.may_open(head))


def _against_acceptance(verdict: Verdict, reader: Reader, opinion: Opinion, *, seen: bool) -> str:
    reads_all = verdict.mime_type in reader.opens
    if not opinion.types:
        return f"cannot open it ({opinion.words})" if reads_all else ""
    if verdict.mime_type not in opinion.types:
        if seen and not reads_all:
            return ""
        return f"says {' or '.join(sorted(opinion.types))} ({opinion.words})"
    return f"says {opinion.outside} ({opinion.words})" if opinion.outside else ""


def _against_refusal(verdict: Verdict, reader: Reader, opinion: Opinion) -> str:
    taken = [
        name
        for name in sorted(opinion.types & reader.opens & BY_MIME_TYPE.keys())
        if verdict.size <= size_limit(name, animated=True)
    ]
    return f"opens it as {' or '.join(taken)} ({opinion.words})" if taken and opinion.is_audio else ""
