"""What every test of fixing does: judge, fix, judge again, and see that the original is as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import av
from PIL import Image

from greenroom.conversion import FixedFile, fix_file
from greenroom.inspection import inspect_file
from greenroom.rules import Category


class Bench:
    """A folder with originals and a folder with fixed files.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.originals, self.into = root / "originals", root / "fixed"
        self.originals.mkdir()
        self.into.mkdir()

    def put(self, name: str, data: bytes) -> Path:
        """An original."""
        path = self.originals / name
        path.write_bytes(data)
        return path

    def try_fix(self, name: str, data: bytes, *, kind: Category | None = None) -> FixedFile | None:
        """Fix, and check all that must be true of any fixing."""
        path = self.put(name, data)
        before = inspect_file(path, kind=kind)
        try:
            fixed = fix_file(path, before, self.into, kind=kind)
        finally:
            assert path.read_bytes() == data, "the original was touched"
            assert not list(self.into.glob(".*")), "something was left behind"
        if fixed is not None:
            content = fixed.path.read_bytes()
            again = inspect_file(fixed.path, kind=kind)
            assert again == fixed.verdict
            assert again.accepted
            assert not any(notice.code == "name_disagrees" for notice in again.notices)
            assert fixed.sha256 == again.sha256 == hashlib.sha256(content).hexdigest()
            assert fixed.original_sha256 == hashlib.sha256(data).hexdigest()
            assert fixed.steps
            assert all(step[0].isupper() and step.endswith(".") for step in fixed.steps)
        return fixed

    def fix(self, name: str, data: bytes, *, kind: Category | None = None) -> FixedFile:
        """Fix a file that needs it."""
        fixed = self.try_fix(name, data, kind=kind)
        assert fixed is not None
        return fixed


def said(fixed: FixedFile) -> str:
    """All steps as one text."""
    return " ".join(fixed.steps)


def image_of(path: Path) -> Image.Image:
    """The pixels, decoded in full."""
    with Image.open(path) as image:
        image.load()
        return image.copy()


def far(first: Image.Image, second: Image.Image) -> float:
    """How far two frames are from one another: 0 to 255, on the mean."""
    assert first.size == second.size
    pairs = zip(first.convert("RGB").tobytes(), second.convert("RGB").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (first.width * first.height * 3)


def probe(path: Path) -> dict[str, Any]:
    """What PyAV decodes of an audio or video file."""
    found: dict[str, Any] = {"codecs": [], "frames": [], "times": [], "samples": 0, "channels": 0}
    with av.open(str(path)) as container:
        for stream in container.streams:
            found["codecs"].append(stream.codec_context.codec.canonical_name)
        for frame in container.decode(*container.streams.get(video=0 if container.streams.video else ())):
            if isinstance(frame, av.VideoFrame):
                found["frames"].append(frame.to_image())  # type: ignore[no-untyped-call] # PyAV leaves it bare
                found["times"].append(frame.time)
    with av.open(str(path)) as container:
        if container.streams.audio:
            for audio in container.decode(audio=0):
                found["samples"] += audio.samples
                found["rate"], found["channels"] = audio.sample_rate, audio.layout.nb_channels
    return found
