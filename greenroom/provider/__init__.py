"""360dialog's media API: upload, look up, download, delete."""

from greenroom.provider.client import ProviderClient
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent

__all__ = ["Downloaded", "MediaLocation", "ProviderClient", "UploadContent"]
