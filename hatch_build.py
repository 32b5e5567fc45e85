"""Builds the wheel without the command: that belongs to `cli`, a package of the checkout.

An editable install has both. See ``docs/decisions/0003-locks-and-the-environment.md``.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WithoutCommand(BuildHookInterface[Any]):
    """Takes away what the wheel could not run."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - Hatch gives it
        """Before anything is written; the version is "editable" or "standard"."""
        if version != "editable":
            self.metadata.core.scripts.clear()
