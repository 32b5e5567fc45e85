"""What becomes an item of a campaign, and what is refused at the door."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.errors import ManifestError
from greenroom.folder_items import files_below, items_of_paths
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


def test_a_folder_that_cannot_be_read_is_not_left_out_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads "all accepted" takes it for all of them."""

    def scandir(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(ManifestError, match="cannot be read: Permission denied"):
        list(files_below(tmp_path))


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
