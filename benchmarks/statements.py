"""Listens to what tasks send to PostgreSQL: each distinct statement, its time, and its plan as it was sent.

The plan is asked for right before the statement itself runs, on its own connection and in its own
transaction, with its own parameters, and undone by a savepoint: so it is the plan of exactly what the task
sends, at the state of the tables in which it sends it.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

_LIST = re.compile(r"%\(\w+\)s(?:::[\w ]+)?(?:, %\(\w+\)s(?:::[\w ]+)?)+")
_PARAMETER = re.compile(r"%\((\w+?)(?:_\d+)*\)s")
_SEQ_SCAN = re.compile(r"Seq Scan on (\w+)")
_EXECUTION = re.compile(r"Execution Time: ([\d.]+) ms")
_BUFFERS = re.compile(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?")
_EXPLAINABLE = re.compile(r"\s*(?:WITH|SELECT|INSERT|UPDATE|DELETE)\b")
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS) "


@dataclass(kw_only=True)
class Statement:
    """A statement, however many values its lists have.

    Attributes:
        text: with its lists and parameters shortened.
        times: how often it ran, each member of a list of parameters counted.
        runs: the same, each list counted as one.
        milliseconds: of all its runs, on the client's side.
        texts: the different texts it had: more than one where a list is written out.
        seq_scans: the tables that any of its plans reads from end to end.
        plan: of the slowest run of those that were explained, as PostgreSQL gave it.
    """

    text: str
    times: int = 0
    runs: int = 0
    milliseconds: float = 0.0
    texts: set[str] = field(default_factory=set)
    seq_scans: set[str] = field(default_factory=set)
    plan: str = ""

    def note_plan(self, plan: str) -> None:
        """Keep the plan of a run, if it is the slowest so far."""
        self.seq_scans |= set(_SEQ_SCAN.findall(plan))
        if not self.plan or execution_milliseconds(plan) > execution_milliseconds(self.plan):
            self.plan = plan

    @property
    def plan_milliseconds(self) -> float:
        """PostgreSQL's own time for the run whose plan was kept."""
        return execution_milliseconds(self.plan)

    @property
    def pages(self) -> int:
        """Pages of 8 KB that one run looked at."""
        found = _BUFFERS.search(self.plan)
        return int(found[1] or 0) + int(found[2] or 0) if found else 0


def execution_milliseconds(plan: str) -> float:
    """PostgreSQL's own time for the run that a plan was made of."""
    found = _EXECUTION.search(plan)
    return float(found[1]) if found else 0.0


class Statements:
    """Everything that one engine's connections send, until :meth:`forget`."""

    def __init__(self, engine: Engine) -> None:
        self.explaining = False
        self.seen: dict[str, Statement] = {}
        self._began: dict[int, float] = defaultdict(time.perf_counter)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def forget(self) -> None:
        """Begin anew."""
        self.seen = {}

    @property
    def milliseconds(self) -> float:
        """What all statements took."""
        return sum(statement.milliseconds for statement in self.seen.values())

    def _before(  # the arguments are SQLAlchemy's
        self,
        connection: Any,
        cursor: Any,
        text: str,
        parameters: Any,
        _context: Any,
        many: bool,  # noqa: FBT001 - as above
    ) -> None:
        short = shortened(text)
        statement = self.seen.setdefault(short, Statement(text=short))
        statement.times += len(parameters) if many else 1
        statement.texts.add(text)
        statement.runs += 1
        # The first run, the second, the fourth: where later runs are slower, that is seen, too.
        if self.explaining and statement.runs.bit_count() == 1 and _EXPLAINABLE.match(text):
            one = parameters[0] if many else parameters
            statement.note_plan(_plan(connection.connection.dbapi_connection, text, one))
        self._began[id(cursor)] = time.perf_counter()

    def _after(
        self,
        _connection: Any,
        cursor: Any,
        text: str,
        _parameters: Any,
        _context: Any,
        _many: bool,  # noqa: FBT001 - as above
    ) -> None:
        took = time.perf_counter() - self._began.pop(id(cursor))
        self.seen[shortened(text)].milliseconds += took * 1000


def shortened(text: str) -> str:
    """A statement's text without what differs between its runs: the length of its lists."""
    return _PARAMETER.sub(r":\1", _LIST.sub("...", text))


def _plan(connection: Any, text: str, parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT plan")
        cursor.execute(EXPLAIN + text, parameters)
        lines = [line for (line,) in cursor]
        cursor.execute("ROLLBACK TO SAVEPOINT plan")
        cursor.execute("RELEASE SAVEPOINT plan")
    return "\n".join(lines)
