"""Puts `alembic.ini` beside `migrations` in the wheel, which Hatch can do with folders alone by itself.

An editable install finds it in the checkout. See ``docs/decisions/0035-the-command-in-the-wheel.md``.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WithAlembic(BuildHookInterface[Any]):
    """Adds one file to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is written; the version is "editable" or "standard"."""
        if version != "editable":
            build_data["force_include"]["alembic.ini"] = "greenroom/_app/alembic.ini"
