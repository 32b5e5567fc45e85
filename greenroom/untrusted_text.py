"""Text that others wrote (files, servers, schedulers), made fit for tables, messages and logs.

A file's name, a ZIP's own words, a provider's answer: each may hold what a database refuses, and then a
whole batch would be refused for one file's sake. PostgreSQL keeps no NUL; and neither it nor SQLite nor UTF-8
takes a lone surrogate, which is how Python reads a file name that is not UTF-8.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Stands for what cannot be kept, so that one sees that there was something.
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
#: Characters of a sentence for people (a reason, a label) that are kept: ours have at most some hundred.
LONGEST_SENTENCE: Final = 2_000
#: Characters of a line that a log or a monitor shows.
LONGEST_LINE: Final = 200
#: Characters that are printed of one text; names of files have up to some thousand.
LONGEST_PRINTED: Final = 500
#: Lines that are printed of one text: the longest traceback, and no novel.
MOST_PRINTED_LINES: Final = 200

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def is_storable(text: str) -> bool:
    """Whether every database, and UTF-8, takes the text as it is."""
    return _UNSTORABLE.search(text) is None


def storable(text: str, *, longest: int | None = None) -> str:
    """The text as every database takes it; the same one, where it is so already.

    For what is kept and shown, not for what names something: a name that is altered names something else.
    Where it comes in, ask :func:`is_storable`, and refuse it.

    Args:
        text: what somebody wrote.
        longest: characters that are kept of it; None for all.
    """
    clean = text if is_storable(text) else _UNSTORABLE.sub(REPLACEMENT, text)
    return clean if longest is None or len(clean) <= longest else clean[: longest - 1] + _ELLIPSIS


def one_line(text: str, *, longest: int = LONGEST_LINE) -> str:
    """The text as a line of a log or a monitor: nothing in it ends the line, turns it round or hides.

    White space of any sort becomes one space; what has no shape of its own (control characters, marks of
    direction, lone surrogates) is shown as :data:`REPLACEMENT`.
    """
    # Cut before the letters are looked at: a name may have megabytes.
    shown = " ".join(text[: 4 * longest].split())
    if not shown.isprintable():
        shown = "".join(letter if letter.isprintable() else REPLACEMENT for letter in shown)
    cut = len(text) > 4 * longest or len(shown) > longest
    return shown[: longest - 1] + _ELLIPSIS if cut else shown


def printable(text: object, *, longest: int = LONGEST_PRINTED) -> str:
    r"""The text as a terminal may have it: in one line, and nothing in it moves, colours or turns round.

    What has no shape of its own (control characters, marks of direction, lone surrogates) is spelt out, like
    ``\x1b``, so that two names stay two. Of one that is too long, the middle is left out.
    """
    line = str(text)
    if len(line) > longest:
        half = (longest - 1) // 2
        line = line[:half] + _ELLIPSIS + line[-half:]
    return line if line.isprintable() else "".join(map(_spelt, line))


def printable_lines(text: object, *, indent: str = "", longest: int = LONGEST_PRINTED) -> str:
    """The same for a text of several lines; all but the first of them are indented.

    With an indent, no line of the text can be taken for a beginning: a name with a line feed forges no record
    of a log.
    """
    lines = str(text).split("\n")
    if len(lines) > MOST_PRINTED_LINES:
        half = MOST_PRINTED_LINES // 2
        lines = [*lines[:half], _ELLIPSIS, *lines[-half:]]
    return f"\n{indent}".join(printable(line, longest=longest) for line in lines)


def _spelt(letter: str) -> str:
    # Other spaces than the usual one are no danger, though Python does not call them printable.
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode("ascii")
