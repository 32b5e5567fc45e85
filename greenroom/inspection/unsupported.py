"""What to say of a file of a type that WhatsApp does not take."""

from __future__ import annotations

from greenroom.inspection.finding import Finding
from greenroom.inspection.foreign_types import FOREIGN_TYPES, GROUPS, INSTEAD, UNKNOWN, ForeignType, Kind
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE


def type_of(mime: str) -> ForeignType:
    """The row of the table of foreign types; of a type that it does not name, one made of its MIME type."""
    known = FOREIGN_TYPES.get(mime) or FOREIGN_TYPES.get(mime.lower())
    if known is not None:
        return known
    group, kind = GROUPS.get(mime.partition("/")[0], ("a file of another type", Kind.UNKNOWN))
    return ForeignType(what=f"{group} ({mime})", kind=kind)


def foreign(mime: str) -> Finding:
    """The finding on a file of a type that is not in the provider's table.

    Args:
        mime: libmagic's name for it, or one of the table's own.
    """
    # Where libmagic names a type that is taken, its own reader knew better.
    known = type_of(UNKNOWN if mime in BY_MIME_TYPE else mime)
    return Finding(
        label=known.what.split(" ", 1)[1] if known.what.startswith(("a ", "an ")) else known.what,
        reason=Reason.TYPE_NOT_SUPPORTED,
        detail=f"This is {known.what}; {INSTEAD[known.kind]}",
        extensions=known.extensions,
    )
