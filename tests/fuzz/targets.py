"""The targets by name; each stands in a module of its own, which loads only what it needs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from tests.fuzz.target import Target

#: Module and class of each.
TARGETS: Final = {
    "files": "Files",
    "manifests": "Manifests",
    "messages": "Messages",
    "answers": "Answers",
    "addresses": "Addresses",
    "http_requests": "Requests",
}
#: One that is dealt with wrongly, on purpose.
PLANTED: Final = "planted"


def load_target(name: str, seeds: Path) -> Target:
    """A target, which begins with the files of a folder."""
    kind: type[Target] = getattr(import_module(f"tests.fuzz.{name}"), TARGETS.get(name, "Planted"))
    return kind(seeds)
