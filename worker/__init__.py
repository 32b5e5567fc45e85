"""The worker: Greenroom's Celery app (``celery -A worker ...``), its configuration, and the embedded stack.

The app is made when it is first asked for, so that the embedded stack can be imported without settings.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from greenroom.left_out import leave_out_metrics

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["app"]

leave_out_metrics()


@cache
def _make() -> Celery:
    from greenroom.errors import SettingsError  # noqa: PLC0415 - not needed by the embedded stack
    from greenroom.settings_loader import load_settings  # noqa: PLC0415 - as above
    from worker.configuration import make_app  # noqa: PLC0415 - as above

    try:
        return make_app(load_settings())
    except SettingsError as error:
        sys.exit(str(error))


def __getattr__(name: str) -> Any:
    """`worker.app`, as Celery looks it up."""
    if name == "app":
        return _make()
    raise AttributeError(f"module 'worker' has no attribute {name!r}")
