"""The documentation lists what there is, all of it and nothing else, and leads nowhere that is not there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from cli import main as command
from cli.report import COLUMNS
from greenroom import errors
from greenroom.client import BrokerUnavailable, NotSettledInTime
from greenroom.reasons import Reason
from greenroom.setting_types import NOT_SETTINGS, PREFIX
from greenroom.settings import Settings
from greenroom.task_names import TaskName
from sandbox.faults import Fault
from sandbox.phone_numbers import Counts
from sandbox.server import Options
from tasks.runtime.file_events import FILE_ROW
from tests.docs import tables
from tests.support.markdown import anchors, blocks, links, name_of, pages
from worker.checkout import CHECKOUT

PAGES = pages()
REFERENCE = CHECKOUT / "docs" / "reference"
#: Hosts that a page may name: the provider's, this machine, and names that stand for the reader's own.
HOSTS = {"waba-v2.360dialog.io", "lookaside.fbsbx.com", "127.0.0.1", "localhost", "sandbox", "example.com"}
_CODE = re.compile(r"`([^`\n]+)`")
_HOST = re.compile(r"\b(?:https?|redis|postgresql)://([^\s\"'`<>()/]+)")


def every_page(argument: str = "page") -> pytest.MarkDecorator:
    """A test for each page."""
    return pytest.mark.parametrize(argument, PAGES, ids=name_of)


@pytest.mark.parametrize("page", tables.pages(), ids=name_of)
def test_tables_say_what_the_code_says(page: Path) -> None:
    """After a change, ``python -m tests.docs.tables`` writes them anew."""
    text = page.read_text(encoding="utf-8")
    assert text == tables.written(text), "run: python -m tests.docs.tables"


def test_the_example_of_an_environment_has_every_setting_with_its_default() -> None:
    """As above."""
    text = tables.EXAMPLE.read_text(encoding="utf-8")
    assert tables.example() in text
    assert text == tables.written_example(text), "run: python -m tests.docs.tables"


def test_every_table_stands_somewhere_once() -> None:
    """Settings, commands, tasks, tables, types, reasons and answers."""
    placed = [name for page in tables.pages() for name in tables.places(page.read_text(encoding="utf-8"))]
    assert sorted(placed) == sorted(tables.TABLES)


@every_page()
def test_no_page_names_a_setting_that_there_is_not(page: Path) -> None:
    """In prose, in examples and in tables."""
    for name in re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8")):
        field = name.removeprefix(PREFIX).removesuffix("_FILE").lower()
        assert name.startswith(NOT_SETTINGS) or field in Settings.model_fields, name


def code_in(page: Path) -> Iterator[str]:
    """Every piece of code of a page, in its text or in a block."""
    text = page.read_text(encoding="utf-8")
    yield from _CODE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for block in blocks(page):
        yield from block.text.splitlines()


@every_page()
def test_no_page_names_a_command_that_there_is_not(page: Path) -> None:
    """Words after `greenroom` lead down the tree of commands, and options are the command's own."""
    for code in code_in(page):
        for line in re.findall(r"(?:^|[\s/])greenroom ([a-z-][^|;&`]*)", code):
            each: click.Command = command
            for word in line.split():
                if each.context_settings.get("ignore_unknown_options"):
                    break  # the rest is for a command of somebody else's
                if word.startswith("--"):
                    known = {
                        option for param in each.get_params(click.Context(each)) for option in param.opts
                    }
                    assert word.partition("=")[0] in known, f"{code}: {word}"
                elif isinstance(each, click.Group):
                    found = each.get_command(click.Context(each), word)
                    assert found is not None, f"{code}: {word}"
                    each = found


@every_page()
def test_no_page_names_a_task_that_there_is_not(page: Path) -> None:
    """Names that look like a task's."""
    for code in code_in(page):
        if re.fullmatch(r"media\.[a-z_]+", code):
            assert code in {*TaskName, FILE_ROW}


def test_every_error_is_in_the_reference_and_nothing_else() -> None:
    """With what is to be done about it."""
    ours = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    ours |= {BrokerUnavailable.__name__, NotSettledInTime.__name__}
    listed = re.findall(
        r"^\| `(\w+)` \|", (REFERENCE / "errors.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(ours - {errors.GreenroomError.__name__})


def test_everything_about_the_sandbox_is_in_the_reference() -> None:
    """Its counts, what a fault may have, and its options."""
    text = (REFERENCE / "sandbox.md").read_text(encoding="utf-8")
    options = {
        f"--{field.name}".replace("_", "-").replace("api-keys", "api-key") for field in fields(Options)
    }
    counts = {field.name for field in fields(Counts)}
    for name in counts | {field.name for field in fields(Fault)} | options:
        assert f"`{name}`" in text, name


def test_every_column_of_the_mapping_is_in_the_reference() -> None:
    """And the one that campaigns on several channels have besides."""
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8").partition("## The mapping as CSV")[2]
    assert [name for name in (*COLUMNS, "channel_id") if f"`{name}`" not in text] == []


def test_every_line_of_the_doctor_is_explained() -> None:
    """With when it is not well."""
    text = (CHECKOUT / "docs" / "how-to" / "watch.md").read_text(encoding="utf-8")
    shown = re.findall(r"^✓ ([\w -]+?) \.\.\. ", text, re.MULTILINE)
    assert len(shown) > 10
    assert [line for line in shown if f"\n| {line} |" not in text] == []


def test_prose_names_reasons_that_there_are() -> None:
    """In the reference of reasons, where the text speaks of some."""
    text = (REFERENCE / "reasons.md").read_text(encoding="utf-8")
    for reason in Reason:
        assert f"`{reason}`" in text


@every_page()
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repository, and to a heading in it; to nothing outside."""
    for link in links(page):
        parts = urlsplit(link)
        assert not parts.scheme, f"{link} leaves the repository"
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.is_relative_to(CHECKOUT)
        assert target.exists(), link
        if parts.fragment:
            assert parts.fragment in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    """By links alone."""
    reached: set[Path] = set()
    todo = [CHECKOUT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        todo += [(page.parent / urlsplit(link).path).resolve() for link in links(page) if urlsplit(link).path]
    assert reached == set(PAGES)


def documents() -> list[Path]:
    """Everything that is published as documentation."""
    return [*PAGES, *(path for path in (CHECKOUT / "docs").rglob("*") if path.suffix in (".svg", ".py"))]


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_no_document_names_a_strange_host_or_folder(document: Path) -> None:
    """Neither package indexes nor web fonts, nor the machine on which it was written."""
    text = document.read_text(encoding="utf-8")
    for host in _HOST.findall(text):
        name = host.rpartition("@")[2].partition(":")[0]
        assert name in HOSTS or "xmlns" in text[max(0, text.index(host) - 20) : text.index(host)], host
    assert str(CHECKOUT) not in text
    assert not re.search(r"(?<![\w.])/(?:work|root|home)/", text)


def test_the_image_shows_the_demo() -> None:
    """Made by docs/images/make.py; both tables are in it."""
    text = (CHECKOUT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    for words in ("make demo", "Ready to send", "Cannot be sent", "20 of 28 files ready"):
        assert words in text
