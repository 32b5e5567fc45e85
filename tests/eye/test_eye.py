"""What the eye finds: with readers that are always there, and with what others would say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from examples import makers
from greenroom.isolation.parallel import judge_all
from greenroom.reasons import Reason
from greenroom.verdict import Verdict
from tests.eye import names, programs
from tests.eye.__main__ import main
from tests.eye.companion import Companions
from tests.eye.comparison import compare, objections
from tests.eye.libraries import opinion
from tests.eye.media import Stream, opinion_of
from tests.eye.opinion import Opinion, closed
from tests.eye.programs import Answer, NoAnswer
from tests.eye.readers import Reader, all_readers, how_to_install
from tests.support import ole2_writer, raw
from worker.checkout import CHECKOUT

PLANTED = "planted.png"
SMALL: dict[str, Any] = {"seconds": 0.5, "size": (160, 120), "options": makers.FAST_START}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Files about which nobody disagrees: taken, and refused."""
    banner = makers.drawn_image(64, 48)
    main_profile = {"profile": "main", "preset": "veryfast"}
    files = {
        "photo.jpg": makers.saved(banner, "JPEG"),
        PLANTED: makers.saved(banner, "PNG"),
        "grey.png": makers.saved(banner.convert("L"), "PNG"),
        "half.jpg": makers.saved(banner, "JPEG")[:300],
        "sticker.webp": makers.saved(banner, "WEBP"),
        "video.mp4": makers.media("mp4", video="libx264", audio=["aac"], video_options=main_profile, **SMALL),
        "song.m4a": makers.media("ipod", audio=["aac"], seconds=0.5),
        "note.ogg": makers.media("ogg", audio=["libopus"], seconds=0.5, rate=48_000),
        "moving.gif": makers.saved(banner, "GIF"),
        "letter.txt": b"Dear all,\nhello.\n",
        "letter.docx": makers.docx(["Hello."]),
        "offer.pdf": makers.pdf(["Hello."]),
        "empty.pdf": b"",
    }
    folder = tmp_path / "corpus" / "below"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder.parent


def test_nobody_disagrees(corpus: Path) -> None:
    """By the command that `make eye` calls, with whatever readers there are."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.eye", str(corpus)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "\n|" not in done.stdout
    assert "13 files, 0 of them in question. Asked: " in done.stdout
    assert done.returncode == 0, done.stdout


def judged_wrong(files: Sequence[Path]) -> Iterable[Verdict]:
    """Greenroom's judge, but for one file."""
    for file, verdict in zip(files, judge_all(files), strict=True):
        wrong = replace(verdict, reason=Reason.BROKEN, detail="This is cut | short.")
        yield wrong if file.name == PLANTED else verdict


