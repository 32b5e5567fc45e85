"""What a worker does at moments of its own life."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import after_setup_logger, worker_process_shutdown

from tasks.context import close_context


@after_setup_logger.connect
def quiet_libraries(**_: Any) -> None:
    """Keep libraries from logging addresses at DEBUG: a download's query is what authorises it."""
    for name in ("urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.INFO)


@worker_process_shutdown.connect
def leave_nothing_open(**_: Any) -> None:
    """Close a pool process's connections."""
    close_context()
