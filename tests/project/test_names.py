"""One meaning a name, and the field's own word for each thing: the words that the house once made are gone.

A picture (`film`, `theatre`, to `let go`) has to be explained. The field's word is known, or is found in the
manuals of PostgreSQL, Redis or FFmpeg; what is left to explain is in `docs/reference/glossary.md`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.markdown import pages
from worker.checkout import CHECKOUT

PRODUCT = ("greenroom", "models", "tasks", "worker", "cli", "sandbox")
FOLDERS = (*PRODUCT, "tests", "benchmarks", "examples", "docs", "migrations")
#: Words that no name may be made of, and what the field says.
GONE = {
    "crew": "pool, parallel",
    "film": "video",
    "films": "videos",
    "horizon": "max_hold_seconds",
    "ledger": "store",
    "mend": "fix",
    "mended": "fixed",
    "mending": "conversion, fixing",
    "mends": "fixes",
    "outlook": "forecast",
    "picture": "image; frame, of a video",
    "pictures": "images; frames, of a video",
    "sound": "audio",
    "sounds": "audio",
    "theatre": "harness",
}
#: Pairs of words in a name, likewise.
GONE_TOGETHER = {
    "go_on": "continue, heartbeat",
    "hang_up": "discard, close",
    "keep_alive": "renew, lease_renewal",
    "let_go": "release",
    "second_source": "fallback_source",
    "under_way": "in_flight",
}
#: What no module, class or function may be called: too little to know which of many it is.
TOO_LITTLE = {
    *("Home", "Job", "Ledger", "Look", "Outcome", "Plan", "World", "clean_file_name"),
    *("crew", "home", "life", "lines", "need", "numbers", "parts", "record", "stage"),
    *("together", "uses", "windows", "words", "world"),
}
#: Phrases that no page, message, comment or docstring has.
GONE_FROM_PROSE = {
    r"\bmend(s|ed|ing|er|ers)?\b": "fix, convert",
    r"(?<!DPX )(?<!Cineon )\bfilms?\b": "video",
    r"\bunder way\b": "in flight; running",
    r"\blet(s|ting)? go\b": "release",
}
#: Names that carry such a word, each with its reason.
NAMES_STAY = {
    "should_keep_alive": "h11's name for what HTTP calls so",
}
#: Where prose may have the words: what is history, and this list.
PROSE_STAYS = {
    "docs/decisions/0031-the-fields-own-words.md": "what the words were",
    "tests/models/test_migrations.py": "what a migration goes back to",
    "tests/project/test_names.py": "the list itself",
}
#: Names that several modules define, each with its reason.
SEVERAL_STAY = {
    "cancel": "the task, and its command",
    "move": "the task, and its command",
    "retry": "the task, and its command",
    "status": "the task, and its command",
    "submit": "the task, and its command",
    "verify": "the task, and a receiver's check of a call-back, which libraries for webhooks call so",
    "examine": "the one function that each examiner has, called through one table",
    "main": "what a program begins with",
    "serve": "the command, and what the sandbox's command runs",
}
#: Modules of one name, each the same thing in several layers.
NAMESAKES = {
    "campaign": "its table, and its command",
    "channel": "its table, and its command",
    "completion": "of words by a shell, as click and every shell call it; and of an upload",
    "client": "the schedulers' of Greenroom, and Greenroom's of the provider",
    "forecast": "its queries, and its command",
    "media": "its table, and its command",
    "options": "those of several commands, and the sandbox's",
    "prune": "its queries, and its task",
    "upload": "the task, and the sandbox's endpoint",
}


@cache
def modules() -> tuple[Path, ...]:
    """All of the repository's Python but for past migrations."""
    found = (path for folder in FOLDERS for path in sorted((CHECKOUT / folder).rglob("*.py")))
    return tuple(path for path in found if path.parent.name != "versions")


def name_of(path: Path) -> str:
    """A file as it stands in a message."""
    return path.relative_to(CHECKOUT).as_posix()


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Each name of a module with its line, and the module's own."""
    yield path.stem, 0
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield token.string, token.start[0]


def words_of(name: str) -> list[str]:
    """`MendedFile`, `mended_file` and `MENDED_FILE` have the same ones."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+", name)]


def gone_from(name: str) -> str | None:
    """What a name has of the words that are gone, and what is said instead."""
    words = words_of(name)
    for word in words:
        if word in GONE:
            return f"{word}: say {GONE[word]}"
    for pair in pairwise(words):
        if "_".join(pair) in GONE_TOGETHER:
            return f"{'_'.join(pair)}: say {GONE_TOGETHER['_'.join(pair)]}"
    return None


@pytest.mark.parametrize("name", ["MendedFile", "mend_option", "_let_go", "to_film", "PICTURES"])
def test_a_word_that_is_gone_is_found(name: str) -> None:
    """However it is written."""
    assert gone_from(name)


def test_no_name_has_a_word_that_is_gone() -> None:
    """In the product, its tests and its benchmarks."""
    found = [
        f"{name_of(path)}:{line} {name} ({gone_from(name)})"
        for path in modules()
        for name, line in identifiers(path)
        if name not in NAMES_STAY and gone_from(name)
    ]
    assert not found, "\n".join(found)


def definitions(path: Path) -> Iterator[str]:
    """Public classes, functions and constants at the top of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


@cache
def product() -> tuple[Path, ...]:
    """What is shipped and what is run, without packages' own files."""
    return tuple(path for path in modules() if path.relative_to(CHECKOUT).parts[0] in PRODUCT)


def test_a_name_has_one_meaning() -> None:
    """Whoever reads it anywhere knows what it is, and a search finds one thing."""
    places = defaultdict(set)
    for path in product():
        for name in definitions(path):
            if not name.startswith("_"):
                places[name].add(name_of(path))
    several = {name: sorted(at) for name, at in places.items() if len(at) > 1 and name not in SEVERAL_STAY}
    assert not several
    assert {name for name in SEVERAL_STAY if len(places[name]) < 2} == set(), "these need no reason any more"


def test_a_name_says_enough() -> None:
    """A plan of what, the world of whom?"""
    found = [
        f"{name_of(path)} {name}"
        for path in product()
        for name in (path.stem, *definitions(path))
        if name in TOO_LITTLE
    ]
    assert not found


def test_namesakes_are_the_same_thing() -> None:
    """Modules of one name, seen from several layers."""
    places = defaultdict(list)
    for path in product():
        if not path.stem.startswith("__"):
            places[path.stem].append(name_of(path))
    assert {name for name, at in places.items() if len(at) > 1} == set(NAMESAKES)


def prose(path: Path) -> str:
    """A module with its comments, docstrings and messages; a page without the code in its lines."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"`[^`\n]*`", "", text) if path.suffix == ".md" else text


@pytest.mark.parametrize("phrase", GONE_FROM_PROSE)
def test_no_text_has_a_phrase_that_is_gone(phrase: str) -> None:
    """Pages, messages, comments, docstrings."""
    texts = [*modules(), *pages(), CHECKOUT / "CHANGELOG.md"]
    found = [
        f"{name_of(path)}:{number} {line.strip()}"
        for path in texts
        if name_of(path) not in PROSE_STAYS
        for number, line in enumerate(prose(path).splitlines(), start=1)
        if re.search(phrase, line, re.IGNORECASE)
    ]
    assert not found, f"say {GONE_FROM_PROSE[phrase]}:\n" + "\n".join(found)
