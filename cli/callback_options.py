"""The options by which a command is told whom a campaign calls back."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click


def callback_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--callback-url`, `--callback-task`, `--callback-queue`; the command gets the fields of a target."""

    @wraps(command)
    def with_callback(
        *words: Any,
        callback_url: str | None,
        callback_task: str | None,
        callback_queue: str | None,
        **options: Any,
    ) -> None:
        if callback_url and callback_task:
            raise click.UsageError("Give --callback-url or --callback-task: a campaign has one call-back.")
        if callback_queue and not callback_task:
            raise click.UsageError("--callback-queue is the queue of --callback-task.")
        given = {"url": callback_url, "task": callback_task, "queue": callback_queue}
        fields = {name: value for name, value in given.items() if value is not None}
        command(*words, callback=fields or None, **options)

    url_option = click.option(
        "--callback-url",
        help="Who is told by HTTP when it is ready, at risk, or has rejected files; a host of "
        "GREENROOM_CALLBACK_HOSTS.  [default: as before]",
    )
    task_option = click.option(
        "--callback-task",
        help="The Celery task that is told instead, of GREENROOM_CALLBACK_TASKS.  [default: as before]",
    )
    queue_option = click.option("--callback-queue", help="The queue of --callback-task.  [default: celery]")
    return url_option(task_option(queue_option(with_callback)))
