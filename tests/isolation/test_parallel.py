"""Many files on all cores: in order, and a file that kills or stops its process harms no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.inspection import inspect_file
from greenroom.isolation.parallel import judge_all
from greenroom.isolation.protocol import read_verdict, write_verdict
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.reasons import Reason
from tests.isolation.files import files_named
from tests.support.corpus import CASES, Case
from tests.support.odd import ODD


def test_the_same_verdicts_in_the_same_order(corpus: dict[Case, Path]) -> None:
    """The process pool says of the whole corpus what one process says, in the order given."""
    paths = [corpus[case] for case in CASES]
    assert list(judge_all(paths)) == [inspect_file(path) for path in paths]


def test_a_verdict_survives_its_journey(corpus: dict[Case, Path]) -> None:
    """Every field of every verdict comes back as it was sent."""
    for path in corpus.values():
        assert read_verdict(write_verdict(inspect_file(path))) == inspect_file(path)


@pytest.mark.parametrize("deed", ["kills", "hangs", "computes", "raises"])
def test_one_file_takes_no_other_with_it(tmp_path: Path, deed: str) -> None:
    """Every other file is judged, and the one that did it is broken, with words and its size."""
    names = [f"{number:02}.txt" for number in range(40)]
    names[3] = names[20] = f"this-{deed}.txt"
    files = files_named(tmp_path, *names)
    verdicts = dict(zip(names, judge_all(files, processes=2, limit=3, worker=ODD), strict=True))
    assert {name for name, verdict in verdicts.items() if not verdict.accepted} == {names[3]}
    odd = verdicts[names[3]]
    assert (odd.reason, odd.size) == (Reason.BROKEN, files[3].stat().st_size)
    assert ("3 seconds" in odd.detail) == (deed in ("hangs", "computes"))
    assert odd.detail.endswith(".")


def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    """Words on standard output of a worker go elsewhere."""
    files = files_named(tmp_path, "prints.txt", "quiet.txt")
    assert [verdict.accepted for verdict in judge_all(files, worker=ODD)] == [True, True]


def test_all_files_may_be_bad(tmp_path: Path) -> None:
    """Where every file kills its process, every file is broken and nothing else happens."""
    files = files_named(tmp_path, *(f"kills-{number}.txt" for number in range(3)))
    assert {verdict.reason for verdict in judge_all(files, processes=2, worker=ODD)} == {Reason.BROKEN}


def test_a_reader_who_leaves_ends_everything(tmp_path: Path) -> None:
    """Who takes one verdict and goes leaves no process behind, not even a hanging one."""
    files = files_named(tmp_path, "first.txt", *(f"hangs-{number}.txt" for number in range(20)))
    verdicts = judge_all(files, processes=2, worker=ODD)
    assert next(verdicts).accepted
    verdicts.close()  # type: ignore[attr-defined] # it is a generator


def test_no_files_no_processes() -> None:
    """Nothing to judge is no reason to start anything."""
    assert list(judge_all([])) == []


def test_a_worker_that_cannot_start_is_said(tmp_path: Path) -> None:
    """A broken installation is one error, not a folder of broken files."""
    with pytest.raises(ProcessesFailed, match="do not start"):
        list(judge_all(files_named(tmp_path, "a.txt", "b.txt"), worker=("-c", "raise SystemExit(3)")))


def test_nothing_is_imported_from_the_folder_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named like a module, in the folder that is checked, is judged and never run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    assert [verdict.accepted for verdict in judge_all([tmp_path / "json.py"])] == [True]
