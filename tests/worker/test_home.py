"""The embedded stack's home: what it clears away is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.errors import Misuse
from worker.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder that a user has named."""
    (tmp_path / "demo").mkdir()
    return Home(folder=tmp_path / "demo")


def test_what_a_stack_has_left_is_removed(home: Home) -> None:
    """All but the lock, which whoever clears away holds."""
    with home.locked():
        home.prepare()
        home.database.touch()
        (home.logs / "beat.log").touch()
        home.begin_anew()
    assert [path.name for path in home.folder.iterdir()] == ["lock"]


def test_files_of_a_user_are_never_removed(home: Home) -> None:
    """`--state ~/projects`, where a folder `demo` is: its folders may well have names that ours have."""
    letters = home.folder / "logs" / "letters.txt"
    letters.parent.mkdir()
    letters.touch()
    with pytest.raises(Misuse, match="did not make"):
        home.begin_anew()
    assert letters.exists()


def test_what_lies_beside_a_stacks_own_stays(home: Home, tmp_path: Path) -> None:
    """And so does what a link leads to."""
    home.prepare()
    notes, pictures = home.folder / "notes.txt", tmp_path / "pictures"
    notes.touch()
    pictures.mkdir()
    (pictures / "a.jpg").touch()
    home.mended.symlink_to(pictures)
    home.begin_anew()
    assert list(home.folder.iterdir()) == [notes]
    assert list(pictures.iterdir()) == [pictures / "a.jpg"]
