"""The process that reads stores: orders on its standard input, answers on its standard output.

It alone imports the libraries of stores, which are large; it may have so much memory and no more; and whoever
started it can end it, whatever a store does. It ends with its standard input.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Final

from greenroom.stores.error_ends import FileExpired, NoRoom, answer_of, is_worth_another_try
from greenroom.stores.filesystems import PIECE, filesystem_of, is_settled, path_of, version_of
from greenroom.stores.orders import READ_AT_ONCE, StoreAnswer, StoreEnd, StoreOrder

#: Bytes of its own that it may have (``RLIMIT_DATA``); with its libraries it takes a third of that.
MEMORY: Final = 768 * 1024 * 1024
#: Stores that are asked for each piece of one version alone.
_WITH_CONDITIONS: Final = frozenset(("az", "s3"))
#: Seconds before each further try at a piece.
_PAUSES: Final = (0.5, 1.5)


class StoreReader:
    """Reads files out of stores, each file system made once."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._lock = threading.Lock()
        self._stores: dict[tuple[str, ...], Any] = {}

    def answer(self, order: StoreOrder) -> StoreAnswer:
        """Read what an order asks for; whatever goes wrong is an answer, too."""
        try:
            return self._read(order)
        except Exception as error:  # noqa: BLE001 - told by its type, and never by its text
            return answer_of(error)

    def _read(self, order: StoreOrder) -> StoreAnswer:
        give_up_at = time.monotonic() + order.seconds
        asked_at = time.time()
        info = self._info(order, give_up_at)
        if info["type"] != "file":
            return StoreAnswer(end=StoreEnd.FOLDER)
        version = version_of(order, info)
        if version and version == order.known:
            return StoreAnswer(end=StoreEnd.UNCHANGED, version=version)
        if info["size"] > order.most:
            return StoreAnswer(end=StoreEnd.TOO_LARGE)
        with open(order.into, "r+b", buffering=0) as into:  # noqa: PTH123 - may be a handle's path
            self._copy(order, info["size"], version, into, give_up_at)
        # The others were told at each piece which version is meant.
        if order.scheme not in _WITH_CONDITIONS:
            after = self._info(order, give_up_at)
            if (version_of(order, after), after["size"]) != (version, info["size"]):
                return StoreAnswer(end=StoreEnd.CHANGED)
        # A version that may soon be another content's, too, is none to be known by.
        settled = is_settled(order, info, now=asked_at)
        return StoreAnswer(end=StoreEnd.READ, version=version if settled else "")

    def _info(self, order: StoreOrder, give_up_at: float) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._tried(order, give_up_at, lambda store: store.info(path_of(order)))
        except PermissionError:
            # S3's answer to HEAD has no body and so no code, which says what is wrong with the credentials.
            self._store(order).cat_file(path_of(order), start=0, end=1)
            raise
        return found

    def _copy(self, order: StoreOrder, size: int, version: str, into: IO[bytes], give_up_at: float) -> None:
        at = 0
        while at < size:
            piece = self._tried(order, give_up_at, lambda store: _piece(store, order, version, at, size))  # noqa: B023 - called at once
            _write(into, piece)
            at += len(piece)

    def _tried(self, order: StoreOrder, give_up_at: float, ask: Callable[[Any], Any]) -> Any:
        """What a store says, asked anew while it may only be the moment's fault."""
        for pause in (*_PAUSES, None):
            store = self._store(order)
            try:
                return ask(store)
            except Exception as error:
                if pause is None or not is_worth_another_try(error) or time.monotonic() + pause > give_up_at:
                    raise
                self._forget(order, store)
            self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _store(self, order: StoreOrder) -> Any:
        name = _name_of_store(order)
        with self._lock:
            if name not in self._stores:
                self._stores[name] = filesystem_of(order)
            return self._stores[name]

    def _forget(self, order: StoreOrder, store: Any) -> None:
        """Make a connection that broke anew; those of HTTP are the library's own affair."""
        name = _name_of_store(order)
        with self._lock:
            if order.scheme == "sftp" and self._stores.get(name) is store:
                del self._stores[name]


def _name_of_store(order: StoreOrder) -> tuple[str, ...]:
    host = order.place if order.scheme == "sftp" else ""
    return order.scheme, order.endpoint, host, order.user


def _piece(store: Any, order: StoreOrder, version: str, at: int, size: int) -> bytes:
    """Bytes of a file from a place on; of S3 and Azure, with ``If-Match`` what it was when it was opened.

    Raises:
        OSError: it is another one by now, or there is less of it than was said.
    """
    wanted = min(PIECE, size - at)
    if order.scheme == "az":
        piece: bytes = store.piece(path_of(order), version, at, wanted)
    else:
        piece = _piece_of_file(store, order, version, at, wanted)
    if len(piece) != wanted:
        raise OSError(errno.EIO, "less, or more, than was said")
    return piece


def _piece_of_file(store: Any, order: StoreOrder, version: str, at: int, wanted: int) -> bytes:
    pieces = {} if order.scheme == "sftp" else {"block_size": PIECE, "cache_type": "none"}
    with store.open(path_of(order), "rb", **pieces) as file:
        if order.scheme == "s3" and file.details.get("ETag") != version:
            raise OSError(errno.ESTALE, "replaced") from FileExpired()
        file.seek(at)
        piece: bytes = file.read(wanted)
    return piece


def _write(into: IO[bytes], piece: bytes) -> None:
    try:
        left = memoryview(piece)
        while left:
            left = left[into.write(left) :]
    except OSError:
        raise NoRoom from None


def main() -> None:
    """Answer orders until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    # Whatever a library prints is no answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    reader, writing = StoreReader(), threading.Lock()

    def work(number: int, order: StoreOrder) -> None:
        answer = reader.answer(order)
        if answer.code == MemoryError.__name__:
            # Whoever else was about to get some may hang for want of it: a new process has all of it again.
            os._exit(1)
        with writing:
            answers.write(answer.to_line(number))

    threads = ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="store")
    try:
        for line in sys.stdin.buffer:
            threads.submit(work, *StoreOrder.from_line(line))
    finally:
        # Nobody waits for what is still being read, nor for a thread that hangs.
        os._exit(0)
