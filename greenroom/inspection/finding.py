"""What an examiner found inside a file, before sizes and the manifest's kind are judged."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.reasons import Reason
from greenroom.verdict import Notice


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one examiner found in one file.

    Attributes:
        label: what it really is, for people.
        mime_type: the row of the provider's table that it belongs to, or None.
        reason: why it cannot be sent, or None.
        detail: the sentence that goes with ``reason``.
        notices: worth knowing, and no reason to reject.
        animated: whether it moves (stickers have two limits).
        extensions: endings that such a file honestly bears, where the provider's table has no row for it.
    """

    label: str
    mime_type: str | None = None
    reason: Reason | None = None
    detail: str = ""
    notices: tuple[Notice, ...] = ()
    animated: bool = False
    extensions: tuple[str, ...] = ()


class Damaged(Exception):
    """The file is not what it starts out to be: cut short, overwritten or never finished.

    Attributes:
        detail: a sentence for a campaign manager.
        mime_type: the row of the provider's table that it was, where that can be told, otherwise None.
    """

    def __init__(self, detail: str, mime_type: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.mime_type = mime_type
