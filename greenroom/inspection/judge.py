"""One file in, one verdict out: is it too large, of the wrong kind, of a type that WhatsApp does not take?

What the file is comes from :mod:`.examine`, the numbers from :mod:`greenroom.rules`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from greenroom.figures import compared, human_size
from greenroom.file_names import extension_in, extensions_of
from greenroom.inspection.content import Content, NotAFile
from greenroom.inspection.examine import examine
from greenroom.inspection.finding import Finding
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE, LARGEST_FILE, Category, size_limit
from greenroom.verdict import Notice, Verdict

_CLOSED_FOLDER: Final = "Greenroom is not allowed to open this folder; nothing in it was looked at."
_PLURALS: Final[dict[Category, str]] = {
    Category.AUDIO: "audio files",
    Category.DOCUMENT: "documents",
    Category.IMAGE: "images",
    Category.VIDEO: "videos",
    Category.STICKER: "stickers",
}
_SINGULARS: Final[dict[Category, str]] = {
    Category.AUDIO: "audio file",
    Category.DOCUMENT: "document",
    Category.IMAGE: "image",
    Category.VIDEO: "video",
    Category.STICKER: "sticker",
}


def inspect_file(path: Path, *, name: str | None = None, kind: Category | None = None) -> Verdict:
    """Judge one file by its content: whether WhatsApp takes it, as what, and if not, why.

    The content is read once to hash and to size it; examiners then look at the parts they need. Never raises
    for what a file holds or for a file that is not there: that is what verdicts are for.

    Args:
        path: the file.
        name: what the sender calls it, by default the path's own name. Only compared with the content.
        kind: the category that the manifest asks for; a file of another one is refused.
    """
    try:
        with Content(path) as content:
            return _judge(content, name=path.name if name is None else name, kind=kind)
    except (OSError, ValueError) as error:
        return _unopened(path, error)


def _unopened(path: Path, error: OSError | ValueError) -> Verdict:
    reason = Reason.UNREADABLE
    match error:
        case FileNotFoundError():
            reason, detail = Reason.MISSING, "There is no such file."
        case NotADirectoryError():
            reason, detail = Reason.MISSING, "There is no such file: part of its path is not a folder."
        case IsADirectoryError():
            closed = not os.access(path, os.R_OK | os.X_OK)
            detail = _CLOSED_FOLDER if closed else "This is a folder, not a file."
        case NotAFile():
            detail = "This is a pipe or a device, not a file."
        case PermissionError():
            detail = "Greenroom is not allowed to read this file."
        case OSError(strerror=str(why)):
            detail = f"This file cannot be read: {why}."
        case _:
            detail = "This file cannot be read: its path is not valid."
    return Verdict(
        label="no file", size=0, sha256=None, category=None, mime_type=None, reason=reason, detail=detail
    )


def _judge(content: Content, *, name: str, kind: Category | None) -> Verdict:
    finding = examine(content)
    row = BY_MIME_TYPE.get(finding.mime_type or "")
    category = row.category if row else None
    reason, detail = _decide(content, finding, kind)
    return Verdict(
        label=finding.label,
        size=content.size,
        sha256=content.sha256,
        category=category,
        mime_type=finding.mime_type,
        reason=reason,
        detail=detail,
        notices=finding.notices + _name_notices(name, finding) + _data_notices(name, finding, reason),
    )


def _decide(content: Content, finding: Finding, kind: Category | None) -> tuple[Reason | None, str]:
    """The first of these that is so: above 100 MB; no type of the table; another kind; damaged; too large."""
    row = BY_MIME_TYPE.get(finding.mime_type or "")
    if content.size > LARGEST_FILE:
        return Reason.TOO_LARGE, (
            f"This file is {compared(content.size, LARGEST_FILE)}; "
            f"WhatsApp takes nothing above {human_size(LARGEST_FILE)}"
            + (
                f", and {_PLURALS[row.category]} up to {human_size(size_limit(row.mime_type))}."
                if row
                else "."
            )
        )
    if row is None:
        return finding.reason, finding.detail
    if kind is not None and row.category is not kind:
        return Reason.WRONG_KIND, (
            f"This is {_with_article(row.label)}, so {_with_article(_SINGULARS[row.category])} to WhatsApp; "
            f"the manifest asks for {_with_article(_SINGULARS[kind])}."
        )
    too_large = _size_sentence(content.size, finding)
    return _both(finding, too_large) if too_large else (finding.reason, finding.detail)


def _both(finding: Finding, too_large: str) -> tuple[Reason, str]:
    """The reason of a file that is too large, and perhaps has another fault, which is told as well."""
    if finding.reason is None:
        return Reason.TOO_LARGE, f"This {too_large}."
    if finding.reason is Reason.BROKEN:
        # A whole copy of it would be too large all the more.
        return Reason.TOO_LARGE, f"This {too_large}. Also, t{finding.detail[1:]}"
    return finding.reason, f"{finding.detail} Also, this {too_large}."


def _size_sentence(size: int, finding: Finding) -> str:
    """Empty when the file is within its limit."""
    row = BY_MIME_TYPE[finding.mime_type or ""]
    limit = size_limit(row.mime_type, animated=finding.animated)
    if size <= limit:
        return ""
    which = ""
    if row.category is Category.STICKER:
        which = "animated " if finding.animated else "static "
    return (
        f"{which}{_SINGULARS[row.category]} is {compared(size, limit)}; "
        f"WhatsApp takes {which}{_PLURALS[row.category]} up to {human_size(limit)}"
    )


def _with_article(noun: str) -> str:
    if noun == "plain text":
        return noun
    return ("an " if noun[0] in "aeiouAEIO" or noun.startswith(("MP", "M4A")) else "a ") + noun


def _data_notices(name: str, finding: Finding, reason: Reason | None) -> tuple[Notice, ...]:
    """A notice on a text that by its name is data or markup, where its content alone did not tell."""
    ending = extension_in(name)
    if (
        reason is not None
        or finding.mime_type != "text/plain"
        or ending in (".txt", ".text", ".log")
        or ending not in extensions_of("text/plain")
        or any(notice.code == "sent_as_plain_text" for notice in finding.notices)
    ):
        return ()
    detail = f"This is a {ending} file; it is sent as a plain text document."
    return (Notice(code="sent_as_plain_text", detail=detail),)


def _name_notices(name: str, finding: Finding) -> tuple[Notice, ...]:
    """A notice when the name's ending claims another type than the content is."""
    ending = extension_in(name)
    honest = extensions_of(finding.mime_type) if finding.mime_type else frozenset(finding.extensions)
    if not ending or not honest or ending in honest or ending in finding.extensions:
        return ()
    detail = f"It is named {ending}, but its content is: {finding.label}."
    return (Notice(code="name_disagrees", detail=detail),)
