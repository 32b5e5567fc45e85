"""What is taken of a folder: files of people, those that the patterns choose, and nothing unsaid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from greenroom.folder_walk import FolderWalk

FILES = (
    *(
        "a.JPG",
        "b.psd",
        "drafts/c.jpg",
        "drafts/old/d.jpg",
        "new\nline.jpg",
        "spring/[1].jpg",
        "spring/drafts",
    ),
    *("spring/e.png", "system/f.jpg", "thumbs.db.jpg"),
)
SYSTEM = (
    *(".DS_Store", "._a.JPG", ".~lock.b.odt#", "DESKTOP.INI", "Icon\r", "Thumbs.db", "~$b.docx"),
    *("@eaDir/a.JPG", "__MACOSX/spring/._e.png", "$RECYCLE.BIN/x.jpg", "spring/ehthumbs.db"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One as people have them."""
    for name in (*FILES, *SYSTEM, ".hidden.jpg", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def taken(folder: Path, **patterns: list[str]) -> set[str]:
    """What a walk takes of it."""
    return {str(file.relative_to(folder)) for file in FolderWalk(**patterns).files(folder)}


def test_files_of_the_system_are_counted_and_hidden_ones_left_out(folder: Path) -> None:
    """A folder of the system counts as one, and is not opened."""
    walk = FolderWalk()
    assert {str(file.relative_to(folder)) for file in walk.files(folder)} == set(FILES)
    assert (walk.system_files, walk.unusable) == (len(SYSTEM), {})
    assert set(walk.system_names) < {name.split("/")[0] for name in SYSTEM}


@pytest.mark.parametrize("name", ["Thumbs.db", "~$b.docx", ".hidden.jpg", ".DS_Store"])
def test_what_is_named_is_taken(folder: Path, name: str) -> None:
    """Whatever it is called, and whatever the patterns say."""
    walk = FolderWalk(include=["*.mp4"], exclude=["*"])
    assert list(walk.files(folder / name)) == [folder / name]
    assert walk.system_files == 0
    assert list(FolderWalk().files(folder / "__MACOSX")) == []
    assert list(FolderWalk().files(folder / "@eaDir")) == [folder / "@eaDir" / "a.JPG"]


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        (["*.png"], [], {"spring/e.png"}),
        (["*.png", "./a.jpg"], [], {"spring/e.png", "a.JPG"}),
        (["drafts"], [], {"drafts/c.jpg", "drafts/old/d.jpg"}),
        (["drafts/"], ["*/old"], {"drafts/c.jpg"}),
        (["spring/*"], ["*.png"], {"spring/[1].jpg", "spring/drafts"}),
        (["spring/[[]1].jpg"], [], {"spring/[1].jpg"}),
        (["new?line.jpg"], [], {"new\nline.jpg"}),
        ([".hidden.jpg", "Thumbs.db", "/etc/*", "../*", ""], [], set()),
        (["*"], ["*"], set()),
        ([], ["*.jpg", "b.*"], {"spring/drafts", "spring/e.png"}),
        ([], ["", "["], set(FILES)),
        (["*a" * 40], [], set()),
    ],
)
def test_patterns(folder: Path, include: list[str], exclude: list[str], wanted: set[str]) -> None:
    """For paths relative to the folder, in any case; a folder that matches stands for what is in it."""
    assert taken(folder, include=include, exclude=exclude) == wanted


def test_a_folder_that_cannot_be_listed_stands_for_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not passed over in silence, and it comes where its files would; the rest is taken."""
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("spring"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    walk = FolderWalk(exclude=["drafts"])
    found = [str(file.relative_to(folder)) for file in walk.files(folder)]
    assert found == ["a.JPG", "b.psd", "new\nline.jpg", "thumbs.db.jpg", "spring", "system/f.jpg"]
    assert walk.unusable == {folder / "spring": "The folder cannot be read: Permission denied."}
    whole = FolderWalk()
    assert list(whole.files(folder / "spring")) == [folder / "spring"]
    assert len(whole.unusable) == 1
