"""Tells of a regular expression whether a backtracking engine reads every text in linear time with it.

Two things make a pattern slow. *Inside one attempt*: after some characters it can go on in two ways with the
same next one, and one of the two goes round a repeat; then all combinations are tried. A pattern where the
next character always says which way to go is called deterministic (Brueggemann-Klein, "Regular expressions
into finite automata", 1993; XML asks it of content models), and giving up an attempt costs no more than
making it. *Between attempts*: a search begins anew at each character; where a repeat of an earlier attempt
may run over the places at which later ones begin, each of them runs over the same text again.

Repeats of a single character with an end (``{0,500}``) cost at most that many steps an attempt, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

#: The standard library's own view of a pattern, which has no types.
sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")

#: Characters of every kind that a class may tell apart, and some beyond Latin: white space, digit, letter.
ALPHABET: Final = (*map(chr, range(256)), "\u2028", "\u0660", "\u4e2d")
#: Steps that a repeat with an end may add to an attempt.
MOST_BOUNDED: Final = 500
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_ASSERTIONS: Final = (sre.ASSERT, sre.ASSERT_NOT)
_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}

Node = tuple[Any, Any]


@dataclass(eq=False, slots=True)
class _Place:
    """One character of the pattern: what it fits, and whether a repeat is around it, or which short one."""

    fits: frozenset[str]
    loops: bool
    bounded: object


@dataclass(slots=True)
class _Part:
    """What Glushkov's construction needs to know of a part of a pattern."""

    empty: bool = True
    first: list[_Place] = field(default_factory=list)
    last: list[_Place] = field(default_factory=list)


def parsed(pattern: re.Pattern[Any]) -> Sequence[Node]:
    """The pattern as the standard library's engine sees it; a reference to a group is one more of it."""
    return _without_references(list(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)), {})


def _without_references(nodes: Sequence[Node], groups: dict[int, Node]) -> Sequence[Node]:
    found: list[Node] = []
    for kind, value in nodes:
        node: Node = (kind, value)
        if kind is sre.GROUPREF:
            node = groups[value]
        elif kind is sre.SUBPATTERN:
            node = groups[value[0]] = (kind, (*value[:3], _without_references(value[3], groups)))
        elif kind is sre.BRANCH:
            node = (kind, (value[0], [_without_references(way, groups) for way in value[1]]))
        elif kind in _REPEATS:
            node = (kind, (*value[:2], _without_references(value[2], groups)))
        found.append(node)
    return found


def is_single(body: Sequence[Node]) -> bool:
    """Whether a repeat is one of a single character."""
    return len(body) == 1 and body[0][0] in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)


def characters(node: Node, flags: int) -> frozenset[str]:
    """The characters that a node of one character fits."""
    kind, value = node
    if kind is sre.ANY:
        found = set(ALPHABET) - (set() if flags & re.DOTALL else {"\n"})
    elif kind is sre.IN:
        items = [item for item in value if item[0] is not sre.NEGATE]
        found = {char for item in items for char in _item(item)}
        if len(items) < len(value):
            found = set(ALPHABET) - _both_cases(found, flags)
    else:
        found = {chr(value)}
    found = _both_cases(found, flags)
    return frozenset(set(ALPHABET) - found if kind is sre.NOT_LITERAL else found)


def _item(item: Node) -> Iterable[str]:
    kind, value = item
    if kind is sre.LITERAL:
        return {chr(value)}
    if kind is sre.RANGE:
        return {char for char in ALPHABET if value[0] <= ord(char) <= value[1]}
    fits = re.compile(_CATEGORIES[value])
    return {char for char in ALPHABET if fits.match(char)}


def _both_cases(found: Iterable[str], flags: int) -> set[str]:
    if not flags & re.IGNORECASE:
        return set(found)
    return {case for char in found for case in (char.lower(), char.upper(), char)}


