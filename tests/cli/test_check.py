"""`greenroom check` on the folders of the real world: odd names, links, pipes, and readers who leave."""

from __future__ import annotations

import io
import json
import os
import pty
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from cli.progress_bar import Rate, run_progress
from cli.tables import FileName
from examples import makers
from tests.cli.conftest import PATIENCE, Greenroom
from tests.support.command import COMMAND, environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good file and a bad one."""
    root = tmp_path / "files"
    (root / "below").mkdir(parents=True)
    (root / "note.txt").write_text("Hello.\n", encoding="utf-8")
    (root / "below" / "moving.gif").write_bytes(makers.saved(makers.drawn_image(40, 30), "GIF"))
    return root


def _rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_folders_below_are_checked(greenroom: Greenroom, folder: Path) -> None:
    """Every file below, each file of a folder before its subfolders, hidden ones left out."""
    (folder / ".hidden.txt").write_text("x", encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x", encoding="utf-8")
    result = greenroom("check", folder, "--json")
    assert [row["path"] for row in _rows(result.stdout)] == [
        str(folder / "note.txt"),
        str(folder / "below" / "moving.gif"),
    ]
    assert (result.returncode, result.stderr) == (1, "")


def test_the_table_says_what_and_why(greenroom: Greenroom, folder: Path) -> None:
    """Each file with what it is, and a summary of reasons with what to do."""
    result = greenroom("check", folder, COLUMNS="300")
    assert "moving.gif" in result.stdout
    assert "1 of 2 files accepted" in result.stdout
    assert "1  type_not_supported: Save it as" in result.stdout
    assert result.returncode == 1


def test_a_long_table_shows_what_is_rejected(greenroom: Greenroom, folder: Path) -> None:
    """Of more files than a screen takes, the bad ones are shown first, wherever they lie."""
    for number in range(100):
        (folder / f"a{number:03}.txt").write_text(f"Note {number}.\n", encoding="utf-8")
    output = greenroom("check", folder, COLUMNS="300").stdout
    assert "moving.gif" in output.replace("\n", "")
    assert "101 of 102 files accepted" in output
    assert "... and 42 more (42 accepted)" in output


def test_names_that_are_no_utf_8(greenroom: Greenroom, folder: Path) -> None:
    """A name of other bytes is judged; its JSON reads back as the same path, and the table is clean."""
    name = os.fsencode(folder) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_text("Hello.\n", encoding="utf-8")
    lines = _rows(greenroom("check", folder, "--json").stdout)
    assert {os.fsencode(row["path"]) for row in lines if row["verdict"] == "accepted"} >= {name}
    table = greenroom("check", folder, COLUMNS="300")
    assert (table.returncode, table.stderr) == (1, "")
    assert "caf\\udce9.txt" in table.stdout


def test_names_do_nothing_to_the_terminal(greenroom: Greenroom, folder: Path) -> None:
    """Escape codes, line breaks and markup in a name are shown, not obeyed."""
    for name in ("\x1b[2Jclear.txt", "two\nlines.txt", "[red]tag.txt", "\u202eexe.txt"):
        (folder / name).write_text("Hello.\n", encoding="utf-8")
    result = greenroom("check", folder, COLUMNS="300")
    assert result.returncode == 1
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "[red]tag.txt" in result.stdout
    rows = _rows(greenroom("check", folder, "--json").stdout)
    assert str(folder / "two\nlines.txt") in {row["path"] for row in rows}


def test_links_in_a_circle(greenroom: Greenroom, folder: Path) -> None:
    """A link to a folder above, to itself and to nowhere: the first is not followed, the others are said."""
    (folder / "up").symlink_to(folder)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    (folder / "there.txt").symlink_to(folder / "note.txt")
    rows = {Path(row["path"]).name: row for row in _rows(greenroom("check", folder, "--json").stdout)}
    assert rows["self.txt"]["reason"] == "unreadable"
    assert rows["gone.txt"]["reason"] == "missing"
    assert rows["there.txt"]["verdict"] == "accepted"
    assert set(rows) == {"note.txt", "moving.gif", "self.txt", "gone.txt", "there.txt"}


def test_pipes_and_devices_are_not_opened(greenroom: Greenroom, tmp_path: Path) -> None:
    """A pipe, a socket and a device are refused without being opened, which alone would have an effect."""
    pipe, address = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    went_on = threading.Event()

    def wait_for_a_reader() -> None:
        os.close(os.open(pipe, os.O_WRONLY))  # returns when somebody opens it to read
        went_on.set()

    writer = threading.Thread(target=wait_for_a_reader)
    writer.start()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        result = greenroom("check", pipe, address, "/dev/null", "--json")
    opened = went_on.is_set()
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writer.join()
    assert not opened
    assert {row["reason"] for row in _rows(result.stdout)} == {"unreadable"}
    assert all("not a file" in row["detail"] for row in _rows(result.stdout))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(greenroom: Greenroom, folder: Path) -> None:
    """A file and a folder without the right to read them are said, and the rest is checked."""
    (folder / "note.txt").chmod(0)
    (folder / "below").chmod(0)
    (folder / "more.txt").write_text("Hello.\n", encoding="utf-8")
    try:
        result = greenroom("check", folder, "--json")
    finally:
        (folder / "below").chmod(0o700)
    reasons = {Path(row["path"]).name: row["reason"] for row in _rows(result.stdout)}
    assert reasons == {"note.txt": "unreadable", "more.txt": None, "below": "unreadable"}


def test_files_of_the_system_are_passed_over_and_patterns_choose(greenroom: Greenroom, folder: Path) -> None:
    """One line says how many; what is named itself is judged all the same."""
    (folder / "Thumbs.db").write_text("x", encoding="utf-8")
    (folder / "below" / "~$report.docx").write_text("x", encoding="utf-8")
    result = greenroom("check", folder, "--json", "--exclude", "BELOW/*.GIF")
    assert [row["path"] for row in _rows(result.stdout)] == [str(folder / "note.txt")]
    assert (result.returncode, result.stderr) == (
        0,
        "2 system files were passed over: Thumbs.db, ~$report.docx\n",
    )
    result = greenroom("check", folder / "Thumbs.db", "--json", "--include", "*.gif")
    assert [row["path"] for row in _rows(result.stdout)] == [str(folder / "Thumbs.db")]
    assert result.stderr == ""
    assert greenroom("check", folder, "--include", "*.mp4").returncode == 2


def test_lines_come_as_they_are_known(folder: Path) -> None:
    """The first line can be read while later files are still to be judged."""
    pipe = subprocess.Popen(
        [*COMMAND, "check", "--json", str(folder), *[str(folder / "note.txt")] * 3000],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with pipe:
        assert pipe.stdout is not None
        first = json.loads(pipe.stdout.readline())
        still_running = pipe.poll() is None
        rest = pipe.stdout.read().splitlines()
        pipe.wait(PATIENCE)
    assert first["path"] == str(folder / "note.txt")
    assert still_running
    assert len(rest) == 3001


def test_a_reader_who_leaves(folder: Path) -> None:
    """`greenroom check --json | head -1` ends without a traceback."""
    pipe = subprocess.Popen(
        [*COMMAND, "check", "--json", *[str(folder / "note.txt")] * 3000],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.readline()
    pipe.stdout.close()
    errors = pipe.stderr.read()
    pipe.stderr.close()
    pipe.wait(PATIENCE)
    assert b"Traceback" not in errors


def on_terminal(folder: Path, *words: str, lines_too: bool = False, **more: str) -> tuple[str, str]:
    """Check a folder with a terminal for progress, and perhaps for lines; returns output and terminal."""
    here, there = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "check", *words, str(folder)],
        env=environment(TERM="xterm", **more),
        stdout=there if lines_too else subprocess.PIPE,
        stderr=there,
    ) as process:
        os.close(there)
        output, _ = process.communicate(timeout=PATIENCE)
    shown = b""
    try:
        while piece := os.read(here, 4096):
            shown += piece
    except OSError:  # Linux says so at the end
        pass
    os.close(here)
    return (output or b"").decode(), shown.decode()


@pytest.mark.parametrize("words", [(), ("--json",), ("--summary",), ("--summary", "--json")])
def test_progress_is_on_the_terminal_and_not_in_the_output(folder: Path, words: tuple[str, ...]) -> None:
    """How many files are judged, and the time left, on standard error; gone in the end."""
    output, shown = on_terminal(folder, *words)
    assert "Checking" in shown
    assert "of 2" in shown
    assert "left" in shown
    assert "\x1b" not in output
    assert "Checking" not in output


def test_progress_is_not_mixed_into_lines(folder: Path) -> None:
    """Where lines and progress would share a terminal, there are lines alone."""
    _, shown = on_terminal(folder, "--json", lines_too=True)
    assert len(_rows(shown)) == 2


def test_progress_is_in_no_pipe(greenroom: Greenroom, folder: Path) -> None:
    """Not even where colours are wanted in pipes, as on build servers."""
    result = greenroom("check", folder, "--fix", folder.parent / "fixed", FORCE_COLOR="1")
    assert result.stderr == ""


def test_the_progress_line_has_a_rate() -> None:
    """By a clock of the test's own."""
    now = 100.0
    progress = Progress(get_time=lambda: now)
    task = progress.add_task("Checking", total=10_000)
    assert not str(Rate().render(progress.tasks[0]))
    for _ in range(3):
        now += 2.0
        progress.advance(task, 2_469)
    assert str(Rate().render(progress.tasks[0])) == "1,234 files/s"
    slow = Progress(get_time=lambda: now)
    task = slow.add_task("Fixing", total=10)
    for _ in range(3):
        now += 4.0
        slow.advance(task, 1)
    assert str(Rate().render(slow.tasks[0])) == "0.2 files/s"


