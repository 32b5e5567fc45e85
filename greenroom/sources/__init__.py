"""Sources: where a campaign's files come from (paths, addresses, stores), and which may be opened."""

from greenroom.extras import needs
from greenroom.is_url import is_remote, is_store, is_url

with needs("app", "Opening sources"):
    from greenroom.sources.display import shown, source_name, unsigned, without_secrets
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
