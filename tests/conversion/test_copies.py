"""Fixed copies: what Greenroom made is found again and removed; what others put there is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from greenroom.copy_record import LONGEST_NOTE, NOTE, is_place_of_copy, remove_copy
from greenroom.fixed_store import StoredFix, fix_and_store
from greenroom.inspection import inspect_file
from greenroom.isolation.process_pool import ProcessPool


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """An image in the colours of a print shop."""
    path = tmp_path / "flyer.jpg"
    Image.new("CMYK", (16, 16)).save(path, "JPEG")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where copies are kept."""
    return tmp_path / "fixed"


def keep(original: Path, folder: Path, files: ProcessPool) -> StoredFix:
    """Fix the original, or find what was made of it."""
    kept = fix_and_store(original, inspect_file(original), folder, name=original.name, kind=None, files=files)
    assert kept is not None
    return kept


def lose(kept: StoredFix) -> None:
    """The copy alone is gone, as when a disk was restored in part."""
    kept.path.unlink()


def lose_the_record(kept: StoredFix) -> None:
    """The copy is there, and nothing says what it is."""
    (kept.path.parent / NOTE).unlink()


def spoil(kept: StoredFix) -> None:
    """Another accepted image stands in its place."""
    Image.new("RGB", (8, 8)).save(kept.path, "JPEG")


def nest_the_record(kept: StoredFix) -> None:
    """A record that would take Python's parser down."""
    (kept.path.parent / NOTE).write_text("[" * (LONGEST_NOTE - 1), encoding="utf-8")


def lead_away(kept: StoredFix) -> None:
    """A record that names a file elsewhere."""
    note: dict[str, object] = {"file": "../../../flyer.jpg", "steps": [], "sha256": kept.verdict.sha256}
    (kept.path.parent / NOTE).write_text(json.dumps(note), encoding="utf-8")


@pytest.mark.parametrize("harm", [lose, lose_the_record, spoil, nest_the_record, lead_away])
def test_a_copy_that_was_harmed_is_made_anew(
    original: Path, folder: Path, harm: Callable[[StoredFix], None], file_pool: ProcessPool
) -> None:
    """And found from then on: no original is poisoned by what became of its copy."""
    harm(keep(original, folder, file_pool))
    again = keep(original, folder, file_pool)
    assert again.verdict.accepted
    assert inspect_file(again.path).sha256 == again.verdict.sha256
    assert keep(original, folder, file_pool) == again
    assert remove_copy(str(again.path), folder)


def test_a_file_of_others_in_the_way_stays(original: Path, folder: Path, file_pool: ProcessPool) -> None:
    """The copy goes beside it."""
    kept = keep(original, folder, file_pool)
    kept.path.unlink()
    mine = kept.path.parent / "mine.jpg"
    mine.write_bytes(b"precious")
    assert keep(original, folder, file_pool).path.parent != kept.path.parent
    assert mine.read_bytes() == b"precious"


def test_a_copy_is_removed_with_its_folder_and_nothing_else(
    original: Path, folder: Path, file_pool: ProcessPool
) -> None:
    """What somebody has put beside it stays, and so does the folder then."""
    kept = keep(original, folder, file_pool)
    beside = kept.path.parent / "beside.jpg"
    beside.write_bytes(b"precious")
    assert remove_copy(str(kept.path), folder)
    assert sorted(kept.path.parent.iterdir()) == [beside]
    beside.unlink()
    kept.path.parent.rmdir()
    kept = keep(original, folder, file_pool)
    assert remove_copy(str(kept.path), folder)
    assert not kept.path.parent.exists()
    assert not remove_copy(str(kept.path), folder)


def _own_folder(kept: StoredFix) -> str:
    """A file of a user's in a folder that has the name of a copy's, and no record."""
    lose_the_record(kept)
    return str(kept.path)


def _other_bytes(kept: StoredFix) -> str:
    """A user's file under the name of the copy."""
    spoil(kept)
    return str(kept.path)


def _another_name(kept: StoredFix) -> str:
    """A user's file beside the copy."""
    path = kept.path.with_name("mine.jpg")
    path.write_bytes(b"precious")
    return str(path)


def _old_record(kept: StoredFix) -> str:
    """A record without a hash proves nothing."""
    note = kept.path.parent / NOTE
    values = json.loads(note.read_text(encoding="utf-8"))
    del values["sha256"]
    note.write_text(json.dumps(values), encoding="utf-8")
    return str(kept.path)


def _a_link(kept: StoredFix) -> str:
    """The copy itself is a link to a file of a user's with the same bytes."""
    real = kept.path.parents[3] / "real.jpg"
    kept.path.rename(real)
    kept.path.symlink_to(real)
    return str(kept.path)


def _a_linked_folder(kept: StoredFix) -> str:
    """The copy's folder is a link to a user's folder."""
    real = kept.path.parents[3] / "real"
    kept.path.parent.rename(real)
    kept.path.parent.symlink_to(real)
    return str(kept.path)


def _a_linked_shard(kept: StoredFix) -> str:
    """A folder above it is a link."""
    real = kept.path.parents[3] / "real"
    kept.path.parents[1].rename(real)
    kept.path.parents[1].symlink_to(real)
    return str(kept.path)


def _by_dots(kept: StoredFix) -> str:
    """The copy by a path that goes up and down again."""
    shard = kept.path.parents[1]
    return f"{shard.parent}/../{shard.parent.name}/{shard.name}/{kept.path.parent.name}/{kept.path.name}"


def _the_record(kept: StoredFix) -> str:
    return str(kept.path.parent / NOTE)


def _the_folder(kept: StoredFix) -> str:
    return str(kept.path.parent)


@pytest.mark.parametrize(
    "named",
    [
        *(_own_folder, _other_bytes, _another_name, _old_record, _a_link, _a_linked_folder, _a_linked_shard),
        *(_by_dots, _the_record, _the_folder),
    ],
)
def test_what_cannot_be_proven_is_not_removed(
    original: Path, folder: Path, named: Callable[[StoredFix], str], file_pool: ProcessPool
) -> None:
    """Whatever a hand-over called a source."""
    source = named(keep(original, folder, file_pool))
    before = sorted(original.parent.rglob("*"))
    assert not remove_copy(source, folder)
    assert sorted(original.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "source",
    ["x.jpg", "../originals/x.jpg", "ab/../../originals/x.jpg", "ab/x.jpg", f"ab/{'cd' * 32}-any/x.jpg", ""],
)
def test_where_no_copy_is(folder: Path, source: str) -> None:
    """Paths below the folder, in letters at least, that no copy has."""
    assert not is_place_of_copy(f"{folder}/{source}", folder)
    assert is_place_of_copy(f"{folder}/ab/{'ab' * 32}-any/x.jpg", folder)
