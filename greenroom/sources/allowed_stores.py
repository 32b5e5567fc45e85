"""Stores: which buckets, containers and SFTP servers the operator lets be read, and below which folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from greenroom.is_url import is_store
from greenroom.sources.address import NotAnAddress
from greenroom.sources.store_address import StoreAddress, parse_key, parse_place

_USER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class AllowedStore:
    """One entry of GREENROOM_SOURCE_STORES.

    Attributes:
        scheme: ``s3``, ``gs``, ``az`` or ``sftp``.
        place: the bucket or container; of SFTP, host and port.
        folder: below which files may be named, without a slash at its ends; empty for all of it. A single
            file may be named, too.
        endpoint: address of the store's API, where it is not its makers' own.
        user: of SFTP, as whom files are read; empty for what ``~/.ssh/config`` says.
    """

    scheme: str
    place: str
    folder: str = ""
    endpoint: str = ""
    user: str = ""

    def matches(self, address: StoreAddress) -> bool:
        """Whether a file is of this entry."""
        return (self.scheme, self.place) == (address.scheme, address.place) and (
            not self.folder or address.key == self.folder or address.key.startswith(self.folder + "/")
        )

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        folder = f"{self.folder}/" if self.folder else ""
        return f"{self.scheme}://{user}{self.place}/{folder}" + (f"={self.endpoint}" if self.endpoint else "")


def parse_stores(text: str | Sequence[AllowedStore]) -> tuple[AllowedStore, ...]:
    """The stores of a setting, separated by commas.

    Raises:
        ValueError: the text says how to write it.
    """
    if not isinstance(text, str):
        return tuple(text)
    return tuple(_parse(entry.strip()) for entry in text.split(",") if entry.strip())


def store_of(stores: Iterable[AllowedStore], address: StoreAddress) -> AllowedStore | None:
    """The first entry that a file is of."""
    return next((store for store in stores if store.matches(address)), None)


def _parse(entry: str) -> AllowedStore:
    try:
        return _parsed(entry)
    except NotAnAddress as error:
        problem = f" (it {error})"
    except ValueError as error:
        problem = f" ({error})" if str(error) else ""
    # Not the entry itself: a password may have been written into it.
    shown = entry.partition("://")[0] if {"@", "?"} & set(entry) else repr(entry)
    raise ValueError(
        f"has {shown}, which is no store. Write stores separated by commas, like s3://bucket/campaigns/, "
        "gs://bucket/, az://container/, sftp://user@example.com/outgoing/, or "
        f"s3://bucket/=https://example.com:9000 for a store of your own that speaks S3{problem}"
    )


def _parsed(entry: str) -> AllowedStore:
    address, _, endpoint = entry.partition("=")
    if not is_store(address):
        raise ValueError
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    place, _, folder = rest.partition("/")
    user = ""
    if scheme == "sftp":
        user, at, place = place.rpartition("@")
        if at and not _USER.fullmatch(user):
            raise ValueError("its user is none, or has a password, which is never written here")
        if endpoint:
            raise ValueError("an SFTP server is reached by its own name")
    folder = folder.strip("/")
    return AllowedStore(
        scheme=scheme,
        place=parse_place(scheme, place),
        folder=parse_key(folder) if folder else "",
        endpoint=_endpoint(endpoint) if endpoint else "",
        user=user,
    )


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    try:
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("its endpoint is no plain http(s) address")
    return text.rstrip("/")
