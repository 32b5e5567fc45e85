"""Sources: where a campaign's files come from (paths, addresses, stores), and which may be opened.

What opens them is loaded when it is first asked for: settings, beat and Flower look at addresses alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenroom.extras import needs
from greenroom.is_url import is_remote, is_store, is_url

with needs("app", "Opening sources"):
    from greenroom.sources.display import shown, source_name, unsigned, without_secrets

if TYPE_CHECKING:
    from greenroom.sources.opening import Sources

__all__ = [
    "Sources",
    "is_remote",
    "is_store",
    "is_url",
    "shown",
    "source_name",
    "unsigned",
    "without_secrets",
]


def __getattr__(name: str) -> Any:
    """`Sources`, for whoever opens some."""
    if name == "Sources":
        with needs("app", "Opening sources"):
            from greenroom.sources.opening import Sources  # noqa: PLC0415 - see above

        return Sources
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
