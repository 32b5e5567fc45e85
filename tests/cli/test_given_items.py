"""What a command line gives: bad lines are told and the rest is taken, or nothing is, where that is asked."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import click
import pytest

from cli.given_items import given_items, spool_manifest
from cli.given_options import Given, given_options
from greenroom.errors import ManifestError, Misuse
from tests.cli.conftest import PATIENCE, Greenroom
from tests.support.command import COMMAND, environment

RUN = ("run", "--channel", "4915112345678", "--sandbox")


def of_manifest(path: Path, *, strict: bool = False) -> Given:
    """What `--manifest` gives."""
    return Given(paths=(), manifest=path, include=(), exclude=(), strict=strict, fix=False)


def test_bad_lines_are_told_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first of them, each with its number; whatever is in them cannot drive the terminal."""
    path = tmp_path / "[red]m.csv"
    path.write_text("ref,source\na,/a\n" + "[red]\x1b[2J\n" * 30 + "a,/b\n", encoding="utf-8")
    taken = given_items(of_manifest(path))
    assert ([item.source for item in taken.items], taken.left_out) == (["/a"], 31)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "31 lines of [red]m.csv cannot be taken:"
    assert told[1] == "  line 3: source is missing, and has to be there."
    assert told[20:] == ["  line 22: source is missing, and has to be there.", "  ... and 11 more"]
    with pytest.raises(Misuse, match="--strict takes all or nothing"):
        given_items(of_manifest(path, strict=True))
    path.write_text("ref,source\na\n", encoding="utf-8")
    with pytest.raises(Misuse, match="none of it can be used"):
        given_items(of_manifest(path))


def test_addresses_are_items_beside_paths(tmp_path: Path) -> None:
    """Each by the name of its file; where two have one name, the second by its address, without its query."""
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    seen: list[Given] = []

    @click.command()
    @given_options
    def command(*, given: Given) -> None:
        seen.append(given)

    addresses = ["s3://campaigns/spring/hero.jpg", "https://cdn.example/hero.jpg?signature=canary"]
    command([str(tmp_path / "a.txt"), *addresses, addresses[0]], standalone_mode=False)
    assert [(item.ref, item.source) for item in given_items(seen[0]).items] == [
        ("a.txt", str(tmp_path / "a.txt")),
        ("hero.jpg", addresses[0]),
        ("https://cdn.example/hero.jpg", addresses[1]),
    ]
    with pytest.raises(click.UsageError, match="does not exist"):
        command(["abfs://campaigns/hero.jpg"], standalone_mode=False)


def test_strict_holds_for_folders(tmp_path: Path) -> None:
    """A name that no campaign can hold is one that cannot be taken."""
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    given = Given(paths=(tmp_path,), manifest=None, include=(), exclude=(), strict=True, fix=False)
    assert given_items(given).left_out == 0
    (tmp_path / "b\udce9.txt").write_text("x", encoding="utf-8")
    with pytest.raises(Misuse, match="--strict takes all or nothing"):
        given_items(given)


def piped(folder: Path, text: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """The command with this on its standard input."""
    return subprocess.run(
        [*COMMAND, *words],
        input=text,
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_manifest_on_standard_input_with_a_bad_line(tmp_path: Path) -> None:
    """The good ones get their media IDs, sources start in the present folder, and the code is 1."""
    (tmp_path / "note.txt").write_text("Hello.\n", encoding="utf-8")
    lines = b'{"ref": "a", "source": "note.txt"}\n{"ref": "b"}\n'
    result = piped(tmp_path, lines, *RUN, "--json", "--manifest", "-")
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["media_id"]
    assert b"1 line of standard input cannot be taken:\n  line 2: source is missing" in result.stderr
    assert result.returncode == 1
    result = piped(tmp_path, lines, *RUN, "--strict", "--manifest", "-")
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Nothing was taken" in result.stderr
    result = piped(tmp_path, b"", *RUN, "--manifest", "-")
    assert result.returncode == 2
    assert b"standard input, line 1: the first line must name the columns" in result.stderr


def test_what_is_spooled_is_bounded() -> None:
    """In memory nothing of it is kept, so there has to be an end to it on disk."""
    into = io.BytesIO()
    spool_manifest(io.BytesIO(b"x" * 9), into, most=9)
    assert into.getvalue() == b"x" * 9
    with pytest.raises(ManifestError, match="has more than"):
        spool_manifest(io.BytesIO(b"x" * 10), io.BytesIO(), most=9)
    with pytest.raises(ManifestError, match="Standard input is closed"):
        spool_manifest(None, into)
    full_disk = Path("/dev/full")
    with (
        full_disk.open("wb", buffering=0) as full,
        pytest.raises(ManifestError, match="cannot be kept: No space left"),
    ):
        spool_manifest(io.BytesIO(b"x"), full)


def test_patterns_are_for_folders(greenroom: Greenroom, tmp_path: Path) -> None:
    """With a manifest they would be passed over in silence; and one of both has to be given."""
    (tmp_path / "m.csv").write_text("ref,source\na,/a\n", encoding="utf-8")
    result = greenroom(*RUN, "--manifest", "m.csv", "--include", "*.jpg")
    assert result.returncode == 2
    assert "--include and --exclude are for folders" in result.stderr
    assert "Give paths, or a --manifest." in greenroom(*RUN).stderr
