"""360dialog's media API: upload, look up, download, delete."""

from greenroom.provider.client import ProviderClient
from greenroom.provider.lines import Line
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent

__all__ = ["Downloaded", "Line", "MediaLocation", "ProviderClient", "UploadContent"]
