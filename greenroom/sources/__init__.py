"""Sources: where a campaign's files come from, a path or an http(s) address, and which may be opened."""

from greenroom.sources.address import is_url
from greenroom.sources.display import shown, source_name, unsigned, without_secrets
from greenroom.sources.opening import Sources

__all__ = ["Sources", "is_url", "shown", "source_name", "unsigned", "without_secrets"]
