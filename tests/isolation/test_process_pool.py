"""The processes that a worker keeps from task to task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from PIL import Image

from greenroom.errors import CannotFix, SourceChanged
from greenroom.inspection import inspect_file
from greenroom.isolation.process_pool import ProcessPool, Stalled
from greenroom.isolation.protocol import FixOrder, InspectOrder
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.reasons import Reason
from greenroom.rules import MIB, Category
from greenroom.verdict import Verdict
from tests.isolation.files import files_named
from tests.support.odd import ODD


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """A pool of odd processes with narrow bounds."""
    pool = ProcessPool(ResourceLimits(processor=0.5, memory=128 * MIB), ODD)
    yield pool
    pool.close()


@pytest.fixture
def impatient_pool() -> Iterator[ProcessPool]:
    """A pool of odd processes that wait for a second."""
    pool = ProcessPool(ResourceLimits(patience=1), ODD)
    yield pool
    pool.close()


@pytest.fixture
def usual_pool() -> Iterator[ProcessPool]:
    """A pool as workers have it."""
    pool = ProcessPool()
    yield pool
    pool.close()


def _look(pool: ProcessPool, *files: Path) -> list[Verdict | Stalled]:
    return list(pool.inspect([InspectOrder(path=file) for file in files]))


Processes = Callable[[], list[psutil.Process]]


@pytest.fixture
def processes() -> Processes:
    """Returns which processes were started since the test began."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [one for one in psutil.Process().children(recursive=True) if one not in before]


def test_a_process_is_kept_from_file_to_file(pool: ProcessPool, tmp_path: Path, processes: Processes) -> None:
    """Starting one costs as much as looking at a thousand files."""
    assert processes() == []
    first, second = files_named(tmp_path, "tells-1.txt", "tells-2.txt")
    labels = {found.label for file in (first, second) for found in _look(pool, file)}  # type: ignore[union-attr] # none stalls
    assert labels == {str(process.pid) for process in processes()}


def test_a_process_that_was_started_ahead_is_the_first_to_be_used(
    pool: ProcessPool, tmp_path: Path, processes: Processes
) -> None:
    """Whoever comes first need not wait for one to start; one that has died meanwhile is replaced."""
    pool.start_ahead()
    (ahead,) = processes()
    first, second = files_named(tmp_path, "tells-1.txt", "tells-2.txt")
    (found,) = _look(pool, first)
    assert found.label == str(ahead.pid)  # type: ignore[union-attr] # none stalls
    ahead.kill()
    ahead.wait()
    pool.start_ahead()
    (ahead,) = (one for one in processes() if one.is_running() and one.pid != ahead.pid)
    ahead.kill()
    psutil.wait_procs([ahead])
    (found,) = _look(pool, second)
    assert found.label not in (None, str(ahead.pid))  # type: ignore[union-attr] # none stalls


def test_a_process_that_was_started_ahead_and_never_used_ends_with_the_pool(processes: Processes) -> None:
    """As any other."""
    pool = ProcessPool(command=ODD)
    pool.start_ahead()
    assert len(processes()) == 1
    pool.close()
    assert processes() == []


def test_who_takes_the_last_verdict_and_leaves_leaves_the_process(
    pool: ProcessPool, tmp_path: Path, processes: Processes
) -> None:
    """A task asks for as many verdicts as it has files, and not for one more: nothing is owed any more."""
    labels = set()
    for file in files_named(tmp_path, "tells-1.txt", "tells-2.txt"):
        verdicts = pool.inspect([InspectOrder(path=file)])
        labels.add(next(verdicts).label)  # type: ignore[union-attr] # none stalls
        verdicts.close()  # type: ignore[attr-defined] # it is a generator
    assert labels == {str(process.pid) for process in processes()}


