"""Real files for the tasks to work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MakeImage = Callable[..., Path]


@pytest.fixture
def make_image(tmp_path: Path) -> MakeImage:
    """Make a small JPEG, of another content for each shade."""

    def make(name: str = "hero.jpg", shade: int = 0) -> Path:
        path = tmp_path / name
        Image.new("RGB", (32, 32), "teal").save(path, "JPEG", comment=f"shade {shade}".encode())
        return path

    return make
