"""How Flower shows Greenroom: columns, how much it remembers, and what fits a row.

Flower reads this file from the folder that it is started in, or from where ``--conf`` says; what it is told
by ``FLOWER_...`` in the environment besides must not stand here, for the file would win.
"""

from __future__ import annotations

from celery.events.state import Task

#: What happened to which file, then when; the id leads to the row's own page.
tasks_columns = "state,name,args,result,received,uuid"
#: Rows in memory, the newest; of the oldest, nothing is left but what the database has. 20,000 take 110 MB.
max_tasks = 20_000
#: Workers that are gone are not listed for ever.
purge_offline_workers = 3_600

#: Characters of a cell of the table; the row's own page has all of them.
LONGEST_CELL = 72


class ShownTask(Task):  # type: ignore[misc]  # Celery has no types of its own
    """A task whose table row is short, and whose page has everything."""

    def as_dict(self) -> dict[str, object]:
        """What the table shows: of long texts their beginning, and of a report its first line."""
        row: dict[str, object] = super().as_dict()
        return row | {name: _cell(row[name]) for name in ("args", "result")}


def _cell(text: object) -> object:
    if not isinstance(text, str):
        return text
    first = text.partition("\n")[0]
    return first if len(first) <= LONGEST_CELL else first[: LONGEST_CELL - 1] + "…"


def format_task(task: Task) -> Task:
    """Show a task as an operator reads it; Flower hands in a copy of its own."""
    task.__class__ = ShownTask
    if task.result is None and task.exception:
        task.result = task.exception
    # An answer for a scheduler, as Celery writes it: without the quotes, where it is a text.
    for name in ("args", "result"):
        text = getattr(task, name)
        if isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == "'":
            setattr(task, name, text[1:-1])
    if task.kwargs is None or task.kwargs == "{}":
        task.kwargs = "none"
    # A file's failure is told as a retry too (decision 0036); nobody tried it again.
    if task.retried == task.failed:
        task.retried = None
    # Celery's own bookkeeping.
    task.clock = task.timestamp = task.root = None
    return task
