"""What may not be opened is said before it is handed over; and no report shows what signs an address."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

import pytest

from cli.embedded_plan import settings_of, stack_plan
from cli.refusals import say_what_is_refused
from cli.report import item_as_json, write_csv
from greenroom.errors import Misuse
from greenroom.manifest import ManifestItem, parse_items
from greenroom.sources import Sources
from models.item_reports import ItemReport
from models.progress import ItemStatus
from worker.embedded.state_dir import StateDir


def items(*sources: str) -> list[ManifestItem]:
    """A manifest of these."""
    return parse_items([{"ref": str(number), "source": source} for number, source in enumerate(sources)])


def test_some_are_named_and_all_are_a_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be got ready is; and a sentence says how to have the rest allowed."""
    hero = str(tmp_path / "hero.jpg")
    refused = [f"https://cdn.example/{number}.jpg?s=canary" for number in range(7)]
    sources = Sources(roots=[tmp_path])
    assert say_what_is_refused(items(hero), sources) == 0
    assert capsys.readouterr().err == ""
    assert say_what_is_refused(items(hero, *refused), sources) == len(refused)
    told = capsys.readouterr().err
    assert "7 files will be rejected unopened" in told
    assert "1: https://cdn.example/0.jpg may not be fetched: GREENROOM_SOURCE_HOSTS is not set" in told
    assert "and 2 more" in told
    assert "docs/how-to/sources.md" in told
    with pytest.raises(Misuse, match=r"None of these files may be opened\.\n0: https://cdn\.ex"):
        say_what_is_refused(items(*refused), sources)
    assert "canary" not in told


def plan_for(state_dir: Path, monkeypatch: pytest.MonkeyPatch, *media: Path, **given: str) -> Sources:
    """What a run may open, as it is told its workers."""
    monkeypatch.setattr("cli.embedded_plan.given", lambda: given)
    plan = stack_plan(state_dir, workers=1, concurrency=1, sandbox=True, latency="0", media=media)
    return Sources.of(settings_of(plan))


def test_the_embedded_stack_opens_what_the_command_line_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this run and in later ones, which renew its media IDs; nothing beside it or of its own."""
    for folder in ("first", "second", "state"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(b"x")
    state_dir = tmp_path / "first" / "state"
    first, second = str(tmp_path / "first" / "a.jpg"), str(tmp_path / "second" / "a.jpg")
    allowed = plan_for(state_dir, monkeypatch, tmp_path / "first")
    assert allowed.refusal(first) is None
    assert allowed.refusal(second) is not None
    assert "belongs to Greenroom itself" in str(allowed.refusal(str(state_dir / "secret.key")))
    # A single file is itself, by the name that it has behind all links.
    (tmp_path / "link.jpg").symlink_to(second)
    allowed = plan_for(state_dir, monkeypatch, tmp_path / "link.jpg")
    for source in (first, second, str(tmp_path / "link.jpg")):
        allowed.open(source).close()
    assert json.loads(StateDir(folder=state_dir).media_roots.read_text()) == [str(tmp_path / "first"), second]
    # A setting has the last word.
    allowed = plan_for(state_dir, monkeypatch, GREENROOM_MEDIA_ROOTS=str(tmp_path / "state"))
    assert allowed.refusal(str(tmp_path / "state" / "a.jpg")) is None
    assert allowed.refusal(first) is not None


@pytest.mark.parametrize(
    ("source", "given"),
    [
        ("/media/spring: sale\n.jpg", "/media/spring: sale\n.jpg"),
        ("/media/" + "x" * 900, "/media/" + "x" * 900),
        ("https://user:canary@cdn.example/a.jpg?s=canary", "https://cdn.example/a.jpg"),
        ("http:canary", "http:..."),
    ],
)
def test_what_signs_an_address_is_in_no_report(source: str, given: str) -> None:
    """Neither as JSON nor as CSV; and a path is what it is, for programs that go by it."""
    names = (field.name for field in fields(ItemReport))
    nothing = dict.fromkeys(names) | {"ref": "hero", "status": ItemStatus.READY, "fixed": (), "notices": ()}
    item = ItemReport(**{**nothing, "label": "", "detail": "", "source": source})  # type: ignore[arg-type] # as above
    assert json.loads(item_as_json(item))["path"] == given
    written = io.StringIO()
    write_csv([item], written)
    (row,) = csv.DictReader(io.StringIO(written.getvalue(), newline=""))
    assert row["source"] == given
