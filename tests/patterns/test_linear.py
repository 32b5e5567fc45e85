"""Every regular expression is linear: by its shape, and by counting what texts made against it cost."""

from __future__ import annotations

import re

import pytest

from tests.patterns.collect import Found, patterns_of
from tests.patterns.engine import Engine, TooManySteps, attacks
from tests.patterns.shape import Shape

PATTERNS = patterns_of("greenroom", "models", "tasks", "worker", "cli", "sandbox")
#: How often the attacking text goes round a repeat, and the steps that a linear pattern stays under.
TIMES = 60
MOST_STEPS = 150_000
#: Twice the text may cost so many times the steps; quadratic is four times.
MOST_GROWTH = 2.7
#: Patterns whose shape this cannot prove, each with the proof; their steps are counted all the same.
PROVEN = {
    "greenroom.sources.address._START": "behind each @ that is tried, the next @ ends the attempt",
}
#: Patterns that once stood here, each with a text of some hundred bytes that took seconds.
SLOW = (
    r"(?:<!--.*?-->\s*)*<svg",
    r"\d+\s+\d+\s+obj\b",
    r"<(?:\w+:)?(?:Override|Default)\s[^>]*>",
    r".*[/\\]",
    r"\n\[[^\]]+\]\([^)]+\)",
    r"\bapi\b.*\bdisabled\b",
    r"(a+)+b",
    r"(?:a|ab)*c(?:d|a)*e",
    r"\s+$",
)


def growth(pattern: re.Pattern[str], *, searched: bool) -> float:
    """How many times the steps a text of twice the length costs, at worst."""
    engine = Engine(pattern, most=MOST_STEPS)
    worst = 0.0
    for short, long in zip(attacks(pattern, TIMES), attacks(pattern, 2 * TIMES), strict=True):
        try:
            worst = max(worst, engine.steps(long, searched=searched) / engine.steps(short, searched=searched))
        except TooManySteps:
            return float("inf")
    return worst


def test_all_are_looked_at() -> None:
    """The patterns of every folder that reads what strangers wrote are among those that are checked."""
    places = {one.where.rpartition(".")[0] for one in PATTERNS}
    assert {
        "greenroom.inspection.plain_text",
        "greenroom.inspection.pdf",
        "greenroom.provider.error_table",
    } <= places
    assert any(one.where.startswith("greenroom.provider.") and one.searched for one in PATTERNS)
    assert any(not one.searched for one in PATTERNS)


@pytest.mark.parametrize("one", PATTERNS, ids=lambda one: one.where)
def test_each_is_linear(one: Found) -> None:
    """The next character says which way to go, and no search runs over the same text again."""
    assert one.where in PROVEN or Shape(one.pattern, searched=one.searched).faults == []
    assert growth(one.pattern, searched=one.searched) < MOST_GROWTH


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_ones_are_told(pattern: str) -> None:
    """Both ways of looking find each of those that were slow."""
    compiled = re.compile(pattern, re.DOTALL)
    assert Shape(compiled, searched=True).faults
    assert growth(compiled, searched=True) > MOST_GROWTH


@pytest.mark.parametrize("pattern", [r"[a-z]+=\d+", r"\"x\"\s*:\s*1", r"a(?:b|c)*d", r"<t>(.{0,99}?)</t"])
def test_linear_ones_are_not_blamed(pattern: str) -> None:
    """What is linear at one place is said to be."""
    compiled = re.compile(pattern)
    assert Shape(compiled, searched=False).faults == []
    assert growth(compiled, searched=False) < MOST_GROWTH


@pytest.mark.parametrize("pattern", [r"a[^b]*b?", r"\d{2}-\w+", r"(?:foo|bar)\s*\(", r"x(?:ab)*y"])
@pytest.mark.parametrize("text", ["", "foo  (bar(", "12-ab 34-", "xababyxabz", "a b a"])
def test_it_counts_what_python_does(pattern: str, text: str) -> None:
    """The counting engine and Python's own end at the same places."""
    compiled = re.compile(pattern)
    engine = Engine(compiled, most=MOST_STEPS)
    ends = [next(engine._run(engine._nodes, text, at), None) for at in range(len(text) + 1)]
    matches = [compiled.match(text, at) for at in range(len(text) + 1)]
    assert ends == [match.end() if match else None for match in matches]
