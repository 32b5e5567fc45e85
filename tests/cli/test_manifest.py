"""What becomes an item of a campaign, and what is refused at the door."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.given_items import given_items
from cli.given_options import Given
from greenroom.errors import ManifestError
from greenroom.folder_items import items_of_paths
from greenroom.folder_walk import FolderWalk
from greenroom.manifest import LONGEST_REF, parse_items
from greenroom.sources import shown


def write(path: Path) -> Path:
    """A file of some content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Hello!\n", encoding="utf-8")
    return path


def test_a_file_that_is_given_twice_is_taken_once(tmp_path: Path) -> None:
    """By itself and by its folder, say; two files of one name get two refs."""
    one, other = write(tmp_path / "a.txt"), write(tmp_path / "sub" / "a.txt")
    items = items_of_paths([one, tmp_path, one, tmp_path / "sub", tmp_path])
    assert [(item.ref, item.source) for item in items] == [
        ("a.txt", str(one)),
        ("sub/a.txt", str(other)),
    ]
    assert [item.ref for item in items_of_paths([one, other])] == ["a.txt", str(other)]


def test_a_path_that_is_too_long_for_a_ref_is_shortened(tmp_path: Path) -> None:
    """Its end is kept, and two of them stay two."""
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    files = [write(deep / (letter + "c" * 100 + ".txt")) for letter in "xy"]
    refs = [item.ref for item in items_of_paths([tmp_path])]
    assert len(set(refs)) == len(files)
    assert all(len(ref) == LONGEST_REF and ref.endswith("ccc.txt") for ref in refs)


def test_what_cannot_be_taken_is_said_and_the_rest_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that no campaign can hold, and folders that nobody can open; without a walk they are refused."""
    good = write(tmp_path / "a.txt")
    odd = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\x1b[2J\xe9.txt")))
    write(tmp_path / "Desktop.ini")
    deep = too_deep(tmp_path / "deep")
    walk = FolderWalk()
    assert [item.ref for item in items_of_paths([tmp_path], walk)] == ["a.txt"]
    assert set(walk.unusable) == {odd, deep}
    given = given_items(
        Given(paths=(tmp_path,), manifest=None, include=(), exclude=(), strict=False, fix=True)
    )
    assert ([(item.source, item.fix) for item in given.items], given.left_out) == ([(str(good), True)], 2)
    told = capsys.readouterr().err
    assert "1 system file was passed over: Desktop.ini\n2 paths cannot be taken:\n" in told
    assert "The folder cannot be read: File name too long." in told
    assert "udce9.txt: The name is not UTF-8" in told
    assert "\x1b" not in told
    with pytest.raises(ManifestError, match=r"The (folder|name)"):
        items_of_paths([tmp_path])


def too_deep(folder: Path) -> Path:
    """A folder that has files and that no path leads into; the nearest one that a path leads to."""
    folder.mkdir()
    inside = os.open(folder, os.O_RDONLY)
    path = str(folder)
    for _ in range(4096 // 200 + 2):
        os.mkdir("d" * 200, dir_fd=inside)
        following = os.open("d" * 200, os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = following
        if len(path) < 4096:
            path += "/" + "d" * 200
    os.close(os.open("x.txt", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
    os.close(inside)
    return Path(path)


@pytest.mark.parametrize(
    "item",
    [{"ref": "a\0b", "source": "/a"}, {"ref": "a", "source": "/a\0b"}, {"ref": "\udce9", "source": "/a"}],
)
def test_what_no_database_keeps_is_refused(item: dict[str, str]) -> None:
    """PostgreSQL would fail at it, and with it at all the other items."""
    with pytest.raises(ManifestError, match="item 1"):
        parse_items([item])


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("/media/a.jpg", "/media/a.jpg"),
        ("https://cdn.example/a.jpg?signature=secret", "https://cdn.example/a.jpg"),
        ("https://user:secret@cdn.example:8443/a.jpg#secret", "https://cdn.example:8443/a.jpg"),
    ],
)
def test_what_signs_an_address_is_not_shown(source: str, seen: str) -> None:
    """In no report and in no error."""
    assert shown(source) == seen
