"""Manifests are read as the csv and json modules define them; nothing is cut, each refusal has its line."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import ManifestError
from greenroom.manifest_file import MOST_BAD_LINES, ManifestFile, read_manifest
from greenroom.manifest_rows import LONGEST_ROW
from greenroom.rules import MIB
from greenroom.seen_refs import SeenRefs, TooManyRepeatedRefs


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
            seen.add(f"ref-{number if number not in (8, 700, 4_000) else 7}", number)
        seen.finish()
        assert sorted(seen.repeated) == [8, 700, 4_000]
        assert seen.repeated[8] == seen.repeated[700] == 7


def test_a_column_that_is_no_ref_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated refs are kept by number, so there is an end to them."""
    monkeypatch.setattr("greenroom.seen_refs.MOST_REPEATED", 5)
    with SeenRefs() as seen:
        for number in range(6):
            seen.add("same", number)
        with pytest.raises(TooManyRepeatedRefs):
            seen.add("same", 6)
    with pytest.raises(ManifestError, match="Is ref what it should be"):
        ManifestFile(write(tmp_path, "m.csv", "ref,source\n" + "a,/a\n" * 7))


GOOD = '{"ref": "%s", "source": "/%s"}'
#: A good item, bad ones of every sort, and a good item; and what is said of them.
BAD: dict[str, tuple[str, str | bytes, list[str]]] = {
    "CSV": (
        "m.csv",
        b"".join(
            [
                b'ref,source,kind,\na,/a,,\nb,/b,,,,\nc,/c,,x\nd,/d,mp4,\ne\n"f "f" f",/f,,\n',
                b"\xff,/g,,\nh,/h\0,,\n",
                b'"a",/i,,\n"\xffj\nj",/j,,\nz,/z,,\n',
            ]
        ),
        [
            "line 3: there are 6 values",
            "line 4: there is a value in a column",
            "line 5: kind must be",
            "line 6: source is missing",
            "line 7: a quoted value goes on behind",
            "line 8: this is not UTF-8",
            "line 9: there is the character NUL",
            "line 10: the ref 'a' stands on line 2 already",
            "line 11: this is not UTF-8",
        ],
    ),
    "JSON lines": (
        "m.jsonl",
        "\n".join(
            [
                *(
                    GOOD % ("a", "a"),
                    "{",
                    DEEP,
                    "5",
                    "9" * 6_000,
                    '{"ref": NaN}',
                    '{"ref": {"x": 1, "x": 2}}',
                ),
                *("\0", '{"ref": "\\ud83d", "source": "/a"}', GOOD % ("a", "b"), GOOD % ("z", "z")),
            ]
        ),
        [
            "line 2: this is not JSON",
            "line 3: this is nested too deeply",
            "line 4: it must be an object",
            "line 5: there is a number with thousands",
            "line 6: NaN is no JSON",
            "line 7: the name 'x' stands twice",
            "line 8: there is the character NUL",
            "line 9: ref holds half",
            "line 10: the ref 'a' stands on line 1 already",
        ],
    ),
    "JSON": (
        "m.json",
        b"["
        + b",\n".join(
            [
                *(
                    (GOOD % ("a", "a")).encode(),
                    b"5",
                    b"9" * 6_000,
                    b'{"ref": NaN}',
                    b'{"ref": "a", "ref": "b"}',
                ),
                *(b'{"ref": "\xff"}', (GOOD % ("a", "b")).encode(), (GOOD % ("z", "z")).encode()),
            ]
        )
        + b"]",
        [
            "line 2: it must be an object",
            "line 3: there is a number with thousands",
            "line 4: NaN is no JSON",
            "line 5: the name 'ref' stands twice",
            "line 6: this is not UTF-8",
            "line 7: the ref 'a' stands on line 1 already",
        ],
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_every_bad_line_is_told_and_the_good_ones_are_taken(
    tmp_path: Path, case: tuple[str, str | bytes, list[str]]
) -> None:
    """In each pass alike; of two items with one ref, the first."""
    name, content, says = case
    path = write(tmp_path, name, content)
    manifest = ManifestFile(path)
    wanted = [("a", "/a"), ("z", "/z")]
    for _ in range(2):
        assert [(item.ref, item.source) for item in manifest] == wanted
    assert (len(manifest), manifest.bad_count) == (len(wanted), len(says))
    for told, start in zip(manifest.bad_lines, says, strict=True):
        assert told.startswith(start)
        assert told.isprintable()
    with pytest.raises(ManifestError, match=f"{name}, {says[0]}.* So are {len(says) - 1} more lines"):
        read_manifest(path)


def test_the_first_bad_lines_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    """In the order of lines, of whichever sort they are; and across the parts in which items are checked."""
    rows = [
        f"ref-{n},/x" if n % 3 else f"ref-{max(n - 1, 0)},/x" if n % 2 else f"ref-{n}" for n in range(3_000)
    ]
    manifest = ManifestFile(write(tmp_path, "m.csv", "ref,source\n" + "\n".join(rows)))
    assert (len(manifest), manifest.bad_count) == (2_000, 1_000)
    assert len(list(manifest)) == len({item.ref for item in manifest}) == len(manifest)
    told = [int(line.split(":")[0].removeprefix("line ")) for line in manifest.bad_lines]
    assert told == [n + 2 for n in range(0, 3 * MOST_BAD_LINES, 3)]
    assert "stands on line 4 already" in manifest.bad_lines[1]


@pytest.mark.parametrize("name", ["unclosed", "open after a fault", "half a list", "a long line"])
def test_where_it_is_not_sure_what_is_an_item_none_is_taken(tmp_path: Path, name: str) -> None:
    """Whatever follows could be a part of the bad one."""
    file, content, says = {
        "unclosed": ("m.csv", 'ref,source\na,/a\n"b,/b\nc,/c\n', "line 3: a quote"),
        "open after a fault": ("m.csv", 'ref,source\na,/a\n"b"b,"\nc,/c\n",/d\n', "line 3: a quoted value"),
        "half a list": ("m.json", f"[{ITEM},{{]", "line 1: this is not JSON"),
        "a long line": ("m.jsonl", f"{ITEM}\n{'x' * 70_000}\n{ITEM}\n", "line 2: an item that begins here"),
    }[name]
    with pytest.raises(ManifestError, match=says):
        ManifestFile(write(tmp_path, file, content))


@pytest.mark.parametrize(
    "content", ["\ufeffref,source\nhero,a.jpg\n", ' \n[{"ref": "hero", "source": "a.jpg"}]', ITEM]
)
def test_the_format_of_what_was_spooled_is_told_by_its_beginning(tmp_path: Path, content: str) -> None:
    """And relative sources start where they are said to."""
    manifest = ManifestFile(write(tmp_path, "17", content), spooled_for=tmp_path / "there")
    (item,) = manifest
    assert item.source in (str(tmp_path / "there" / "a.jpg"), "/a")
    with pytest.raises(ManifestError, match="standard input, line 1: the first line must"):
        ManifestFile(write(tmp_path, "18", "PK\3\4"), spooled_for=tmp_path)


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
