"""The code map leads to files that are there, and each question to a file that answers it."""

from __future__ import annotations

import re

import pytest

from tests.support.markdown import links
from worker.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "code-map.md"
TEXT = PAGE.read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^\| ([^|]+\?) \| \[([\w/.]+)\]", TEXT, re.MULTILINE)
#: What the first file of each answer has, by which a reader knows that he is in the right place.
FOUND = {
    "greenroom/inspection/judge.py": "size <= limit",
    "greenroom/inspection/examine.py": "_EXAMINERS",
    "greenroom/provider/multipart.py": "class MultipartBody",
    "greenroom/provider/error_table.py": "connection was cut",
    "greenroom/rate_limit/limiter.py": "The owner keeps the pace by itself",
    "models/asset_claims.py": "earliest send time, then the oldest row",
    "tasks/sweep.py": "void",
    "greenroom/lifecycle.py": "media.refresh",
    "greenroom/sources/folders.py": "class Folders",
    "greenroom/settings.py": "class Settings",
}


def test_every_question_has_its_answer() -> None:
    """Ten questions, ten files."""
    assert [file for _, file in QUESTIONS] == list(FOUND)


@pytest.mark.parametrize("file", FOUND)
def test_an_answer_is_where_the_map_says(file: str) -> None:
    """Opening that one file shows the answer, or its first lines tell it."""
    assert FOUND[file] in (CHECKOUT / file).read_text(encoding="utf-8")


def test_every_path_is_there() -> None:
    """In links, in the drawing, and in the table of folders."""
    named = re.findall(
        r"(?<![\w./])((?:greenroom|models|tasks|worker|cli|sandbox)/[\w/]*(?:\.py|\.schema\.json)?)", TEXT
    )
    assert len(named) > len(QUESTIONS)
    assert [path for path in named if not (CHECKOUT / path).exists()] == []
    assert [link for link in links(PAGE) if not (PAGE.parent / link).exists()] == []


def test_every_task_and_package_is_on_the_map() -> None:
    """What is new has its place on it."""
    tasks = {path.name for path in (CHECKOUT / "tasks").glob("[a-z]*.py")}
    packages = {
        path.parent.name for one in ("greenroom", "tasks") for path in (CHECKOUT / one).glob("*/__init__.py")
    }
    assert {name for name in tasks if name not in TEXT} == set()
    assert {name for name in packages if f"{name}/" not in TEXT} == set()
