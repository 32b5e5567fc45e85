"""Files that were fetched are kept for a while: never in place of others, never more than may be."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import greenroom
from greenroom.sources.fetched_files import FetchedFiles

KIB = 1024
#: Keeps a file, and waits at a moment of it to be killed.
WRITER = """
import pathlib, sys, time
from greenroom.sources.fetched_files import FetchedFiles

folder, moment = sys.argv[1:]
files = FetchedFiles(pathlib.Path(folder))


def wait(*_):
    print(".", end="", flush=True)
    time.sleep(600)


with files.draft() as draft:
    draft.write(b"hero" * 512)
    if moment == "write":
        wait()
    draft.write(b"hero" * 512)
    if moment == "rename":
        pathlib.Path.rename = wait
    files._write_note = wait
    files.keep("https://cdn.example/hero.jpg?signature=canary", '"1"', draft)
"""
SOURCE = "https://cdn.example/hero.jpg?signature=canary"


def keep(files: FetchedFiles, content: bytes, *, source: str = SOURCE, version: str = '"1"') -> str:
    """Fetch and keep it; returns its hash."""
    with files.draft() as draft:
        draft.write(content)
        files.keep(source, version, draft)
    return hashlib.sha256(content).hexdigest()


def held(files: FetchedFiles, sha256: str) -> bytes | None:
    """What is kept under a hash."""
    content = files.content(sha256)
    if content is None:
        return None
    with content:
        return content.read()


def on_disk(folder: Path) -> list[Path]:
    """All files."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_fetched_is_there_by_its_hash_and_by_its_source(tmp_path: Path) -> None:
    """With the version that its source had; the source itself is written nowhere."""
    files = FetchedFiles(tmp_path)
    sha256 = keep(files, b"hero")
    assert held(files, sha256) == b"hero"
    with files.last_of(SOURCE) as last:
        assert last is not None
        assert (last.version, last.content.read()) == ('"1"', b"hero")
    with files.last_of("https://cdn.example/other.jpg") as last:
        assert last is None
    assert not any(b"canary" in path.read_bytes() or "canary" in str(path) for path in on_disk(tmp_path))


def test_a_source_that_names_no_version_has_its_content_kept_alone(tmp_path: Path) -> None:
    """It may be another one at any moment, and what was inspected is wanted for the upload all the same."""
    files = FetchedFiles(tmp_path)
    sha256 = keep(files, b"hero", version="")
    assert held(files, sha256) == b"hero"
    with files.last_of(SOURCE) as last:
        assert last is None


@pytest.mark.parametrize("damage", [b"", b"her", b"HERO", b"hero and more"])
def test_what_was_spoiled_is_not_given_out(tmp_path: Path, damage: bytes) -> None:
    """By a disk, or by somebody; it is dropped, and fetched anew."""
    files = FetchedFiles(tmp_path)
    sha256 = keep(files, b"hero")
    (path,) = (one for one in on_disk(tmp_path) if one.name == sha256)
    path.write_bytes(damage)
    assert held(files, sha256) is None
    assert not path.exists()
    assert keep(files, b"hero") == sha256
    assert held(files, sha256) == b"hero"


@pytest.mark.parametrize(
    "note",
    [b"", b"[]", b"{}", b'{"version": 1, "sha256": "../../x"}', b'{"version": "", "sha256": "../../../x"}'],
)
def test_a_note_that_says_something_else_says_nothing(tmp_path: Path, note: bytes) -> None:
    """No hash, no file."""
    files = FetchedFiles(tmp_path)
    keep(files, b"hero")
    (path,) = (tmp_path / "notes").iterdir()
    path.write_bytes(note)
    with files.last_of(SOURCE) as last:
        assert last is None


def test_never_more_than_may_be_and_what_was_used_last_stays(tmp_path: Path) -> None:
    """Reading counts as use."""
    files = FetchedFiles(tmp_path, most=100 * KIB)
    first = keep(files, b"a" * 30 * KIB, source="a")
    second = keep(files, b"b" * 30 * KIB, source="b")
    for path in on_disk(tmp_path):
        os.utime(path, (1, 1))
    assert held(files, first) is not None
    keep(files, b"c" * 30 * KIB, source="c")
    keep(files, b"d" * 8 * KIB, source="d")
    assert held(files, second) is None
    assert held(files, first) is not None
    assert sum(path.stat().st_size for path in on_disk(tmp_path)) <= 100 * KIB


def test_notes_take_room_like_contents(tmp_path: Path) -> None:
    """Of a million addresses that all hold the same image, too."""
    files = FetchedFiles(tmp_path, most=100 * KIB)
    for at in range(100):
        keep(files, b"hero", source=str(at))
        with files.last_of("0") as last:
            assert last is not None
    assert len(on_disk(tmp_path)) * 4 * KIB <= 100 * KIB


def test_what_a_process_wrote_when_it_was_killed_is_not_taken(tmp_path: Path) -> None:
    """Half of a file, all of it without its name, and all of it without its note."""
    content = b"hero" * KIB
    for moment in ("write", "rename", "note"):
        folder = tmp_path / moment
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), moment],
            stdout=subprocess.PIPE,
            cwd=Path(greenroom.__file__).parents[1],
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.read(1) == b"."
            assert on_disk(folder)
            writer.kill()
        files = FetchedFiles(folder)
        with files.last_of(SOURCE) as last:
            assert last is None
        assert held(files, hashlib.sha256(content[: len(content) // 2]).hexdigest()) is None
        sha256 = hashlib.sha256(content).hexdigest()
        assert held(files, sha256) == (content if moment == "note" else None)
        assert keep(files, content) == sha256
        assert held(files, sha256) == content


def test_what_is_larger_than_all_of_it_is_not_kept(tmp_path: Path) -> None:
    """Nor does it cost the others their room."""
    files = FetchedFiles(tmp_path, most=10 * KIB)
    small = keep(files, b"small")
    assert held(files, keep(files, b"x" * 9500, source="large")) is None
    assert held(files, small) == b"small"


def test_what_is_read_stays_open_whatever_is_dropped(tmp_path: Path) -> None:
    """Another process may make room at any moment."""
    files = FetchedFiles(tmp_path)
    sha256 = keep(files, b"hero")
    content = files.content(sha256)
    assert content is not None
    FetchedFiles(tmp_path).clear()
    with content:
        assert content.read() == b"hero"
    assert held(files, sha256) is None
    assert on_disk(tmp_path / "notes") == []


def test_drafts_of_those_that_were_killed_are_dropped(tmp_path: Path) -> None:
    """After longer than any file is fetched."""
    files = FetchedFiles(tmp_path)
    keep(files, b"hero")
    old, new = (tmp_path / "drafts" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half a fi")
    os.utime(old, (1, 1))
    files.clear(most=10_000)
    assert [path.name for path in (tmp_path / "drafts").iterdir()] == ["new"]


def test_many_may_keep_and_drop_at_once(tmp_path: Path) -> None:
    """Whoever finds a content has all of it."""
    contents = [bytes([at]) * (100 + at) for at in range(40)]
    wrong: list[object] = []

    def work(at: int) -> None:
        files = FetchedFiles(tmp_path, most=100 * KIB)
        for turn in range(60):
            content = contents[(at * 7 + turn) % len(contents)]
            sha256 = keep(files, content, source=str(turn % 5))
            if held(files, sha256) not in (None, content):
                wrong.append(sha256)
            with files.last_of(str(turn % 5)) as last:
                if last is not None and last.content.read() not in contents:
                    wrong.append(turn)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert on_disk(tmp_path / "drafts") == []
