"""What tasks did, in a sentence: operators read it in Flower, as a task's result, and in the log."""

from __future__ import annotations

from collections.abc import Mapping

from greenroom.figures import listed


def what_was_done(phrases: Mapping[str, int]) -> str:
    """A sentence of the phrases whose number is not nothing; empty where all are.

    Args:
        phrases: how many, by what is said of them.
    """
    done = [phrase for phrase, count in phrases.items() if count]
    return listed(done) if done else ""
