"""What pages state of the code is what the code does."""

from __future__ import annotations

import re

import pytest

from greenroom.task_names import TaskName
from tests.docs.facts import FACTS, Fact
from tests.docs.tables import DOCS


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.page}: {fact.text}")
def test_a_page_says_what_the_code_does(fact: Fact) -> None:
    """After a change of either, the other follows."""
    assert fact.holds(), f"docs/{fact.page}.md does not say: {fact.text}"


@pytest.mark.parametrize("page", ["how-to/watch", "reference/tasks"])
def test_the_tables_of_tasks_state_no_other_figure(page: str) -> None:
    """Whatever they say of a task in figures is one of the facts."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    figures = re.findall(
        r"^\| `(?:" + "|".join(map(re.escape, TaskName)) + r")` \|[^|]*\|", text, re.MULTILINE
    )
    stated = [fact.text for fact in FACTS if fact.page == page]
    for line in figures:
        if re.search(r"\d|every", line):
            assert any(line.startswith(each) for each in stated), line
