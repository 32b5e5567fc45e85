"""Fetching a file from a store that the operator allows; how it is read: :mod:`greenroom.stores`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from greenroom.errors import (
    FileRejected,
    GreenroomError,
    OutOfResources,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLoginRefused,
)
from greenroom.reasons import Reason
from greenroom.rules import LARGEST_FILE, MIB
from greenroom.sources.address import NotAnAddress
from greenroom.sources.allowed_stores import AllowedStore, store_of
from greenroom.sources.display import shown
from greenroom.sources.store_address import StoreAddress, parse_store_address
from greenroom.stores.orders import STORE_LIBRARIES, StoreAnswer, StoreEnd, StoreOrder
from greenroom.stores.process import StoreProcess, StoreProcessFailed

#: A file that takes longer altogether is given up for now: it would keep a worker from everything else.
STORE_SECONDS = 600.0
#: The same of asking whether a store can be read at all.
TROUBLE_SECONDS: Final = 20.0
#: A name that no file has.
_NOT_THERE: Final = "greenroom-doctor-asks-for-this"
_NO_PLACE: Final = frozenset(("ContainerNotFound", "NoSuchBucket"))
_TROUBLES: Final = frozenset((StoreEnd.AWAY, StoreEnd.LOGIN, StoreEnd.NO_LIBRARY, StoreEnd.NO_ROOM))
#: What to set where a store does not let us in.
_CREDENTIALS: Final = {
    "az": "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or "
    "AZURE_STORAGE_SAS_TOKEN, or the identity of this machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or the service account of this machine",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine",
    "sftp": "a key in ~/.ssh, and the server's host key in ~/.ssh/known_hosts",
}


class Stores:
    """Reads files of the stores that it is given."""

    def __init__(self, allowed: Sequence[AllowedStore], *, process: StoreProcess | None = None) -> None:
        """Prepare; nothing is started yet.

        Args:
            allowed: which may be read.
            process: what reads them.
        """
        self._allowed = tuple(allowed)
        self._process = process or StoreProcess()

    def refusal(self, source: str) -> SourceRefused | None:
        """Why a file is never asked for."""
        try:
            address = parse_store_address(source)
        except NotAnAddress as error:
            return SourceRefused(
                f"{shown(source)} can be no address: it {error}.", reason=Reason.NOT_AN_ADDRESS
            )
        if store_of(self._allowed, address):
            return None
        stores = "has no such place" if self._allowed else "is not set, so that no store is allowed"
        return SourceRefused(f"{address.shown} may not be read: GREENROOM_SOURCE_STORES {stores}.")

    def fetch(self, source: str, into: Path, *, known: str = "") -> str | None:
        """Write what a file holds into another one.

        Args:
            source: its address.
            into: a file that is there, and empty.
            known: the version that need not be read again.

        Returns:
            Its version; None where that is the known one, and nothing was written.

        Raises:
            SourceRefused: it may not be asked for.
            SourceMissing: the store says that there is no such file.
            SourceUnreadable: the worker's credentials are not for this file.
            StoreLoginRefused: the store does not know the worker, or the worker not the store.
            SourceUnavailable: it cannot be had just now.
            OutOfResources: this machine has no room.
            FileRejected: it is larger than WhatsApp ever takes.
        """
        if refused := self.refusal(source):
            raise refused
        address = parse_store_address(source)
        try:
            answer = self._process.ask(self._order(address, into, known))
        except StoreProcessFailed as error:
            raise SourceUnavailable(f"{address.shown} could not be read: {error}") from None
        match answer.end:
            case StoreEnd.UNCHANGED:
                return None
            case StoreEnd.READ:
                # Its size was the store's own word until here.
                _require_size(os.stat(into).st_size)  # noqa: PTH116 - may be a handle's path
                return answer.version
        raise _error_of(address, answer)

    def trouble(self, store: AllowedStore) -> str:
        """Why files of an allowed store could not be read, as far as asking for one that is not there tells.

        A store that may not be listed says of such a file that it is forbidden: that is none.
        """
        key = "/".join(filter(None, (store.folder, _NOT_THERE)))
        address = StoreAddress(scheme=store.scheme, place=store.place, key=key)
        try:
            answer = self._process.ask(self._order(address, Path(os.devnull), "", seconds=TROUBLE_SECONDS))
        except StoreProcessFailed as error:
            return f"{store} could not be asked: {error}"
        if answer.end is StoreEnd.MISSING and answer.code in _NO_PLACE:
            return f"{store} is not there."
        return str(_error_of(address, answer)) if answer.end in _TROUBLES else ""

    def close(self) -> None:
        """End what reads them."""
        self._process.close()

    def _order(
        self, address: StoreAddress, into: Path, known: str, *, seconds: float | None = None
    ) -> StoreOrder:
        store = store_of(self._allowed, address)
        if store is None:
            raise AssertionError("what is not allowed was refused before")
        return StoreOrder(
            scheme=address.scheme,
            place=address.place,
            key=address.key,
            endpoint=store.endpoint,
            user=store.user,
            into=str(into),
            known=known,
            most=LARGEST_FILE,
            seconds=STORE_SECONDS if seconds is None else seconds,
        )


def _require_size(size: int) -> None:
    if size > LARGEST_FILE:
        raise _too_large()


def _too_large() -> FileRejected:
    return FileRejected(
        Reason.TOO_LARGE,
        f"The file is larger than {LARGEST_FILE // MIB} MB, the most that WhatsApp takes of any file.",
    )


#: What an order's end is to whoever wanted the file, but for those that say something of their own.
_ERRORS: Final[dict[StoreEnd, tuple[type[GreenroomError], str]]] = {
    StoreEnd.MISSING: (SourceMissing, "There is no file at {name}{code}."),
    StoreEnd.FOLDER: (SourceMissing, "{name} is a folder, not a file."),
    StoreEnd.FORBIDDEN: (
        SourceUnreadable,
        "The workers' credentials do not allow them to read {name}, or it is not there{code}.",
    ),
    StoreEnd.LOGIN: (
        StoreLoginRefused,
        "Workers cannot log in where {name} lies{code}. Set, where they run: {credentials}.",
    ),
    StoreEnd.NO_LIBRARY: (
        StoreLoginRefused,
        "{name} needs {library}, which workers do not have. Run: pip install 'greenroom[{scheme}]'",
    ),
    StoreEnd.NO_ROOM: (
        OutOfResources,
        "This machine has no more room for what comes from stores; it has nothing to do with the file.",
    ),
    StoreEnd.CHANGED: (SourceUnavailable, "{name} was replaced while it was read."),
    StoreEnd.AWAY: (SourceUnavailable, "{name} could not be read{code}."),
}


def _error_of(address: StoreAddress, answer: StoreAnswer) -> GreenroomError:
    if answer.end is StoreEnd.TOO_LARGE:
        return _too_large()
    error, sentence = _ERRORS[answer.end]
    return error(
        sentence.format(
            name=address.shown,
            code=f" ({answer.code})" if answer.code else "",
            scheme=address.scheme,
            library=STORE_LIBRARIES[address.scheme],
            credentials=_CREDENTIALS[address.scheme],
        )
    )