def test_names_and_kinds_reach_the_examiner(usual_pool: ProcessPool, tmp_path: Path) -> None:
    """A verdict is the one that this process would give."""
    (file,) = files_named(tmp_path, "note.txt")
    (found,) = usual_pool.inspect([InspectOrder(path=file, name="note.pdf", kind=Category.IMAGE)])
    assert found == inspect_file(file, name="note.pdf", kind=Category.IMAGE)


def test_it_is_given_no_secrets(pool: ProcessPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever got hold of a process by a file finds no key in its environment."""
    monkeypatch.setenv("GREENROOM_SECRET_KEY", "canary")
    monkeypatch.setenv("PGPASSWORD", "canary")
    (found,) = _look(pool, *files_named(tmp_path, "tells.txt"))
    assert isinstance(found, Verdict)
    assert "PATH" in found.detail
    assert "canary" not in found.detail


def test_memory_has_an_end(pool: ProcessPool, tmp_path: Path) -> None:
    """The system refuses what is more than the bound, and the process continues with the next file."""
    grown, other = _look(pool, *files_named(tmp_path, "grows.txt", "other.txt"))
    assert isinstance(grown, Verdict)
    assert 32 < int(grown.label) < 128
    assert isinstance(other, Verdict)
    assert other.accepted


def test_a_file_that_computes_for_ever_is_broken(pool: ProcessPool, tmp_path: Path) -> None:
    """It is ended by its own system, after half a second of the processor, and its neighbours are judged."""
    found = _look(pool, *files_named(tmp_path, "a.txt", "computes.txt", "b.txt"))
    assert all(isinstance(one, Verdict) for one in found)
    assert [getattr(one, "reason", None) for one in found] == [None, Reason.BROKEN, None]
    assert "0.5 seconds" in getattr(found[1], "detail", "")


def test_a_file_that_waits_for_ever_is_not_blamed(impatient_pool: ProcessPool, tmp_path: Path) -> None:
    """Its disk may be away, or the machine was asleep: it is looked at again another time."""
    first, hanging, last = _look(impatient_pool, *files_named(tmp_path, "a.txt", "hangs.txt", "b.txt"))
    assert hanging == Stalled(seconds=1)
    assert isinstance(first, Verdict)
    assert isinstance(last, Verdict)
    assert first.accepted
    assert last.accepted


@pytest.mark.parametrize("deed", ["hangs", "clings", "computes"])
def test_a_verdict_does_not_wait_for_the_file_behind_it(
    tmp_path: Path, processes: Processes, deed: str
) -> None:
    """It is had while its process is still at the next one, whatever that does to the process."""
    with closing(ProcessPool(ResourceLimits(patience=5), ODD)) as pool:
        pool.start_ahead()
        (first_process,) = processes()
        files = files_named(tmp_path, "a.txt", "tells.txt", f"{deed}.txt", "b.txt")
        verdicts = pool.inspect([InspectOrder(path=file) for file in files])
        labels = [next(verdicts).label for _ in range(2)]  # type: ignore[union-attr] # none stalls
        # Had this one been ended before it told, another one would have looked at the file again.
        assert labels[1] == str(first_process.pid)
        verdicts.close()  # type: ignore[attr-defined] # it is a generator


def test_a_process_that_is_killed_by_chance_costs_nothing(pool: ProcessPool, tmp_path: Path) -> None:
    """A machine short of memory kills whom it finds; the file is looked at once more."""
    found = _look(pool, *files_named(tmp_path, "a.txt", "killed-once.txt", "b.txt"))
    assert [getattr(one, "reason", None) for one in found] == [None, None, None]


def test_a_process_that_is_killed_at_rest_costs_nothing(
    pool: ProcessPool, tmp_path: Path, processes: Processes
) -> None:
    """The next file gets a new one."""
    files = files_named(tmp_path, "a.txt", "b.txt")
    _look(pool, files[0])
    (process,) = processes()
    process.kill()
    (found,) = _look(pool, files[1])
    assert isinstance(found, Verdict)
    assert found.accepted


def test_who_leaves_in_the_middle_leaves_nothing(
    pool: ProcessPool, tmp_path: Path, processes: Processes
) -> None:
    """Answers that nobody took are not taken for those of the next files."""
    files = files_named(tmp_path, *(f"{number}.txt" for number in range(10)))
    verdicts = pool.inspect([InspectOrder(path=file) for file in files])
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined] # it is a generator
    assert processes() == []
    (tmp_path / "empty.txt").touch()
    (found,) = _look(pool, tmp_path / "empty.txt")
    assert isinstance(found, Verdict)
    assert found.reason is Reason.EMPTY


def test_more_is_asked_than_a_pipe_holds(usual_pool: ProcessPool, tmp_path: Path) -> None:
    """Long names go and come back; neither side waits for the other for ever."""
    orders = [InspectOrder(path=tmp_path / f"{number}", name="ü" * 4000) for number in range(64)]
    assert {getattr(found, "reason", None) for found in usual_pool.inspect(orders)} == {Reason.MISSING}


def test_a_closed_pool_starts_nothing(pool: ProcessPool, tmp_path: Path) -> None:
    """Who ends it is not waited for by new processes."""
    pool.close()
    with pytest.raises(ProcessesFailed, match="were ended"):
        _look(pool, *files_named(tmp_path, "a.txt"))


def test_fixing_comes_back_as_it_was_done(usual_pool: ProcessPool, tmp_path: Path) -> None:
    """A new file with its steps; nothing for one that is good; a sentence for one that is hopeless."""
    print_shop, text = tmp_path / "flyer.jpg", tmp_path / "note.txt"
    Image.new("CMYK", (64, 64), (10, 200, 30, 5)).save(print_shop, "JPEG")
    text.write_text("A note.\n", encoding="utf-8")
    into = tmp_path / "new"
    into.mkdir()
    orders = [FixOrder(path=file, verdict=inspect_file(file), into=into) for file in (print_shop, text)]
    made, nothing = map(usual_pool.fix, orders)
    assert made is not None
    assert (made.verdict, made.sha256) == (inspect_file(made.path), made.verdict.sha256)
    assert made.steps
    assert nothing is None
    text.write_bytes(b"\0\1\2\3" * 100)
    with pytest.raises(CannotFix, match=r"\.$"):
        usual_pool.fix(FixOrder(path=text, verdict=inspect_file(text), into=into))
    with print_shop.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceChanged):
        usual_pool.fix(orders[0])
    with pytest.raises(OSError, match="No such file"):
        usual_pool.fix(FixOrder(path=print_shop, verdict=inspect_file(print_shop), into=into / "never"))


def test_a_process_that_has_grown_is_not_kept(
    usual_pool: ProcessPool, tmp_path: Path, processes: Processes
) -> None:
    """What fixing a large image took is given back with its process."""
    image = tmp_path / "large.png"
    Image.new("1", (9000, 9000)).save(image)
    order = FixOrder(path=image, verdict=inspect_file(image), into=tmp_path)
    assert usual_pool.inspect_once(InspectOrder(path=image)) == order.verdict
    assert len(processes()) == 1
    assert usual_pool.fix(order) is not None
    assert processes() == []


@pytest.mark.parametrize(("mode", "side"), [("P", 10_000), ("RGB", 8_000)])
def test_an_image_of_a_hundred_megapixels_is_fixed_within_the_bound(
    usual_pool: ProcessPool, tmp_path: Path, mode: str, side: int
) -> None:
    """A file of some kilobytes, whose process the system holds to 512 MB."""
    image = tmp_path / "vast.png"
    Image.new(mode, (side, side)).save(image, compress_level=1)
    verdict = usual_pool.inspect_once(InspectOrder(path=image, kind=Category.STICKER))
    order = FixOrder(path=image, verdict=verdict, into=tmp_path, kind=Category.STICKER)
    made = usual_pool.fix(order)
    assert made is not None
    assert made.verdict.accepted
