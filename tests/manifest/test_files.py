"""Manifests are read as the csv and json modules define them; nothing is cut, each refusal has its line."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import ManifestError
from greenroom.manifest_file import read_manifest
from greenroom.manifest_rows import LONGEST_ROW
from greenroom.rules import MIB
from greenroom.seen_refs import RepeatedRef, SeenRefs


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A manifest file of this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def jsonl(*items: object) -> str:
    """One line an item, in letters that people can read."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


SPRING = '"/srv/spring, summer/x.jpg"'
READ = {
    "comma in quotes": ("m.csv", f"ref,source\nhero,{SPRING}\n", [("hero", "/srv/spring, summer/x.jpg")]),
    "newline in quotes": ("m.csv", 'ref,source\n"a\nb",/x\r\nc,/y', [("a\nb", "/x"), ("c", "/y")]),
    "quote in quotes": ("m.csv", 'ref,source\n"a ""b""",/x\n', [('a "b"', "/x")]),
    "U+2028 and U+0085 in CSV": (
        "m.csv",
        "ref,source\na\u2028b\x85\x0b\x1c,/x\n",
        [("a\u2028b\x85\x0b\x1c", "/x")],
    ),
    "U+2028 and U+0085 in JSON lines": (
        "m.jsonl",
        jsonl({"ref": "a\u2028b\x85", "source": "/x"}, {"ref": "c", "source": "/y"}),
        [("a\u2028b\x85", "/x"), ("c", "/y")],
    ),
    "semicolons": ("m.csv", 'ref;source\nhero;"/a;b"\n', [("hero", "/a;b")]),
    "carriage returns alone": ("m.csv", "ref,source\rhero,/a\r", [("hero", "/a")]),
    "Windows, a byte order mark, and rows that Excel left empty": (
        "m.csv",
        "\ufeffref,source,kind,,\r\nhero,/a,,,\r\n,,,,\r\n\r\n",
        [("hero", "/a")],
    ),
    "JSON over lines": (
        "m.json",
        '\n[\n{"ref": "a",\n"source": "/a"}\n,\n{"ref":"b","source":"/b"}]\n',
        [("a", "/a"), ("b", "/b")],
    ),
    "no item": ("m.json", " [ ] ", []),
    "no line": ("m.jsonl", "", []),
    "a web address in capitals": ("m.csv", "ref,source\na,HTTP://cdn.example/a\n", None),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
def test_what_is_read(tmp_path: Path, case: tuple[str, str, list[tuple[str, str]] | None]) -> None:
    """All of it, as it was written."""
    name, content, wanted = case
    found = [(item.ref, item.source) for item in read_manifest(write(tmp_path, name, content))]
    assert found == (wanted if wanted is not None else [("a", "HTTP://cdn.example/a")])


ITEM = '{"ref": "a", "source": "/a"}'
DEEP = "[" * 5_000
REFUSED = {
    # CSV
    "comma without quotes": ("m.csv", "ref,source\nhero,/srv/spring, summer/x.jpg\n", r"line 2: .*3 values"),
    "comma without quotes, a column left": (
        "m.csv",
        "ref,source,kind\na,/a,\nhero,/srv/spring, summer/x.jpg\n",
        r"line 3: kind must be audio, document",
    ),
    "too many fields": ("m.csv", "ref,source\na,/a\nb,/b,,\n", r"line 3: there are 4 values"),
    "a value without a column": ("m.csv", "ref,source,\na,/a,x\n", r"line 2: .*does not name"),
    "no source": ("m.csv", "ref,source\na,/a\n\nb\n", r"line 4: source is missing"),
    "an unclosed quote": ("m.csv", 'ref,source\na,/a\n"b,/b\nc,/c\n', r"line 3: a quote .* never closed"),
    "an unclosed quote before others": (
        "m.csv",
        'ref,source\n"b,/b\nc,"/c"\n',
        r"line 3: .*begins on line 2 goes on behind",
    ),
    "an unclosed quote in a long file": (
        "m.csv",
        'ref,source\n"b,/b\n' + "c,/c\n" * LONGEST_ROW,
        r"line 2: .*quote opened here",
    ),
    "a huge field": ("m.csv", "ref,source\na,/" + "x" * 200_000, r"line 2: .*more than 65,536 characters"),
    "a long source": ("m.csv", "ref,source\na,/" + "x" * 5_000, r"line 2: source has more than 4,096"),
    "an error after a row of several lines": ("m.csv", 'ref,source\n"a\nb",/x\nc\n', r"line 4: source is"),
    "no columns": ("m.csv", "hero,/a\n", r"line 1: the first line must name the columns"),
    "a column named twice": ("m.csv", "ref,source,ref\na,/a,b\n", r"line 1: .*named twice"),
    "an odd column named twice": (
        "m.csv",
        "ref,source,\x1b[2J,\x1b[2J\na,/a,b\n",
        r"line 1: the column '.x1b\[2J'",
    ),
    "a column that nobody knows": ("m.csv", "ref,source,note\na,/a,x\n", r"line 2: note is not known"),
    "an empty file": ("m.csv", "", r"line 1: the first line must name the columns"),
    "a ref twice": (
        "m.csv",
        'ref,source\n"a\n",/a\nb,/b\n"a\n",/c\n',
        r"line 5: .* stands on line 2 already",
    ),
    "a ref twice, before another fault": ("m.csv", "ref,source\na,/a\na,/b\nc\n", r"line 3: the ref 'a'"),
    "NUL": ("m.csv", "ref,source\na,/a\nb,/b\0\n", r"line 3: there is the character NUL"),
    "broken UTF-8": ("m.csv", b"ref,source\na,/a\nb,/\xff\n", r"line 3: this is not UTF-8"),
    "UTF-16": ("m.csv", "ref,source\na,/a\n".encode("utf-16"), r"line 1: .*UTF-8"),
    # JSON lines
    "deep JSON line": ("m.jsonl", f"{ITEM}\n{DEEP}\n", r"line 2: this is nested too deeply"),
    "half a JSON line": ("m.jsonl", f"{ITEM}\n\n{ITEM[:9]}\n", r"line 3: this is not JSON"),
    "a line that is a number": ("m.jsonl", f"{ITEM}\n5\n", r"line 2: it must be an object"),
    "a number of many digits": ("m.jsonl", f"{ITEM}\n{'5' * 6_000}\n", r"line 2: .*thousands of digits"),
    "no number": ("m.jsonl", '{"ref": NaN}\n', r"line 1: NaN is no JSON"),
    "a name twice": (
        "m.jsonl",
        '{"ref": "a", "ref": "b", "source": "/a"}\n',
        r"line 1: .*'ref' stands twice",
    ),
    "NUL by an escape": ("m.jsonl", '{"ref": "a\\u0000", "source": "/a"}\n', r"line 1: ref: .*NUL"),
    "half a character": ("m.jsonl", '{"ref": "\\ud83d", "source": "/a"}\n', r"line 1: ref holds half"),
    "an odd name": (
        "m.jsonl",
        '{"ref":"a","source":"/a","\\u001b[31m":1}\n',
        r"line 1: the field '.x1b\[31m' is not",
    ),
    "an endless line": ("m.jsonl", " " * 1_000_000, r"line 1: .*more than 65,536"),
    "NUL in a JSON line": ("m.jsonl", b"\0" * 1_000, r"line 1: .*NUL"),
    # A JSON list
    "deep JSON": ("m.json", f"[{ITEM},\n{DEEP}", r"line 2: this is nested too deeply"),
    "an object": ("m.json", ITEM, r"line 1: there must be a list"),
    "half a list": ("m.json", f"[{ITEM},\n{ITEM}\n", r"line 3: after an item there must be"),
    "no comma": ("m.json", f"[{ITEM}\n{ITEM}]", r"line 2: after an item there must be"),
    "an unclosed text": ("m.json", '[\n{"ref": "a\n', r"line 2: this is not JSON"),
    "an unclosed text in a long file": (
        "m.json",
        '[\n{"ref": "a' + "x" * 300_000,
        r"line 2: .*more than 65,536",
    ),
    "a fault in a long file": (
        "m.json",
        f"[{ITEM},\n{{'ref'" + f",\n{ITEM}" * 9_000,
        r"line 2: this is not JSON",
    ),
    "more behind the list": ("m.json", f"[{ITEM}]\n[]", r"line 2: the list has ended"),
    "broken UTF-8 in JSON": ("m.json", f"[{ITEM},\n".encode() + b'{"ref": "\xc3"}]', r"line 2: .*UTF-8"),
    "a ref twice on one line": (
        "m.json",
        f"[{ITEM},{ITEM}]",
        r"line 1: the ref 'a' stands on line 1 already",
    ),
    "another ending": ("m.txt", "ref,source\n", r"no manifest"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(tmp_path: Path, case: tuple[str, str | bytes, str]) -> None:
    """With the line, what is wrong, and what to do; on one line of its own."""
    name, content, says = case
    with pytest.raises(ManifestError, match=says) as caught:
        read_manifest(write(tmp_path, name, content))
    assert str(caught.value).isprintable()


def lines(count: int) -> Iterator[str]:
    """A long manifest."""
    yield "ref,source\n"
    for number in range(count):
        yield f"customer-{number:07d},/srv/media/campaign/{number:07d}.jpg\n"


def test_a_long_manifest_is_streamed(tmp_path: Path) -> None:
    """What is kept does not grow with the file; nor does it if nearly all of it is one list."""
    path = tmp_path / "long.csv"
    path.write_text("".join(lines(60_000)), encoding="utf-8")
    peaks = []
    for count in (6_000, 60_000):
        path.write_text("".join(lines(count)), encoding="utf-8")
        manifest = read_manifest(path)
        assert len(manifest) == count
        tracemalloc.start()
        assert sum(1 for _ in manifest) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 6 * MIB
    assert peaks[1] < peaks[0] * 1.3


def test_refs_are_compared_in_bounded_memory() -> None:
    """Beyond what is kept in memory, on disk; and a repeated one is found wherever it stands."""
    with SeenRefs(in_memory=100) as seen:
        for number in range(1, 5_001):
            seen.add(f"ref-{number}", number)
        assert len(seen._seen) < 100
        seen.finish()
    with SeenRefs(in_memory=100) as seen:
        for number in range(1, 5_001):
            seen.add(f"ref-{number if number not in (700, 4_000) else 7}", number)
        with pytest.raises(RepeatedRef) as caught:
            seen.finish()
    assert (caught.value.number, caught.value.first) == (700, 7)


def test_a_manifest_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """What is handed over is what was checked."""
    path = write(tmp_path, "m.csv", "ref,source\na,/a\n")
    manifest = read_manifest(path)
    path.write_text("ref,source\na,/a\nb,/etc/passwd\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="was changed while it was read"):
        list(manifest)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A folder, and what is not there."""
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="is no file"):
        read_manifest(tmp_path / "folder.csv")
    with pytest.raises(ManifestError, match="cannot be read: No such file"):
        read_manifest(tmp_path / "none.csv")


def test_a_relative_source_starts_beside_the_manifest(tmp_path: Path) -> None:
    """Whatever the format, and fixing may be asked for all."""
    (item,) = read_manifest(write(tmp_path, "m.csv", "ref,source\na,./b/c.jpg\n"), fix=True)
    assert (item.source, item.fix) == (str(tmp_path / "b" / "c.jpg"), True)
