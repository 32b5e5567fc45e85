"""360dialog's media API: upload, look up, download, delete.

The client is loaded when it is first asked for: whoever only looks at failures or connections needs less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenroom.extras import needs
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent

if TYPE_CHECKING:
    from greenroom.provider.client import ProviderClient

__all__ = ["Downloaded", "MediaLocation", "ProviderClient", "UploadContent"]


def __getattr__(name: str) -> Any:
    """`ProviderClient`, for whoever talks to the provider."""
    if name == "ProviderClient":
        with needs("app", "Talking to the provider"):
            from greenroom.provider.client import ProviderClient  # noqa: PLC0415 - see above

        return ProviderClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
