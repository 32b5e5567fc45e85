"""Which call-backs the operator allows: hosts and tasks by their names; without the settings, none.

Whoever hands a campaign over may be allowed less than a worker can do: to reach servers inside its network,
and to enqueue any task of any program on its broker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from greenroom.callbacks.target import CallbackTarget
from greenroom.errors import SourceRefused
from greenroom.sources.address import Address, NotAnAddress, parse_address
from greenroom.task_names import Queue, TaskName

if TYPE_CHECKING:
    from greenroom.settings import Settings
    from greenroom.sources.connections import AllowedConnections

#: A task's name, or the beginning of some with a star behind it.
_PATTERN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*\*?")
#: Never called back, whatever is allowed: Greenroom's tasks, and Celery's own, which do to results and to
#: other tasks whatever their arguments say.
_RESERVED: Final = tuple({name.partition(".")[0] + "." for name in TaskName} | {"celery."})


def parse_task_patterns(text: str | Sequence[str]) -> tuple[str, ...]:
    """The tasks of a setting, separated by commas.

    Raises:
        ValueError: the text says how to write it.
    """
    if not isinstance(text, str):
        return tuple(text)
    patterns = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(
                f"has {pattern!r}, which is no task's name. Write names separated by commas, like "
                "crm.campaign_ready, or crm.* for all that begin so"
            )
    return patterns


def origin_of(address: Address) -> str:
    """An address as it may be shown: many have a token in their path."""
    return f"{address.scheme}://{address.netloc}"


class CallbackPermission:
    """Says of a target why it is not called.

    Args:
        settings: with the hosts, the tasks and the secret.
        connections: to the hosts that are allowed.
    """

    def __init__(self, settings: Settings, connections: AllowedConnections) -> None:
        self._tasks = settings.callback_tasks or ()
        self._secret = settings.callback_secret
        self._connections = connections

    def refusal(self, target: CallbackTarget) -> str | None:
        """Why a target is never called, as far as its letters tell; None where it may be."""
        if target.url is not None:
            return self._refused_url(target.url)
        return self._refused_task(target.task or "", target.queue)

    def _refused_url(self, url: str) -> str | None:
        if self._secret is None:
            return "GREENROOM_CALLBACK_SECRET is not set, which signs call-backs by HTTP."
        try:
            self._connections.require_named(parse_address(url))
        except NotAnAddress as error:
            return f"The address of its call-backs {error}."
        except SourceRefused as error:
            return str(error)
        return None

    def _refused_task(self, task: str, queue: str) -> str | None:
        if task.startswith(_RESERVED) or queue in set(Queue):
            return f"Task {task} on queue {queue} may not be called back: it is Greenroom's or Celery's own."
        if any(fnmatchcase(task, pattern) for pattern in self._tasks):
            return None
        tasks = "has no such task" if self._tasks else "is not set, so that no task is allowed"
        return f"Task {task} may not be called back: GREENROOM_CALLBACK_TASKS {tasks}."
