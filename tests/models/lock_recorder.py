"""Records which rows each statement of a transaction locks, and in which order; for PostgreSQL.

It asks the database itself: a row that a transaction has locked or written carries its number. Whoever waits
for rows has to keep to `models.locks`; who skips what is locked does not, but holds from then on what it got.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

from greenroom.task_names import TaskName
from models import Database
from models.locks import LOCK_ORDER

#: What rows of a table are ordered by.
KEYS = defaultdict(lambda: "id", assets="channel_id, sha256, mime_type")
#: How a statement that locks many rows has to say so.
ORDERED = {
    **{table: rf"ORDER BY {table}\.id\b" for table in LOCK_ORDER},
    "assets": "ORDER BY "
    + ", ".join(rf'assets\.{name} COLLATE "C"' for name in ("channel_id", "sha256", "mime_type")),
}
_LOCKING = re.compile(r"\bFOR (?:NO KEY )?UPDATE(?: OF (?P<of>[\w, ]+?))?(?P<skip> SKIP LOCKED)?\s*(?:\)|$)")
_WRITING = re.compile(r"(?<!FOR )(?<!KEY )\b(?:UPDATE|DELETE FROM|INSERT INTO) (?P<table>\w+)")
_GIVEN = re.compile(r"unnest\((?P<arrays>.*?)\) AS \w+\((?P<names>[\w, ]+)\)")
#: The functions in which a task begins.
TASKS = {name.value.removeprefix("media."): name.value for name in TaskName}

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """What a statement does: to which tables, and whether it waits for rows that others have locked."""

    text: str
    verb: str
    tables: tuple[str, ...]
    waits: bool
    parameters: Any = None


@dataclass
class Transaction:
    """What a transaction holds, table by table, in the order in which it was had."""

    task: str
    held: dict[str, dict[int | str, Key]] = field(default_factory=dict)
    before: dict[str, dict[int | str, Key]] = field(default_factory=dict)

    def rows(self, table: str) -> dict[int | str, Key]:
        """What it holds of a table."""
        return self.held.get(table, {})


class LockRecorder:
    """Listens to a database's engines, and says what broke the order.

    Attributes:
        violations: sentences.
        edges: pairs of tables: rows of the second were waited for while rows of the first were held.
        tasks: in which statements were seen.
    """

    def __init__(self, database: Database) -> None:
        self.violations: list[str] = []
        self.edges: set[tuple[str, str]] = set()
        self.tasks: set[str] = set()
        self._open: dict[int, Transaction] = {}
        for engine in (database.engine, database._brief):
            event.listen(engine, "begin", self._begin)
            event.listen(engine, "before_cursor_execute", self._before)
            event.listen(engine, "after_cursor_execute", self._after)

    def _begin(self, connection: Connection) -> None:
        self._open[id(connection.connection.dbapi_connection)] = Transaction(task=_task())

    def _before(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        transaction = self._transaction(connection)
        self.tasks.add(transaction.task)
        transaction.before = {table: _rows(connection, table) for table in step_of(statement).tables}

    def _after(self, connection: Connection, _cursor: Any, statement: str, *more: Any) -> None:
        transaction, step = self._transaction(connection), step_of(statement, parameters=more[0])
        for table in step.tables:
            before, held = transaction.before[table], transaction.rows(table)
            now = _rows(connection, table)
            mine = {row for row in _mine(connection, table) if row in before} | (set(before) - set(now))
            new = {row: before[row] for row in mine if row not in held}
            if new and step.waits:
                self._look(transaction, step, table, new)
            if step.verb == "INSERT":
                new |= {row: key for row, key in now.items() if row not in before}
            if new:
                transaction.held.setdefault(table, {}).update(new)

    def _look(self, transaction: Transaction, step: Step, table: str, new: dict[int | str, Key]) -> None:
        for other in transaction.held:
            if other != table:
                self.edges.add((other, table))
                if LOCK_ORDER.index(other) > LOCK_ORDER.index(table):
                    self._tell(transaction, f"{table} is waited for with rows of {other} held", step)
        held = transaction.rows(table)
        if held and min(new.values()) < max(held.values()):
            self._tell(transaction, f"a row of {table} is waited for after one behind it", step)
        if len(new) > 1 and not _in_order(step, table):
            self._tell(transaction, f"{len(new)} rows of {table} are locked in no order", step)

    def _tell(self, transaction: Transaction, what: str, step: Step) -> None:
        self.violations.append(f"{transaction.task}: {what}: {step.text[:200]}")

    def _transaction(self, connection: Connection) -> Transaction:
        return self._open[id(connection.connection.dbapi_connection)]


def step_of(statement: str, *, parameters: Any = None) -> Step:
    """What a statement does to tables that have an order."""
    text = " ".join(statement.split())
    locking = list(_LOCKING.finditer(text))
    skips = bool(locking) and all(found["skip"] for found in locking)
    writing = _WRITING.search(text)
    if writing and writing["table"] in LOCK_ORDER:
        verb = writing[0].split()[0]
        waits = not skips and (verb != "INSERT" or "DO UPDATE" in text)
        return Step(text, verb, (writing["table"],), waits, parameters)
    if not locking:
        return Step(text, "", (), waits=False)
    of = locking[0]["of"]
    read = [table for table in re.findall(r"FROM (\w+)", text) if table in LOCK_ORDER]
    tables = of.split(", ") if of else read[:1]
    return Step(text, "SELECT", tuple(tables), not skips, parameters)


def _in_order(step: Step, table: str) -> bool:
    if step.verb == "SELECT":
        return re.search(ORDERED[table], step.text) is not None
    return step.verb == "INSERT" and _given_in_order(step, table)


def _given_in_order(step: Step, table: str) -> bool:
    """Whether rows that are inserted from arrays come in order."""
    found = _GIVEN.search(step.text)
    if found is None:
        return False
    arrays = re.findall(r"%\((\w+)\)s", found["arrays"])
    columns = {
        name: json.loads(f"[{step.parameters[array][1:-1]}]")
        for name, array in zip(found["names"].split(", "), arrays, strict=True)
        if name in KEYS[table].split(", ")
    }
    keys = list(zip(*(columns[name] for name in KEYS[table].split(", ")), strict=True))
    return keys == sorted(keys)


def _rows(connection: Connection, table: str) -> dict[int | str, Key]:
    """All rows that this transaction sees, with their places in the order."""
    return {row[0]: row[1:] for row in _ask(connection, f"SELECT id, {KEYS[table]} FROM {table}")}  # noqa: S608 - our own names


def _mine(connection: Connection, table: str) -> set[int | str]:
    """The rows that this transaction has locked or written."""
    number = "(pg_current_xact_id_if_assigned()::text::numeric % 4294967296)::bigint"
    condition = f"{number} IN (xmin::text::bigint, xmax::text::bigint)"
    return {row[0] for row in _ask(connection, f"SELECT id FROM {table} WHERE {condition}")}  # noqa: S608 - our own names


def _ask(connection: Connection, question: str) -> list[Any]:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    cursor = driver.cursor()
    cursor.execute(question)
    found = list(cursor.fetchall())
    cursor.close()
    return found


def _task() -> str:
    """The task in whose function this is."""
    frame: Any = sys._getframe()
    name = ""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("tasks.") and frame.f_code.co_name in TASKS:
            name = TASKS[frame.f_code.co_name]
        frame = frame.f_back
    return name
