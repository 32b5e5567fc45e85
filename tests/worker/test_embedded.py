"""The embedded stack's processes: forked from one that has loaded everything, and with nothing else of it."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from redis import Redis

from models import Database
from models.schema import revision_of
from tests.support.command import environment
from worker.checkout import CHECKOUT
from worker.embedded.broker import Broker
from worker.embedded.child import Child, end_process, endings
from worker.embedded.ports import free_port
from worker.embedded.schema_upgrade import newest_revision, prepare_database
from worker.embedded.supervisor_process import SupervisorProcess

#: Seconds that anything here may take on a busy machine.
PATIENCE = 60.0


def in_a_fresh_process(code: str, folder: Path) -> str:
    """What Python prints; one that forks has a single thread, as the supervisor has."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody is asked")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM, errno.EMFILE, errno.ESRCH])
def test_where_no_end_can_be_watched_they_are_looked_for(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """An old kernel, a sandbox or too many open files end no stack."""

    def refused(pid: int) -> int:
        raise OSError(error, f"{pid}")

    monkeypatch.setattr(os, "pidfd_open", refused)
    with endings([os.getpid()]) as found:
        assert found == []
    monkeypatch.undo()
    with endings([os.getpid()]) as found:
        assert len(found) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(found[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child says what it has open")
def test_a_child_has_nothing_of_the_supervisors_but_what_it_has_loaded(tmp_path: Path) -> None:
    """No lock, no pipe, no handler of signals; a session and a log of its own."""
    said = json.loads(
        in_a_fresh_process(
            "import os, signal\n"
            "from pathlib import Path\n"
            "from tests.worker.test_embedded import look_around\n"
            "from worker.embedded.child import Child, end_process\n"
            "signal.signal(signal.SIGTERM, lambda *_: None)\n"
            "lock = open('lock', 'w')\n"
            "child = Child(name='one', run=look_around, arguments=('found',), log=Path('one.log'))\n"
            "child.start()\n"
            "child.process.join()\n"
            "print(Path('found').read_text())\n",
            tmp_path,
        )
    )
    assert said["session"] == said["pid"]
    assert said["terminates"] is True
    assert said["files"] == {"0": os.devnull, "1": str(tmp_path / "one.log"), "2": str(tmp_path / "one.log")}
    assert (tmp_path / "one.log").read_text(encoding="utf-8") == "looking around\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child says what it has open")
def test_a_child_keeps_the_socket_that_it_is_given(tmp_path: Path) -> None:
    """And nothing else: whoever connects before it runs is answered by it."""
    said = in_a_fresh_process(
        "import socket\n"
        "from pathlib import Path\n"
        "from tests.worker.test_embedded import answer_one\n"
        "from worker.embedded.child import Child\n"
        "lock = open('lock', 'w')\n"
        "with socket.create_server(('127.0.0.1', 0)) as door:\n"
        "    with socket.create_connection(door.getsockname()) as caller:\n"
        "        child = Child(name='one', run=answer_one, arguments=(door,), log=Path('one.log'))\n"
        "        child.start()\n"
        "        print(caller.recv(100).decode())\n"
        "        child.process.join()\n",
        tmp_path,
    )
    assert said == "here\n"


def answer_one(door: socket.socket) -> None:
    """In a child: answer whoever has called, if it has nothing else of the supervisor's."""
    theirs = [number for number in range(3, 64) if Path(f"/proc/self/fd/{number}").is_symlink()]
    assert theirs == [door.fileno()]
    connection, _ = door.accept()
    with connection:
        connection.sendall(b"here")


def look_around(found: str) -> None:
    """In a child: write down what it has."""
    sys.stdout.write("looking around\n")
    sys.stdout.flush()
    listed = sorted(Path("/proc/self/fd").glob("*"))
    files = {int(link.name): str(link.readlink()) for link in listed if link.is_symlink()}
    mine = {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "terminates": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "files": files,
    }
    Path(found).write_text(json.dumps(mine), encoding="utf-8")


def test_a_child_that_ends_is_seen_and_ended_for_good(tmp_path: Path) -> None:
    """With all that it had started."""
    said = in_a_fresh_process(
        "import time\n"
        "from pathlib import Path\n"
        "from tests.worker.test_embedded import start_another\n"
        "from worker.embedded.child import Child, end_process\n"
        "child = Child(name='one', run=start_another, arguments=('other',), log=Path('one.log'))\n"
        "child.start()\n"
        "while not Path('other').exists():\n"
        "    time.sleep(0.01)\n"
        "assert not child.dead()\n"
        "end_process([child])\n"
        "assert child.dead()\n"
        "print(Path('other').read_text())\n",
        tmp_path,
    )
    assert (
        psutil.wait_procs([psutil.Process(int(said))] if psutil.pid_exists(int(said)) else [], PATIENCE)[1]
        == []
    )


def start_another(noted: str) -> None:
    """In a child: start a process that would never end, and note its ID once it runs."""
    other = subprocess.Popen(["sleep", "1000"])  # noqa: S607 - as everybody has it
    draft = Path(noted).with_suffix(".new")
    draft.write_text(str(other.pid), encoding="utf-8")
    draft.replace(noted)
    signal.pause()


def test_the_supervisor_loads_without_a_thread_or_a_connection(tmp_path: Path) -> None:
    """Whoever is forked must find neither; and what is loaded later is not shared."""
    said = in_a_fresh_process(
        "import threading, psutil\n"
        "from worker.embedded import programs, supervisor\n"
        "programs.load_all()\n"
        "print(threading.active_count(), len(psutil.Process().net_connections('all')))\n",
        tmp_path,
    )
    assert said.split() == ["1", "0"]


def test_what_the_sandbox_needs_is_loaded_without_tls_which_all_others_keep(tmp_path: Path) -> None:
    """The supervisor loads it, and forks whoever died after that, too."""
    said = in_a_fresh_process(
        "import ssl, sys, threading\n"
        "from worker.embedded import programs, supervisor\n"
        "programs.load_all()\n"
        "programs.load_sandbox()\n"
        "from aiohttp import connector\n"
        "print(threading.active_count(), connector._SSL_CONTEXT_VERIFIED, sys.modules['ssl'] is ssl)\n",
        tmp_path,
    )
    assert said.split() == ["1", "None", "True"]


def test_workers_load_nothing_of_inspection_or_conversion(tmp_path: Path) -> None:
    """The libraries that read strangers' files are loaded where they are read, and nowhere else."""
    said = in_a_fresh_process(
        "import sys\n"
        "from worker.embedded import programs, supervisor\n"
        "programs.load_all()\n"
        "web = {'aiohttp', 'fastapi', 'flower', 'uvicorn'}\n"
        "stores = {'fsspec', 'botocore', 'asyncssh'}\n"
        "unused = {'opentelemetry.sdk', 'sqlalchemy.dialects.postgresql', 'valkey'}\n"
        "heavy = {*unused, 'av', 'PIL', 'magic', 'alembic', 'rich', *web, *stores}\n"
        "print(*sorted(heavy & set(sys.modules)))\n",
        tmp_path,
    )
    assert said.split() == []


@pytest.fixture
def url(tmp_path: Path) -> SecretStr:
    """Of a database that is not there yet."""
    return SecretStr(f"sqlite:///{tmp_path / 'greenroom.db'}")


def revision(url: SecretStr) -> str | None:
    """What a database says of itself."""
    database = Database(url)
    try:
        with database.read() as connection:
            return revision_of(connection)
    finally:
        database.close()


def test_a_new_database_and_one_that_is_up_to_date_need_no_alembic(
    tmp_path: Path, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long to load as all the rest."""
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: pytest.fail("Alembic was asked"))
    for _ in range(2):
        prepare_database(url, tmp_path)
        assert revision(url) == newest_revision()


def test_an_older_database_is_brought_up_to_date(
    tmp_path: Path, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its migrations."""
    for name, value in environment(
        GREENROOM_DATABASE_URL=url.get_secret_value(),
        GREENROOM_REDIS_URL="redis://127.0.0.1:1/0",
        GREENROOM_SECRET_KEY="A" * 43 + "=",
    ).items():
        monkeypatch.setenv(name, value)
    words = [sys.executable, "-m", "alembic", "-c", str(CHECKOUT / "alembic.ini"), "upgrade", "0007"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert revision(url) == "0007"
    prepare_database(url, tmp_path)
    assert revision(url) == newest_revision()


def test_a_supervisor_that_is_given_no_plan_is_gone_at_once() -> None:
    """A command that finds nothing to do waits for nobody."""
    with SupervisorProcess() as supervisor:
        found = psutil.Process(supervisor.pid)
    assert not found.is_running()


@pytest.mark.parametrize("end", [Child.ask_to_end, Child.dead])
def test_a_child_that_was_never_started_needs_no_end(tmp_path: Path, end: Callable[[Child], object]) -> None:
    """A start that failed half-way ends what there is."""
    child = Child(name="one", run=look_around, arguments=(), log=tmp_path / "one.log")
    assert not end(child)
    end_process([child])


def test_a_broker_that_is_slow_to_answer_is_left_alone(tmp_path: Path) -> None:
    """Started again for that, it would cut off all workers of a machine that is busy enough as it is."""
    broker = Broker(port=free_port(), folder=tmp_path)
    broker.start()
    try:
        broker.await_ready(PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        assert not broker.has_ended
        assert not broker.is_running()
        os.kill(broker.pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(broker.pid)], timeout=PATIENCE)
        assert broker.has_ended
    finally:
        broker.terminate()


def test_a_broker_is_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a command: a signal waits for its next look."""
    broker = Broker(port=free_port(), folder=tmp_path)
    broker.start()
    process = broker._process  # its owner forgets it
    try:
        broker.await_ready(PATIENCE)
        with Redis(port=broker.port) as client:
            assert client.config_get("hz") == {"hz": "1"}
        monkeypatch.setattr(process, "terminate", lambda: None)
        broker.stop()
        assert process.returncode == 0
    finally:
        process.kill()
