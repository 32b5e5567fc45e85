"""The glossary has a term for whatever the product's contracts name, and names nothing that there is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from greenroom.task_names import TaskName
from models import Base
from models.asset import AssetState
from models.item import ItemState
from models.progress import ItemStatus
from worker.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "reference" / "glossary.md"
ROWS = re.findall(r"^\| (\*\*.+?) \| (.+?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
TERMS = [term for row in ROWS for term in re.findall(r"\*\*(.+?)\*\*", row[0])]
EXPLAINED = {*TERMS, *(word for row in ROWS for word in re.findall(r"`(\w+)`", row[1]))}


def names() -> Iterator[str]:
    """What the product defines: modules, classes, functions, methods and constants."""
    for folder in ("greenroom", "models", "tasks", "worker", "cli", "sandbox"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            yield path.stem
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    yield node.name
                elif isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_terms_stand_once_and_in_order() -> None:
    """As in a dictionary."""
    assert sorted(set(TERMS)) == TERMS


def test_what_the_code_has_is_there() -> None:
    """Each name of the last column."""
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[2])}
    assert len(named) > len(ROWS) / 2
    assert named - set(names()) == set()


@pytest.mark.parametrize("name", [*TaskName, *ItemState, *AssetState, *ItemStatus])
def test_tasks_and_states_are_explained(name: str) -> None:
    """Whoever reads one in a log or a table finds it here."""
    assert name.removeprefix("media.").replace("_", " ") in EXPLAINED


@pytest.mark.parametrize("table", Base.metadata.tables)
def test_tables_are_explained(table: str) -> None:
    """By the word for one row, or by a term that they hold a part of."""
    words = table.split("_")
    assert any(word.removesuffix("s") in EXPLAINED or word in EXPLAINED for word in words), table
