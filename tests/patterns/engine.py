"""A regular expression engine that tries what Python's tries, in its order, and counts the steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.patterns.shape import ALPHABET, Node, characters, is_single, parsed, sre

_GREEDY: Final = sre.MAX_REPEAT
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT)


class TooManySteps(Exception):
    """The pattern is not linear, whatever the figure would be."""


class Engine:
    """One pattern.

    Args:
        pattern: it.
        most: steps after which it is given up.
    """

    def __init__(self, pattern: re.Pattern[Any], *, most: int) -> None:
        self._flags, self._most, self._nodes = pattern.flags, most, parsed(pattern)
        self._sets: dict[int, frozenset[str]] = {}
        self._steps = 0

    def steps(self, text: str, *, searched: bool) -> int:
        """Steps of looking for all matches in a text, or for one at its start.

        Raises:
            TooManySteps: they were more than the bound.
        """
        self._steps = at = 0
        while at <= len(text):
            end = next(self._run(self._nodes, text, at), None)
            if not searched:
                break
            at = end if end is not None and end > at else at + 1
        return self._steps

    def _step(self) -> None:
        self._steps += 1
        if self._steps > self._most:
            raise TooManySteps

    def _run(self, nodes: Sequence[Node], text: str, at: int) -> Iterator[int]:
        """Each place where these nodes may end, the preferred first."""
        self._step()
        if not nodes:
            yield at
            return
        node, rest = nodes[0], nodes[1:]
        for end in self._one(node, text, at):
            yield from self._run(rest, text, end)

    def _one(self, node: Node, text: str, at: int) -> Iterator[int]:
        kind, value = node
        if kind is sre.AT:
            if (value not in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) or at == 0) and (
                value not in (sre.AT_END, sre.AT_END_STRING) or at == len(text)
            ):
                yield at
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            if (next(self._run(value[1], text, at), None) is not None) == (kind is sre.ASSERT):
                yield at
        elif kind is sre.SUBPATTERN:
            yield from self._run(value[3], text, at)
        elif kind is sre.BRANCH:
            for way in value[1]:
                yield from self._run(way, text, at)
        elif kind in _REPEATS:
            repeat = self._single if is_single(value[2]) else self._group
            yield from repeat(*value, greedy=kind is _GREEDY, text=text, at=at)
        elif self._fits(node, text, at):
            yield at + 1

    def _fits(self, node: Node, text: str, at: int) -> bool:
        self._step()
        fits = self._sets.get(id(node))
        if fits is None:
            fits = self._sets[id(node)] = characters(node, self._flags)
        return at < len(text) and text[at] in fits

    def _single(
        self, least: int, most: int, body: Sequence[Node], *, greedy: bool, text: str, at: int
    ) -> Iterator[int]:
        node, count = body[0], 0
        if not greedy:
            while count < most:
                if count >= least:
                    yield at + count
                if not self._fits(node, text, at + count):
                    return
                count += 1
            yield at + count
            return
        while count < most and self._fits(node, text, at + count):
            count += 1
        while count >= least:
            yield at + count
            self._step()
            count -= 1

    def _group(
        self, least: int, most: int, body: Sequence[Node], *, greedy: bool, text: str, at: int
    ) -> Iterator[int]:
        if least <= 0 and not greedy:
            yield at
        if most > 0:
            fewer = most if most is sre.MAXREPEAT else most - 1
            for end in self._run(body, text, at):
                if end > at:
                    yield from self._group(least - 1, fewer, body, greedy=greedy, text=text, at=end)
        if least <= 0 and greedy:
            yield at


def attacks(pattern: re.Pattern[Any], times: int) -> Iterator[str]:
    """Texts that lead into each repeat of the pattern many times, and then fail."""
    flags = pattern.flags
    for before, body in _repeats(parsed(pattern), "", flags):
        for unit in {before + body, body, before} - {""}:
            for end in ("", "\0"):
                yield before + unit * times + end
                yield unit * times + end


def _repeats(nodes: Sequence[Node], before: str, flags: int) -> Iterator[tuple[str, str]]:
    """A text that leads to each repeat, and one that goes round it once."""
    for kind, value in nodes:
        if kind in _REPEATS:
            yield before, _text(value[2], flags)
            yield from _repeats(value[2], before, flags)
        elif kind is sre.SUBPATTERN:
            yield from _repeats(value[3], before, flags)
        elif kind is sre.BRANCH:
            for way in value[1]:
                yield from _repeats(way, before, flags)
        before += _text([(kind, value)], flags)


def _text(nodes: Sequence[Node], flags: int) -> str:
    """A short text that these nodes fit."""
    text = ""
    for kind, value in nodes:
        if kind in _REPEATS:
            text += _text(value[2], flags) * max(1, value[0])
        elif kind is sre.SUBPATTERN:
            text += _text(value[3], flags)
        elif kind is sre.BRANCH:
            text += _text(value[1][0], flags)
        elif kind not in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            fits = characters((kind, value), flags)
            text += next((char for char in (*"a1 ", *ALPHABET) if char in fits), "")
    return text
