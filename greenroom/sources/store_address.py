"""Addresses in stores: taken apart once, so that the key that is checked is the key that is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from greenroom.sources.address import NotAnAddress, parse_host

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
#: https://cloud.google.com/storage/docs/buckets#naming and
#: https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata;
#: no ARN and no name that a library reads otherwise.
_BUCKETS: Final = {
    "az": re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "gs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
}
_SFTP_PORT: Final = 22
_MOST_PORTS: Final = 65_535
#: Of a key, in UTF-8: what S3, Google Cloud Storage and Azure keep.
LONGEST_KEY: Final = 1024
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: What some library reads as something else than a part of the key: a query, a version, another separator.
_ODD: Final = re.compile(r"[?#\\]")


@dataclass(frozen=True, kw_only=True)
class StoreAddress:
    """Where a file is in a store.

    Attributes:
        scheme: ``s3``, ``gs``, ``az`` or ``sftp``.
        place: the bucket or container; of SFTP host and port, the port always there, IPv6 in brackets.
        key: the file's, below that, as it is kept: nothing is unquoted.
    """

    scheme: str
    place: str
    key: str

    @property
    def shown(self) -> str:
        """As it may be shown; it has nothing secret."""
        place = self.place.removesuffix(f":{_SFTP_PORT}") if self.scheme == "sftp" else self.place
        return f"{self.scheme}://{place}/{self.key}"


def parse_store_address(source: str) -> StoreAddress:
    """Take an address apart.

    Raises:
        NotAnAddress: it is none, could be read in two ways, or holds a user or a query.
    """
    scheme, _, rest = source.partition("://")
    scheme = scheme.lower()
    place, _, key = rest.partition("/")
    return StoreAddress(scheme=scheme, place=parse_place(scheme, place), key=parse_key(key))


def parse_place(scheme: str, place: str) -> str:
    """A bucket or container, or host and port, in one spelling.

    Raises:
        NotAnAddress: it is none.
    """
    if "@" in place:
        raise NotAnAddress("holds a user; who reads it is set where workers run, and never in a source")
    if scheme == "sftp":
        return _host_and_port(place)
    if not _BUCKETS[scheme].fullmatch(place) or ".." in place:
        raise NotAnAddress("has a bucket or container that cannot be")
    return place


def parse_key(key: str) -> str:
    """A key, if it can be read in one way alone.

    Raises:
        NotAnAddress: it cannot.
    """
    if _CONTROL.search(key):
        raise NotAnAddress("holds a control character")
    if _ODD.search(key):
        raise NotAnAddress("holds ?, # or \\, which no file in a store may have in its name here")
    if not key or key.endswith("/"):
        raise NotAnAddress("names no file")
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise NotAnAddress("has an empty part, . or .. in its path")
    try:
        if len(key.encode()) <= LONGEST_KEY:
            return key
    except UnicodeError:
        raise NotAnAddress("holds a character that cannot be") from None
    raise NotAnAddress(f"has a path of more than {LONGEST_KEY:,} bytes")


def _host_and_port(place: str) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?", place)
    if found is None or not 1 <= int(found[2] or _SFTP_PORT) <= _MOST_PORTS:
        raise NotAnAddress("has a host or a port that cannot be")
    host = parse_host(found[1])
    return f"{f'[{host}]' if ':' in host else host}:{int(found[2] or _SFTP_PORT)}"