def test_a_disagreement_is_a_row(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file, Greenroom's verdict, and who says what."""
    assert main([str(corpus)], judged_wrong) == 1
    output = capsys.readouterr().out
    rows = [line for line in output.splitlines() if line.startswith("| /")]
    said = "Pillow: opens it as image/png (PNG RGB, 64 x 48)"
    assert rows == [f"| {corpus}/below/{PLANTED} | broken: This is cut \\| short. | {said} |"]
    assert "13 files, 1 of them in question." in output


def test_who_is_missing_is_said(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one command that installs them, and what nobody else has looked at."""
    monkeypatch.setattr("tests.eye.readers.shutil.which", lambda _: None)
    monkeypatch.setattr("tests.eye.readers.find_spec", lambda _: None)
    assert main([str(corpus)]) == 0
    printed = capsys.readouterr()
    assert "NOT INSTALLED, AND SO NOT ASKED: Pillow, PyAV, ffprobe, mediainfo, pdfinfo," in printed.err
    assert (
        "sudo apt-get install --yes ffmpeg file libimage-exiftool-perl mediainfo poppler-utils && make setup"
    ) in printed.err
    assert "ACCEPTED AND LOOKED AT BY NOBODY ELSE: 1 of application/pdf" in printed.out
    assert "Asked: nobody." in printed.out


def test_nothing_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder, and none."""
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "There are no files in" in capsys.readouterr().err


def test_make_wants_a_folder() -> None:
    """And says how it is given."""
    done = subprocess.run(
        ["make", "--dry-run", "eye"],  # noqa: S607 - as people call it
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "make eye CORPUS=folder" in done.stdout


# ------------------------------------------------------------------------------------- when they disagree

JPEG = frozenset({"image/jpeg"})
PNG = frozenset({"image/png"})


def verdict(mime_type: str | None, reason: Reason | None = None, size: int = 100) -> Verdict:
    """Greenroom's."""
    return Verdict(
        label="a file",
        size=size,
        sha256=None,
        category=None,
        mime_type=mime_type,
        reason=reason,
        detail="No.",
    )


def reader(name: str = "other", *, opens: frozenset[str] = JPEG | PNG, **more: Any) -> Reader:
    """A reader of images, or one that goes by heads alone."""
    given: dict[str, Any] = {
        "name": name,
        "names": JPEG | PNG,
        "opens": opens,
        "contradicts": frozenset({Reason.BROKEN}),
        "ask": lambda *_: None,
        "is_there": True,
    }
    return Reader(**{**given, **more})


def said(types: frozenset[str] = JPEG, **more: str) -> Opinion:
    """A reader's."""
    return Opinion(types=types, words="so", **more)


BY_HEAD = reader("head", opens=frozenset())


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (verdict("image/jpeg"), [(reader(), said())], []),
        (verdict("image/jpeg"), [(reader(), said(flaws="a stray byte"))], []),
        (verdict("image/jpeg"), [(reader(), said(JPEG | PNG))], []),
        (verdict("image/jpeg"), [(reader(), closed("no"))], ["other: cannot open it (no)"]),
        (verdict("image/jpeg"), [(reader(), said(PNG))], ["other: says image/png (so)"]),
        (verdict("image/jpeg"), [(reader(), said(outside="CMYK"))], ["other: says CMYK (so)"]),
        # By the head alone: it opens nothing, and is outvoted by one that has read it all.
        (verdict("image/jpeg"), [(BY_HEAD, closed("no"))], []),
        (verdict("image/jpeg"), [(BY_HEAD, said(PNG))], ["head: says image/png (so)"]),
        (verdict("image/jpeg"), [(BY_HEAD, said(PNG)), (reader(), said())], []),
        (
            verdict("image/jpeg"),
            [(BY_HEAD, said(PNG)), (reader(), said(flaws="repaired"))],
            ["head: says image/png (so)"],
        ),
        (
            verdict("image/jpeg"),
            [(BY_HEAD, said(outside="CMYK")), (reader(), said())],
            ["head: says CMYK (so)"],
        ),
        # A refusal is contradicted by who opens it as a type of the page, whole, and small enough.
        (verdict(None, Reason.BROKEN), [(reader(), said())], ["other: opens it as image/jpeg (so)"]),
        (verdict(None, Reason.BROKEN), [(reader(), closed("no"))], []),
        (verdict(None, Reason.BROKEN), [(reader(), said(flaws="repaired"))], []),
        (verdict(None, Reason.BROKEN), [(reader(), said(outside="CMYK"))], []),
        (verdict(None, Reason.BROKEN), [(reader(), said(frozenset({"image/gif"})))], []),
        (verdict(None, Reason.BROKEN), [(BY_HEAD, said())], []),
        (verdict(None, Reason.BROKEN, size=6 * 2**20), [(reader(), said())], []),
    ],
)
def test_what_is_a_disagreement(
    ours: Verdict, theirs: list[tuple[Reader, Opinion]], expected: list[str]
) -> None:
    """Each rule of :mod:`tests.eye.comparison`."""
    assert list(objections(ours, theirs)) == expected


def test_who_is_asked(tmp_path: Path) -> None:
    """Of an accepted file, who knows its type; of a refused one, who could contradict the reason."""
    file = tmp_path / "a.jpg"
    file.write_bytes(b"\xff\xd8")
    for ours, asked in (
        (verdict("image/jpeg"), ("other", "picky")),
        (verdict("audio/aac"), ()),
        (verdict(None, Reason.BROKEN), ("other",)),
        (verdict("image/jpeg", Reason.TOO_LARGE), ()),
        (verdict(None, Reason.MISSING), ()),
    ):
        readers = [reader(), reader("picky", may_open=lambda head: head.startswith(b"PK"))]
        assert compare(file, ours, readers, seconds=1).asked == asked


def test_one_that_took_too_long_has_said_nothing(tmp_path: Path) -> None:
    """And is named."""

    def slow(*_: object) -> Opinion:
        raise NoAnswer

    found = compare(tmp_path, verdict("image/jpeg"), [reader(ask=slow)], seconds=1)
    assert (found.silent, found.against, found.is_unseen) == (("other",), (), True)


# ------------------------------------------------------------------------------------------- processes

#: Companions that hang, die, and print what is no answer.
HANGS = "import time; time.sleep(600)"
DIES = "import sys; sys.stdin.readline()"


def test_a_library_that_hangs_is_ended(tmp_path: Path) -> None:
    """And the next file has another process."""
    with Companions(("-c", HANGS)) as companions:
        for _ in range(2):
            with pytest.raises(NoAnswer):
                companions.ask("PIL", tmp_path, 0.1)


def test_a_library_that_dies_could_not_open_it(tmp_path: Path) -> None:
    """Of a fault in it, or of too much memory."""
    with Companions(("-c", DIES)) as companions:
        assert companions.ask("PIL", tmp_path, 60.0) == closed("the reader died of it")


def test_a_program_that_hangs_is_ended() -> None:
    """It has given no answer."""
    with pytest.raises(NoAnswer):
        programs.run(sys.executable, "-c", HANGS, seconds=0.1)


def test_a_process_is_kept_from_file_to_file(corpus: Path) -> None:
    """Names that are no UTF-8 arrive."""
    odd = corpus / "caf\udce9.png"
    odd.write_bytes((corpus / "below" / PLANTED).read_bytes())
    with Companions() as companions:
        for path in (odd, corpus / "below" / "half.jpg", odd):
            found = companions.ask("PIL", path, 60.0)
            assert found.types == (PNG if path is odd else frozenset())


# ------------------------------------------------------------------------------------------- each reader


@pytest.mark.parametrize(
    ("module", "content", "types", "outside"),
    [
        ("PIL", lambda: makers.saved(makers.drawn_image(9, 9), "JPEG"), JPEG, ""),
        ("PIL", lambda: makers.saved(makers.drawn_image(9, 9).convert("CMYK"), "JPEG"), JPEG, "CMYK "),
        ("PIL", lambda: raw.png(8, 8, depth=16), PNG, "RGB 16 bits"),
        ("PIL", lambda: b"nothing", frozenset(), ""),
        ("av", lambda: makers.media("mp3", audio=["libmp3lame"], seconds=0.5), {"audio/mpeg"}, ""),
        ("av", lambda: makers.media("mp4", video="mpeg4", **SMALL), {"video/mp4"}, "mpeg4 in video/mp4"),
        ("av", lambda: makers.media("mov", video="mpeg4", **SMALL), {"video/quicktime"}, ""),
        ("av", lambda: makers.media("matroska", video="mpeg4", seconds=0.5), {"video in matroska"}, ""),
        ("av", lambda: raw.with_cover_track(with_video=False), {"audio/mp4"}, ""),
        ("av", lambda: b"nothing", frozenset(), ""),
        ("olefile", lambda: ole2_writer.compound({"WordDocument": bytes(5_000)}), {names.DOC}, ""),
        ("olefile", lambda: ole2_writer.compound({"Notes": bytes(5_000)}), {"application/x-ole-storage"}, ""),
        ("docx", lambda: makers.docx(["Hello."]), {names.DOCX}, ""),
        ("docx", lambda: makers.xlsx([["Hello."]]), frozenset(), ""),
        ("pptx", lambda: makers.pptx(["Hello."]), {names.PPTX}, ""),
        ("python_calamine", lambda: makers.xlsx([["Hello.", 1.0]]), {names.XLSX}, ""),
    ],
)
def test_what_libraries_say(
    tmp_path: Path, module: str, content: Callable[[], bytes], types: AbstractSet[str], outside: str
) -> None:
    """Those that are installed; each of a file of its kind, and of another."""
    pytest.importorskip(module)
    path = tmp_path / "file"
    path.write_bytes(content())
    found = opinion(module, path)
    assert (set(found.types), found.outside) == (set(types), outside), found.words


def test_audio_and_video_by_their_streams() -> None:
    """Brands, codecs, covers, and the number of audio tracks."""
    clip, audio_bytes = Stream(kind="video", codec="h264"), Stream(kind="audio", codec="aac")
    cover = Stream.counted(kind="video", codec="mjpeg", parts=1)
    for brand, streams, expected in (
        ("isom", [clip, audio_bytes], ("video/mp4", "")),
        ("isom", [audio_bytes, cover], ("audio/mp4", "")),
        ("isom", [clip, audio_bytes, audio_bytes], ("video/mp4", "2 audio tracks")),
        ("3gp6", [clip], ("video/3gpp", "")),
        ("3g2a", [clip], ("video/3gpp2", "")),
        ("qt  ", [clip, audio_bytes], ("video/quicktime", "")),
        ("", [clip, audio_bytes], ("video/quicktime", "")),
        ("heic", [clip], ("image/heif", "")),
    ):
        found = opinion_of("mov,mp4,m4a", brand, streams)
        assert (*found.types, found.outside) == expected
    assert opinion_of("ogg", "", [Stream(kind="audio", codec="vorbis")]).outside == "vorbis in audio/ogg"
    assert opinion_of("mp3", "", [cover]) == closed("mp3 with nothing to play.")


def answered(output: object, *, code: int = 0, errors: str = "") -> Answer:
    """What a program wrote."""
    return Answer(code=code, output=output if isinstance(output, str) else json.dumps(output), errors=errors)


FFPROBE = {
    "format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "tags": {"major_brand": "isom"}},
    "streams": [
        {"codec_type": "video", "codec_name": "h264", "nb_read_packets": "7"},
        {"codec_type": "audio", "codec_name": "aac", "nb_read_packets": "23"},
        {"codec_type": "data", "nb_read_packets": "1"},
    ],
}
HOLLOW = {**FFPROBE, "streams": [{"codec_type": "video", "codec_name": "h264"}]}
MEDIAINFO = {
    "media": {
        "track": [
            {"@type": "General", "Format": "MPEG-4", "CodecID": "3gp4"},
            {"@type": "Video", "Format": "AVC", "FrameCount": "7"},
            {"@type": "Audio", "Format": "AMR"},
        ]
    }
}


@pytest.mark.parametrize(
    ("found", "types", "outside", "flaws"),
    [
        (programs.of_ffprobe(answered(FFPROBE)), {"video/mp4"}, "", ""),
        (programs.of_ffprobe(answered(FFPROBE, errors="partial file")), {"video/mp4"}, "", "partial file"),
        (programs.of_ffprobe(answered(HOLLOW)), set(), "", ""),
        (programs.of_ffprobe(answered("{}", code=1, errors="Invalid data")), set(), "", ""),
        (programs.of_mediainfo(answered(MEDIAINFO)), {"video/3gpp"}, "amr_nb in video/3gpp", ""),
        (programs.of_pdfinfo(answered("Pages:  2\nEncrypted:  no\n")), {"application/pdf"}, "", ""),
        (programs.of_pdfinfo(answered("Encrypted: yes (AES)\n")), {"application/pdf"}, "encrypted", ""),
        (
            programs.of_pdfinfo(answered("", code=1, errors="Command Line Error: Incorrect password")),
            {"application/pdf"},
            "encrypted",
            "Command Line Error: Incorrect password",
        ),
        (programs.of_pdfinfo(answered("", code=1, errors="Couldn't find trailer")), set(), "", ""),
        (programs.of_file(answered("text/csv; charset=utf-8")), {"text/plain"}, "", ""),
        (programs.of_file(answered("text/plain; charset=unknown-8bit")), {"text/plain"}, "", "unknown-8bit"),
        (programs.of_file(answered("text/html; charset=utf-8")), {"text/html"}, "", ""),
        (
            programs.of_file(answered("image/gif; charset=us-ascii")),
            {"image/gif", "text/plain"},
            "",
            "opens like image/gif",
        ),
        (
            programs.of_file(answered("application/encrypted; charset=binary")),
            names.OLE | names.OOXML,
            "encrypted",
            "",
        ),
        (programs.of_file(answered("audio/x-m4a; charset=binary")), {"audio/mp4", "video/mp4"}, "", ""),
        (programs.of_exiftool(answered([{"MIMEType": "image/apng"}])), {"image/png"}, "", ""),
    ],
)
def test_what_programs_mean(found: Opinion | None, types: AbstractSet[str], outside: str, flaws: str) -> None:
    """Read from what they write, whether they are installed or not."""
    assert found is not None
    assert (set(found.types), found.outside, found.flaws) == (set(types), outside, flaws)


@pytest.mark.parametrize(
    "found",
    [
        programs.of_file(answered("application/octet-stream; charset=binary")),
        programs.of_file(answered("cannot open", code=1)),
        programs.of_exiftool(answered([{"Error": "Unknown file type"}])),
        programs.of_exiftool(answered([{"MIMEType": "text/plain"}])),
        programs.of_exiftool(answered("")),
        programs.of_mediainfo(answered({"media": None})),
        programs.of_mediainfo(answered({"media": {"track": [{"@type": "General", "Format": "PDF"}]}})),
    ],
)
def test_programs_that_do_not_know(found: Opinion | None) -> None:
    """That is no opinion."""
    assert found is None


def present() -> Iterator[Reader]:
    """Programs that are installed."""
    with Companions() as companions:
        yield from (each for each in all_readers(companions) if each.package and each.is_there)


@pytest.mark.parametrize("program", tuple(present()), ids=lambda each: each.name)
def test_installed_programs_know_their_kind(program: Reader, corpus: Path) -> None:
    """Whatever version of it there is: a good file of a type that it knows is one of that type."""
    files = {"video/mp4": "video.mp4", "application/pdf": "offer.pdf", "text/plain": "letter.txt"}
    known = [kind for kind in files if kind in program.names]
    assert known
    for kind in known:
        found = program.ask(corpus / "below" / files[kind], 60.0)
        assert found is not None
        assert kind in found.types
        assert not found.outside


def test_each_type_of_the_page_has_a_reader() -> None:
    """With all of them installed, nothing is accepted unseen."""
    with Companions() as companions:
        opened = frozenset[str]().union(*(each.opens for each in all_readers(companions)))
    assert opened == names.AUDIO | names.VIDEO | names.IMAGES | names.OLE | names.OOXML | {
        "text/plain",
        "application/pdf",
    }
    assert how_to_install([]) == ""
    assert shutil.which("make")
