"""360dialog's media API: upload, look up, download, delete."""

from greenroom.extras import needs
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent

with needs("app", "Talking to the provider"):
    from greenroom.provider.client import ProviderClient

__all__ = ["Downloaded", "MediaLocation", "ProviderClient", "UploadContent"]
