"""Puts some files beside the packages in the wheel, which Hatch can do with folders alone by itself.

An editable install finds them in the checkout. See ``docs/decisions/0035-the-command-in-the-wheel.md``.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Alembic's own settings, Flower's, and what `greenroom init` writes.
FILES = ("alembic.ini", "flowerconfig.py", ".env.example")


class WithFiles(BuildHookInterface[Any]):
    """Adds them to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is written; the version is "editable" or "standard"."""
        if version != "editable":
            build_data["force_include"].update({name: f"greenroom/_app/{name}" for name in FILES})
