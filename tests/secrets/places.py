"""Where secrets are looked for: everything that a production writes, answers or shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import requests
from celery import Celery
from redis import Redis
from sqlalchemy import inspect, select, table, text

from greenroom.task_names import TaskName
from tests.secrets.seeds import PLANTED, SEEDS, Piece, Search
from tests.secrets.stack import Stack, wait_for

#: Columns that hold addresses whole, because a file is fetched from there again, or somebody called back.
ADDRESSES = frozenset({"items.source", "assets.source", "callbacks.target"})
FLOWER = (
    *("/", "/workers", "/workers?refresh=1&json=1", "/worker/upload@seeded", "/worker/inspect@seeded"),
    *("/tasks", "/broker", "/metrics", "/api/workers?refresh=1", "/api/tasks?limit=1000", "/api/task/types"),
    "/api/queues/length",
)
API = (
    *("/openapi.json", "/healthz", "/v1/channels", "/v1/campaigns/nobody", "/nowhere?of=nobody"),
    *(f"/v1/campaigns/{name}" for name in ("seeded", "revoked", "served")),
    *(f"/v1/campaigns/{name}/rejected" for name in ("seeded", "served")),
)
INSPECTED = ("conf", "report", "stats", "active", "reserved", "scheduled", "registered")


def logs(stack: Stack) -> Iterator[Piece]:
    """A log for each process, and what commands printed."""
    yield from _files(stack.logs)


def files(stack: Stack) -> Iterator[Piece]:
    """Everything else in the folder, but for the broker's."""
    return (piece for piece in _files(stack.folder) if not piece.where.startswith(("logs/", "broker/")))


def broker_files(stack: Stack) -> Iterator[Piece]:
    """The broker's append-only file: every message that there was."""
    yield from _files(stack.folder / "broker")


def _files(folder: Path) -> Iterator[Piece]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            where = path.relative_to(folder.parent if folder.name in ("logs", "broker") else folder)
            yield Piece(where=where.as_posix(), data=path.read_bytes())


def broker(stack: Stack) -> Iterator[Piece]:
    """Every key with its value: queues, what is unacknowledged, results, bindings, paces."""
    for key in stack.redis.scan_iter():
        assert isinstance(key, bytes)
        yield Piece(where=key.decode(errors="replace"), data=key + b" " + _value(stack.redis, key))


def _value(redis: Redis, key: bytes) -> bytes:
    """Read by its type: the form that DUMP has may be packed."""
    readers: dict[bytes, Callable[[], object]] = {
        b"string": lambda: redis.get(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1),
        b"hash": lambda: redis.hgetall(key),
        b"stream": lambda: redis.xrange(key),
    }
    kind = redis.type(key)
    assert isinstance(kind, bytes)
    return repr(readers[kind]()).encode() if kind in readers else b""


def database(stack: Stack) -> Iterator[Piece]:
    """Every column of every row, but for those of addresses."""
    return (piece for piece in _columns(stack) if piece.where not in ADDRESSES)


def addresses(stack: Stack) -> Iterator[Piece]:
    """Those of addresses."""
    return (piece for piece in _columns(stack) if piece.where in ADDRESSES)


def _columns(stack: Stack) -> Iterator[Piece]:
    for name in inspect(stack.database.engine).get_table_names():
        with stack.database.read() as connection:
            for row in connection.execute(select(text("*")).select_from(table(name))).mappings():
                for column, value in row.items():
                    yield Piece(where=f"{name}.{column}", data=str(value).encode())


def flower(stack: Stack) -> Iterator[Piece]:
    """Its pages and its API, those of each task among them."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("greenroom", SEEDS["Flower password"])
        root = f"http://127.0.0.1:{stack.flower}"
        assert requests.get(f"{root}/api/tasks", timeout=60).status_code == requests.codes.unauthorized
        tasks = session.get(f"{root}/api/tasks?limit=1000", timeout=60).json()
        assert tasks
        # One page of each sort of task, and of each end that it came to; the list has all of them.
        each = {(task["name"], task["state"]): name for name, task in tasks.items()}.values()
        for page in (*FLOWER, *(f"/{kind}/{task}" for task in each for kind in ("task", "api/task/info"))):
            answer = session.get(root + page, timeout=60)
            # What it sends back of its own accord, the log-in that we gave it not among it.
            yield Piece(where=page, data=repr(answer.headers).encode() + answer.content)
        listed = session.post(f"{root}/tasks/datatable", data=_TABLE, timeout=60)
        yield Piece(where="/tasks/datatable", data=listed.content)


#: What the page of tasks asks for.
_TABLE = {
    "draw": "1",
    "start": "0",
    "length": "1000",
    "search[value]": "",
    "order[0][column]": "0",
    "order[0][dir]": "asc",
    "columns[0][data]": "name",
}


def http_api(stack: Stack) -> Iterator[Piece]:
    """What it answers to whoever has a token, and to whoever has none."""
    for token in (SEEDS["API token"], ""):
        for path in API:
            answer = stack.ask("GET", path, token=token)
            yield Piece(where=path, data=repr(answer.headers).encode() + answer.content)


def remote_control(stack: Stack) -> Iterator[Piece]:
    """What workers say of themselves: what `celery inspect` prints."""
    app = Celery(broker=stack.settings["GREENROOM_REDIS_URL"], set_as_current=False)
    try:
        ask: Any = app.control.inspect(timeout=10, limit=2)
        for what in INSPECTED:
            answer = getattr(ask, what)()
            assert len(answer) == 2, what
            yield Piece(where=what, data=json.dumps(answer).encode())
    finally:
        app.close()


def processes(stack: Stack) -> Iterator[Piece]:
    """Command lines and titles, which every user of the machine can read.

    Not the environment: secrets are given there, and it is readable for the same user and root alone.
    """
    for process in stack.family():
        try:
            words = " ".join([process.name(), *process.cmdline()])
        except psutil.NoSuchProcess:
            continue
        yield Piece(where=f"process {process.pid}", data=words.encode())


#: While everything runs; by name. The last two hold addresses by design.
LIVE: dict[str, Callable[[Stack], Iterable[Piece]]] = {
    "logs, DEBUG": logs,
    "broker: keys and values": broker,
    "database: all columns": database,
    "Flower: pages and API": flower,
    "HTTP API": http_api,
    "celery inspect": remote_control,
    "command lines": processes,
    "files": files,
    "database: addresses": addresses,
    "broker: append-only file": broker_files,
}
BY_DESIGN = frozenset({"database: addresses", "broker: append-only file"})


def plant(stack: Stack, secret: str) -> None:
    """Put a secret into every place, as a careless change would."""
    (stack.logs / "planted.log").write_text(f"connecting with {secret}\n", encoding="utf-8")
    (stack.folder / "planted.json").write_text(json.dumps({"key": secret}), encoding="utf-8")
    with stack.database.write() as connection:
        connection.execute(text("UPDATE channels SET paused_reason = :secret"), {"secret": secret})
        connection.execute(text("UPDATE items SET source = source || :secret"), {"secret": secret})
    command = [sys.executable, "-c", "input()", secret]
    stack.processes.append(subprocess.Popen(command, stdin=subprocess.PIPE))
    app = Celery(broker=stack.settings["GREENROOM_REDIS_URL"], set_as_current=False)
    try:
        # It waits with a worker for an hour; in the broker its arguments stand in base64.
        app.send_task(TaskName.PRUNE, args=[secret], argsrepr=secret, countdown=3600, queue="control")
    finally:
        app.close()
    wait_for(lambda: bool(Search({PLANTED: secret})(remote_control(stack))), "a worker has the planted task")