class Shape:
    """One pattern, looked at.

    Attributes:
        faults: sentences that say why it is not linear; none where it is.
    """

    def __init__(self, pattern: re.Pattern[Any], *, searched: bool) -> None:
        self._flags = pattern.flags
        self._bounded: set[object] = set()
        self._follow: dict[_Place, list[_Place]] = {}
        self.faults: list[str] = []
        nodes = parsed(pattern)
        for way in _ways(nodes):
            self._look_at(way)
        if searched:
            self._check_restarts(nodes, [], last=True)

    def _look_at(self, nodes: Sequence[Node]) -> None:
        self._bounded.clear()
        self._follow.clear()
        self._sequence(nodes, loops=False, bounded=None)
        for place, following in self._follow.items():
            if place.loops:  # elsewhere a choice is made once in an attempt
                self._check(following)
        if len(self._bounded) > 1:
            self.faults.append("more than one bounded repeat leaves open where it ends")

    def _sequence(self, nodes: Sequence[Node], *, loops: bool, bounded: object) -> _Part:
        whole = _Part()
        for node in nodes:
            part = self._part(node, loops=loops, bounded=bounded)
            self._link(whole.last, part.first)
            if whole.empty:
                whole.first = [*whole.first, *part.first]
            whole.last = [*part.last, *(whole.last if part.empty else ())]
            whole.empty = whole.empty and part.empty
        return whole

    def _part(self, node: Node, *, loops: bool, bounded: object) -> _Part:
        kind, value = node
        if kind is sre.AT:
            return _Part()
        if kind in _ASSERTIONS:
            self._sequence(value[1], loops=loops, bounded=bounded)
            return _Part()
        if kind is sre.SUBPATTERN:
            return self._sequence(value[3], loops=loops, bounded=bounded)
        if kind is sre.BRANCH:
            parts = [self._sequence(way, loops=loops, bounded=bounded) for way in value[1]]
            return _Part(
                empty=any(part.empty for part in parts),
                first=[place for part in parts for place in part.first],
                last=[place for part in parts for place in part.last],
            )
        if kind in _REPEATS:
            return self._repeat(*value, loops=loops, bounded=bounded)
        if kind not in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            raise NotImplementedError(f"this check does not know {kind}")
        place = _Place(characters(node, self._flags), loops=loops, bounded=bounded)
        self._follow[place] = []
        return _Part(empty=False, first=[place], last=[place])

    def _repeat(self, least: int, most: int, body: Sequence[Node], *, loops: bool, bounded: object) -> _Part:
        if least == most and is_single(body):
            return self._sequence([*body] * least, loops=loops, bounded=bounded)
        if not loops and is_single(body) and 1 < most <= MOST_BOUNDED:
            bounded = object()
        part = self._sequence(body, loops=loops or most > 1, bounded=bounded)
        if most > 1:
            self._link(part.last, part.first)
        part.empty = part.empty or least == 0
        return part

    def _link(self, last: Iterable[_Place], first: Iterable[_Place]) -> None:
        for place in last:
            self._follow[place].extend(first)

    def _check(self, ways: Sequence[_Place]) -> None:
        """Add a fault where the same character may go on in two ways, of which one is in a repeat."""
        for number, one in enumerate(ways):
            for other in ways[number + 1 :]:
                both = one.fits & other.fits
                if other is one or not both or not (one.loops or other.loops):
                    continue
                if (one.bounded or not one.loops) and (other.bounded or not other.loops):
                    self._bounded |= {one.bounded, other.bounded} - {None}
                else:
                    self.faults.append(f"{min(both)!r} may go on in a repeat, or behind it")

    def _check_restarts(self, nodes: Sequence[Node], before: list[frozenset[str]], *, last: bool) -> None:
        """Add a fault for each repeat without an end over whose text later attempts may begin.

        Args:
            nodes: a sequence.
            before: what each character fits that surely stands before it.
            last: whether nothing that could fail stands behind it.
        """
        before = list(before)
        for number, (kind, value) in enumerate(nodes):
            final = last and all(map(_may_be_empty, nodes[number + 1 :]))
            if kind is sre.SUBPATTERN:
                self._check_restarts(value[3], before, last=final)
            elif kind in _ASSERTIONS:
                self._check_restarts(value[1], before, last=False)
            elif kind is sre.BRANCH:
                for way in value[1]:
                    self._check_restarts(way, before, last=final)
            elif kind in _REPEATS and value[1] is sre.MAXREPEAT:
                inside = frozenset().union(*self._all(value[2]))
                if not final and all(fits & inside for fits in before):
                    self.faults.append("a search may begin again and again inside the text of one repeat")
            before.extend(self._sure((kind, value)))

    def _sure(self, node: Node) -> Iterator[frozenset[str]]:
        """What each character fits that a node surely has."""
        kind, value = node
        if kind is sre.SUBPATTERN:
            for inner in value[3]:
                yield from self._sure(inner)
        elif kind in _REPEATS:
            for inner in value[2] if value[0] else ():
                yield from self._sure(inner)
        elif kind is sre.AT:
            if value in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) and not self._flags & re.MULTILINE:
                yield frozenset()  # a search stands there once
        elif kind is sre.BRANCH:
            ways = [next((fits for inner in way for fits in self._sure(inner)), None) for way in value[1]]
            if None not in ways:
                yield frozenset().union(*(fits for fits in ways if fits))
        elif kind not in _ASSERTIONS:
            yield characters(node, self._flags)

    def _all(self, nodes: Sequence[Node]) -> Iterator[frozenset[str]]:
        for kind, value in nodes:
            if kind is sre.SUBPATTERN:
                yield from self._all(value[3])
            elif kind is sre.BRANCH:
                for way in value[1]:
                    yield from self._all(way)
            elif kind in _REPEATS:
                yield from self._all(value[2])
            elif kind is not sre.AT and kind not in _ASSERTIONS:
                yield characters((kind, value), self._flags)


def _ways(nodes: Sequence[Node]) -> Iterable[Sequence[Node]]:
    """The alternatives of a pattern that is nothing else: their costs are added, not multiplied."""
    *before, (kind, value) = nodes
    if kind is sre.BRANCH and all(first is sre.AT for first, _ in before):
        ways: Iterable[Sequence[Node]] = value[1]
        return ways
    return (nodes,)


def _may_be_empty(node: Node) -> bool:
    kind, value = node
    if kind is sre.SUBPATTERN:
        return all(map(_may_be_empty, value[3]))
    if kind is sre.BRANCH:
        return any(all(map(_may_be_empty, way)) for way in value[1])
    return kind in _REPEATS and (value[0] == 0 or all(map(_may_be_empty, value[2])))
