"""The process that reads stores, as whoever needs a file sees it: started at need, ended when it is idle."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import Final

from greenroom.child_environment import child_environment
from greenroom.stores.orders import READ_AT_ONCE, StoreAnswer, StoreOrder

_COMMAND: Final = ("-P", "-c", "from greenroom.stores.reader import main; main()")
#: Seconds without an order, after which it is ended: its libraries take a hundred megabytes.
STORE_IDLE_SECONDS: Final = 60.0
#: Seconds more than an order's own, after which the process is ended; it may have to be started first.
_GRACE_SECONDS: Final = 15.0
#: Names of the environment that it is given beside what all such processes need: where credentials of stores
#: are found, and how the network is.
_NAMES: Final = (
    *("SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy"),
)
_PREFIXES: Final = ("AWS_", "GOOGLE_", "CLOUDSDK_", "GCE_", "AZURE_", "IDENTITY_", "MSI_")
#: gcsfs would ask for each bucket's kind over gRPC first, which plain buckets and most accounts do not need.
_CHOSEN: Final = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}


class StoreProcessFailed(Exception):
    """The process could not be started, ended without an answer, or was ended because it took too long."""


class StoreProcess:
    """One process for all threads of ours; several may ask it at the same time."""

    def __init__(
        self, *, idle_seconds: float = STORE_IDLE_SECONDS, grace_seconds: float = _GRACE_SECONDS
    ) -> None:
        """Prepare; it is started by the first order.

        Args:
            idle_seconds: after which it is ended.
            grace_seconds: that an order may take beyond its own.
        """
        self._idle_seconds = idle_seconds
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(READ_AT_ONCE)
        self._running: _Running | None = None
        self._idle: threading.Timer | None = None
        self._busy = 0

    def ask(self, order: StoreOrder) -> StoreAnswer:
        """What comes of an order; waits while others are before it.

        Raises:
            StoreProcessFailed: nothing came of it.
        """
        with self._room:
            running, answer = self._begin(order)
            try:
                return answer.result(order.seconds + self._grace_seconds)
            except TooLate:
                # Whatever hangs there, hangs with all of it. The others' files are read again.
                running.end()
                raise StoreProcessFailed("It took too long.") from None
            finally:
                self._done()

    def close(self) -> None:
        """End it, if it runs."""
        with self._lock:
            self._end()

    def _begin(self, order: StoreOrder) -> tuple[_Running, Future[StoreAnswer]]:
        with self._lock:
            self._stop_timer()
            if self._running is None or self._running.gone:
                self._running = _Running()
            answer = self._running.ask(order)
            self._busy += 1
            return self._running, answer

    def _done(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._stop_timer()
                self._idle = threading.Timer(self._idle_seconds, self._end_if_idle)
                self._idle.daemon = True
                self._idle.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            if not self._busy:
                self._end()

    def _end(self) -> None:
        self._stop_timer()
        if self._running is not None:
            self._running.end()
            self._running = None

    def _stop_timer(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


class _Running:
    """A process that was started, and what it owes."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, *_COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Libraries log addresses and headers there.
                stderr=subprocess.DEVNULL,
                env={**child_environment(_NAMES, _PREFIXES), **_CHOSEN},
                bufsize=0,
                # Out of the terminal's reach: an interrupt is for the command, whose end ends it.
                start_new_session=True,
            )
        except OSError as error:
            raise StoreProcessFailed(f"It cannot be started: {error.strerror}.") from error
        self._lock = threading.Lock()
        self._owed: dict[int, Future[StoreAnswer]] = {}
        self._asked = 0
        self.gone = False
        threading.Thread(target=self._take_answers, name="store-answers", daemon=True).start()

    def ask(self, order: StoreOrder) -> Future[StoreAnswer]:
        """Hand an order over."""
        answer: Future[StoreAnswer] = Future()
        with self._lock:
            self._asked += 1
            number = self._asked
            self._owed[number] = answer
            gone = self.gone
        if not gone and self._process.stdin is not None:
            with suppress(OSError):
                # As long as a pipe's buffer or shorter, so that it never waits.
                self._process.stdin.write(order.to_line(number))
                return answer
        self._fail_all()
        return answer

    def end(self) -> None:
        """End it at once; what it owes fails."""
        with self._lock:
            self.gone = True
        self._process.kill()

    def _take_answers(self) -> None:
        with self._process as process:
            for line in process.stdout or ():
                try:
                    number, answer = StoreAnswer.from_line(line)
                except (ValueError, KeyError, TypeError):
                    break
                with self._lock:
                    owed = self._owed.pop(number, None)
                if owed is not None:
                    owed.set_result(answer)
            self.end()
        self._fail_all()

    def _fail_all(self) -> None:
        with self._lock:
            self.gone = True
            owed, self._owed = self._owed, {}
        for answer in owed.values():
            answer.set_exception(StoreProcessFailed("It ended."))