def test_a_run_has_what_is_settled_bad_and_left_in_80_columns() -> None:
    """And below it, in a line of its own, why files wait: in letters, and cut."""
    terminal = io.StringIO()
    bars = run_progress()
    bars.add_task("Uploading", total=3_000, completed=1_234, settled="1,234 of 3,000", bad="12 bad")
    bars.remark = "Waiting to try again: \x1b[2J" + "x" * 200
    Console(file=terminal, width=80).print(bars.get_renderable())
    line, remark = terminal.getvalue().splitlines()
    for words in ("Uploading", "1,234 of 3,000", "12 bad", "0:00:00", "left"):
        assert words in line
    assert remark.startswith("Waiting to try again: \\x1b[2J")
    assert len(remark) == 80


@pytest.fixture
def many_verdicts(folder: Path) -> Path:
    """More files: three GIFs in all, an empty one, and a name that is long."""
    moving = folder / "below" / "moving.gif"
    for name in ("second.gif", f"{'a-long-name-of-a-folder' * 3}/{'third' * 9}.gif"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(moving.read_bytes())
    (folder / "nothing.pdf").write_bytes(b"")
    (folder / "data.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("columns", ["60", "80", "140"])
def test_the_summary_has_the_most_frequent_reason_first(
    greenroom: Greenroom, many_verdicts: Path, columns: str
) -> None:
    """Each with its count, an example and what to do; what is accepted at the end; no line is broken."""
    result = greenroom("check", many_verdicts, "--summary", COLUMNS=columns)
    lines = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines if line.lstrip()[:1].isdigit()] == [
        ["3", "type_not_supported"],
        ["1", "empty"],
        ["2", "accepted"],
        ["1", "of"],
        ["2", "of"],
    ]
    assert all(len(line) <= int(columns) for line in lines)
    assert lines[0].split() == ["Files", "Verdict", "Example"]
    assert lines[1].endswith("second.gif")
    advice = "Save it as a type that WhatsApp takes; renaming it is not enough."
    assert advice.startswith(lines[2].strip().removesuffix("\N{HORIZONTAL ELLIPSIS}"))
    assert lines[-3].strip() == "1 of them with a remark."
    assert lines[-1] == "2 of 6 files accepted"
    assert result.returncode == 1


def test_the_summary_as_json(greenroom: Greenroom, many_verdicts: Path) -> None:
    """One object a verdict, in the same order; the example's path is whole."""
    result = greenroom("check", many_verdicts, "--summary", "--json")
    rows = _rows(result.stdout)
    assert [(row["verdict"], row["reason"], row["files"], row["with_notices"]) for row in rows] == [
        ("rejected", "type_not_supported", 3, 0),
        ("rejected", "empty", 1, 0),
        ("accepted", None, 2, 1),
    ]
    assert rows[0]["example"] == str(many_verdicts / "second.gif")
    assert "GIF" in rows[0]["detail"]
    assert "fixed" not in rows[0]
    assert (result.returncode, result.stderr) == (1, "")


def test_the_summary_of_what_was_fixed(greenroom: Greenroom, many_verdicts: Path) -> None:
    """How many of each reason have a fixed copy; where all have, the exit code is 0."""
    into = many_verdicts.parent / "fixed"
    result = greenroom("check", many_verdicts, "--summary", "--json", "--fix", into)
    assert [(row["reason"], row["fixed"]) for row in _rows(result.stdout)] == [
        ("type_not_supported", 3),
        ("empty", 0),
        (None, 0),
    ]
    assert result.returncode == 1
    (many_verdicts / "nothing.pdf").unlink()
    result = greenroom("check", many_verdicts, "--summary", "--fix", into)
    assert "3 of them have a fixed copy." in result.stdout
    assert "Save it as" not in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize("columns", ["60", "80", "110", "140"])
def test_no_table_breaks_a_name(greenroom: Greenroom, folder: Path, columns: str) -> None:
    """A path is broken behind a folder; a name that has no room is cut in front, and keeps its end."""
    for name in ("a-rather-long-name-of-a-file.txt", "with a space in it.txt"):
        (folder / "below" / name).write_text("Hello.\n", encoding="utf-8")
    (folder / f"{'longest' * 20}.txt").write_text("Hello.\n", encoding="utf-8")
    lines = greenroom("check", folder, COLUMNS=columns).stdout.splitlines()
    for end in ("moving.gif ", "g-name-of-a-file.txt ", "a space in it.txt ", "longestlongest.txt "):
        assert any(end in line for line in lines), end
    assert all(len(line) <= int(columns) for line in lines)


def test_outside_a_terminal_a_file_has_one_line(greenroom: Greenroom, folder: Path) -> None:
    """With its whole name, what it is and what was said of it, however long that is; the bad ones first."""
    name = f"{'longest' * 20}.txt"
    (folder / name).write_text("Hello.\n", encoding="utf-8")
    (folder / "noted.jpg").write_bytes((folder / "note.txt").read_bytes())
    _, bad, *good = greenroom("check", folder, COLUMNS="").stdout.splitlines()[:5]
    assert bad.startswith(f"✗  {folder}/below/moving.gif ")
    assert bad.rstrip().endswith("WhatsApp takes JPEG or PNG images and MP4 videos.")
    assert [line.split()[:2] for line in good] == [
        ["✓", str(folder / one)] for one in ("noted.jpg", name, "note.txt")
    ]
    assert "It is named .jpg" in good[0]


def test_a_path_in_lines() -> None:
    """Folders keep together where they fit; wide letters count twice."""
    assert FileName("a/b/c.jpg").lines(20) == ["a/b/c.jpg"]
    assert FileName("folder/below/name.jpg").lines(14) == ["folder/below/", "name.jpg"]
    assert FileName("folder/long-name.jpg").lines(9) == ["folder/", "\N{HORIZONTAL ELLIPSIS}name.jpg"]
    assert FileName("写真/写真.jpg").lines(8) == ["写真/", "写真.jpg"]
    assert FileName("/").lines(1) == ["/"]
    assert FileName("").lines(5) == [""]


def test_the_image_of_the_corpus() -> None:
    """Made by docs/images/make.py; the table and the summary by reason are in it."""
    svg = Path(__file__).resolve().parents[2] / "docs" / "images" / "check.svg"
    text = svg.read_text(encoding="utf-8").replace("&#160;", " ")
    for words in ("greenroom check corpus", "What it really is", "files accepted", "codec_not_supported"):
        assert words in text
