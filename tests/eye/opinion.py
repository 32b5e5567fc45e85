"""What a reader says about one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """One reader's opinion.

    Attributes:
        types: MIME types that the file may have by it, more than one where it does not tell them apart; none
            where it cannot open the file.
        words: what it said, for people.
        outside: which of the page's rules the file breaks by it; empty of one that keeps to all that it sees.
        flaws: what it complained of, and read on; empty of an audio file.
    """

    types: frozenset[str]
    words: str
    outside: str = ""
    flaws: str = ""

    @property
    def is_audio(self) -> bool:
        """Whether it opened the file, and found nothing wrong with it."""
        return bool(self.types) and not self.outside and not self.flaws


def closed(words: object) -> Opinion:
    """The opinion of a reader that cannot open the file."""
    return Opinion(types=frozenset(), words=str(words) or type(words).__name__)
