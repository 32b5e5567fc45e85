"""What inspection says about one file."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.reasons import Reason
from greenroom.rules import Category


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something to know about a file that WhatsApp takes all the same.

    Attributes:
        code: stable, in snake case, for programs.
        detail: a sentence with the figures, for people.
    """

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Accepted with a category and a MIME type, or rejected with a reason.

    Attributes:
        label: what the file really is, for people, for example ``"JPEG image, 1200x800"``.
        size: bytes; 0 where the file could not be opened.
        sha256: 64 hex digits of the content, or None where it was not read to its end.
        category: None where no row of the provider's table fits.
        mime_type: WhatsApp's own name for it, as it will be sent; None as for ``category``.
        reason: None exactly when the file is accepted.
        detail: why it is rejected, with figures and without jargon; empty when it is accepted.
        notices: worth knowing, and no reason to reject.
    """

    label: str
    size: int
    sha256: str | None
    category: Category | None
    mime_type: str | None
    reason: Reason | None = None
    detail: str = ""
    notices: tuple[Notice, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether WhatsApp takes the file."""
        return self.reason is None
