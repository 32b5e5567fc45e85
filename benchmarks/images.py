"""Many small images of different content, cheaply: one image, and a comment in it that counts."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

SIDE = 64


def image_bytes() -> bytes:
    """A small JPEG."""
    body = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "teal").save(body, "JPEG")
    return body.getvalue()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The image with a comment segment behind its first marker: other bytes, the same image."""
    said = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + jpeg[2:]


def write_images(folder: Path, name: str, count: int) -> list[Path]:
    """So many of them, unlike all that have other names."""
    folder.mkdir(parents=True, exist_ok=True)
    body = image_bytes()
    paths = [folder / f"{name}-{number}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(with_comment(body, path.stem))
    return paths
