"""What every test of mending does: judge, mend, judge again, and see that the original is as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import av
from PIL import Image

from greenroom.inspection import inspect_file
from greenroom.mending import Mended, mend_file
from greenroom.rules import Category


class Bench:
    """A folder with originals and a folder with mended files.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.originals, self.into = root / "originals", root / "mended"
        self.originals.mkdir()
        self.into.mkdir()

    def put(self, name: str, data: bytes) -> Path:
        """An original."""
        path = self.originals / name
        path.write_bytes(data)
        return path

    def try_mend(self, name: str, data: bytes, *, kind: Category | None = None) -> Mended | None:
        """Mend, and check all that must be true of any mending."""
        path = self.put(name, data)
        before = inspect_file(path, kind=kind)
        try:
            mended = mend_file(path, before, self.into, kind=kind)
        finally:
            assert path.read_bytes() == data, "the original was touched"
            assert not list(self.into.glob(".*")), "something was left behind"
        if mended is not None:
            content = mended.path.read_bytes()
            again = inspect_file(mended.path, kind=kind)
            assert again == mended.verdict
            assert again.accepted
            assert not any(notice.code == "name_disagrees" for notice in again.notices)
            assert mended.sha256 == again.sha256 == hashlib.sha256(content).hexdigest()
            assert mended.original_sha256 == hashlib.sha256(data).hexdigest()
            assert mended.steps
            assert all(step[0].isupper() and step.endswith(".") for step in mended.steps)
        return mended

    def mend(self, name: str, data: bytes, *, kind: Category | None = None) -> Mended:
        """Mend a file that needs it."""
        mended = self.try_mend(name, data, kind=kind)
        assert mended is not None
        return mended


def said(mended: Mended) -> str:
    """All steps as one text."""
    return " ".join(mended.steps)


def picture(path: Path) -> Image.Image:
    """The pixels, decoded in full."""
    with Image.open(path) as image:
        image.load()
        return image.copy()


def far(first: Image.Image, second: Image.Image) -> float:
    """How far two pictures are from one another: 0 to 255, on the mean."""
    assert first.size == second.size
    pairs = zip(first.convert("RGB").tobytes(), second.convert("RGB").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (first.width * first.height * 3)


def film(path: Path) -> dict[str, Any]:
    """What PyAV decodes of a sound or video file."""
    found: dict[str, Any] = {"codecs": [], "pictures": [], "times": [], "samples": 0, "channels": 0}
    with av.open(str(path)) as container:
        for stream in container.streams:
            found["codecs"].append(stream.codec_context.codec.canonical_name)
        for frame in container.decode(*container.streams.get(video=0 if container.streams.video else ())):
            if isinstance(frame, av.VideoFrame):
                found["pictures"].append(frame.to_image())  # type: ignore[no-untyped-call] # PyAV leaves it bare
                found["times"].append(frame.time)
    with av.open(str(path)) as container:
        if container.streams.audio:
            for sound in container.decode(audio=0):
                found["samples"] += sound.samples
                found["rate"], found["channels"] = sound.sample_rate, sound.layout.nb_channels
    return found
