"""Celery's configuration: every setting that Greenroom relies on, with the reason for it."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from celery import Celery
from celery.app import trace
from celery.signals import celeryd_init
from kombu import Queue as KombuQueue

from greenroom import tracing
from greenroom.redis_client import is_unix_socket, transport_options
from greenroom.settings import Settings
from greenroom.task_names import QUEUES, TASK_TIME_LIMIT, Queue
from tasks.runtime.chosen_settings import configure
from worker import broker_transport
from worker.health import keep_health_file
from worker.logs import log_as_set
from worker.schedule import beat_schedule

#: Seconds until Redis hands an unacknowledged message to another worker. Far above the longest task: a
#: message that comes back while its first run goes on finds its claims taken and does nothing.
VISIBILITY_TIMEOUT = 2 * 3600
#: One file a task, with its entry for Celery at the end.
TASK_MODULES = (
    "tasks.prepare",
    "tasks.submit",
    "tasks.inspect",
    "tasks.dispatch",
    "tasks.upload",
    "tasks.resolve",
    "tasks.mark_used",
    "tasks.report_error",
    "tasks.status",
    "tasks.estimate",
    "tasks.compare",
    "tasks.retry",
    "tasks.move",
    "tasks.sweep",
    "tasks.start_uploads",
    "tasks.note_ready",
    "tasks.deliver",
    "tasks.foresee",
    "tasks.refresh",
    "tasks.retire",
    "tasks.verify",
    "tasks.prune",
)


def configuration(settings: Settings) -> dict[str, Any]:
    """The settings of Celery, by their own names."""
    return {
        # Where messages and answers go.
        "broker_url": settings.celery_broker,
        "result_backend": settings.celery_results,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            # Look once a minute for messages that dead workers had for so long, as kombu does by itself every
            # 100 s: each look is three commands, and a worker at rest has little else to do.
            "unacked_restore_interval": 60,
            "unacked_restore_throttle": 1,
            # A half-open connection is noticed instead of waited on for ever.
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 25,
            **transport_options(settings.sentinel_master),
        },
        "result_backend_transport_options": transport_options(settings.sentinel_master),
        "redis_socket_timeout": 30,
        # redis-py's sockets of Unix do not take it.
        "redis_socket_keepalive": not is_unix_socket(settings.redis_url.get_secret_value()),
        "redis_backend_health_check_interval": 25,
        # One for all threads of a process, where each would make its own, with its own connections.
        "result_backend_thread_safe": True,
        # A broker that is away is waited for, however long it takes.
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        # A message is done when its task is done; one whose worker died comes back.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_retry_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # Throws away what no worker can read, and outlives its connection. See docs/decisions/0022.
        "worker_consumer": "worker.consumer:Consumer",
        # A pool process that has looked at half a million files has grown by megabytes: a fresh one follows.
        "worker_max_tasks_per_child": 1_000,
        # Uploads in flight continue when the broker is lost: their IDs are recorded in the database, and
        # their messages find the claims taken when they come back. See docs/decisions/0006.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_time_limit": TASK_TIME_LIMIT,
        # JSON alone, small answers, and none where nobody waits for one.
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "result_expires": 3600,
        # Three queues, so that looking at files never stands in the way of sending them.
        "task_queues": [KombuQueue(queue) for queue in Queue],
        "task_routes": {str(name): {"queue": str(queue)} for name, queue in QUEUES.items()},
        "task_default_queue": str(Queue.CONTROL),
        "task_create_missing_queues": False,
        # Flower sees what workers do; not what is only sent, which ticks would fill it with.
        "worker_send_task_events": True,
        "enable_utc": True,
        "timezone": "UTC",
        "worker_redirect_stdouts": False,
        "beat_schedule": beat_schedule(settings),
        "beat_scheduler": "worker.scheduler:RestingScheduler",
        # It sleeps until the next tick is due, and a stand-by that waits for a lock looks as often.
        "beat_max_loop_interval": 5,
    }


def load_tasks(**_: Any) -> None:
    """Load all tasks, and what workers do at moments of their lives: beat and Flower need neither."""
    for name in (*TASK_MODULES, "worker.signals"):
        import_module(name)


def make_app(settings: Settings) -> Celery:
    """The Celery app for these settings; `@shared_task` tasks are bound to it from now on."""
    broker_transport.install()
    celeryd_init.connect(load_tasks)
    # What a task is expected to raise costs one line and no traceback; at INFO, many would not see it.
    trace.log_policy_expected = trace.log_policy_expected._replace(severity=logging.WARNING)
    app = Celery("greenroom")
    app.conf.update(configuration(settings))
    # Other threads of this process shall find it too.
    app.set_default()
    log_as_set(settings)
    if settings.health_path is not None:
        keep_health_file(app, settings.health_path)
    configure(settings)
    tracing.use("greenroom-worker", os.environ)
    return app
