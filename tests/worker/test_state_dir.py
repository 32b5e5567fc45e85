"""The embedded stack's state folder: what it clears away is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.errors import Misuse
from worker.embedded.state_dir import StateDir


@pytest.fixture
def state_dir(tmp_path: Path) -> StateDir:
    """A folder that a user has named."""
    (tmp_path / "demo").mkdir()
    return StateDir(folder=tmp_path / "demo")


def test_what_a_stack_has_left_is_removed(state_dir: StateDir) -> None:
    """All but the lock, which whoever clears away holds."""
    with state_dir.locked():
        state_dir.prepare()
        state_dir.database.touch()
        (state_dir.logs / "beat.log").touch()
        state_dir.begin_anew()
    assert [path.name for path in state_dir.folder.iterdir()] == ["lock"]


def test_files_of_a_user_are_never_removed(state_dir: StateDir) -> None:
    """`--state ~/projects`, where a folder `demo` is: its folders may well have names that ours have."""
    letters = state_dir.folder / "logs" / "letters.txt"
    letters.parent.mkdir()
    letters.touch()
    with pytest.raises(Misuse, match="did not make"):
        state_dir.begin_anew()
    assert letters.exists()


def test_what_lies_beside_a_stacks_own_stays(state_dir: StateDir, tmp_path: Path) -> None:
    """And so does what a link leads to."""
    state_dir.prepare()
    notes, images = state_dir.folder / "notes.txt", tmp_path / "images"
    notes.touch()
    images.mkdir()
    (images / "a.jpg").touch()
    state_dir.fixed.symlink_to(images)
    state_dir.begin_anew()
    assert list(state_dir.folder.iterdir()) == [notes]
    assert list(images.iterdir()) == [images / "a.jpg"]
