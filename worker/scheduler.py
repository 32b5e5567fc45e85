"""Beat's scheduler: Celery's, which rests until a tick is due."""

from __future__ import annotations

from celery.beat import PersistentScheduler


class RestingScheduler(PersistentScheduler):
    """Celery's own wakes ten milliseconds before a tick is due, and asks whether it is until it is."""

    def adjust(self, n: float, drift: float = 0.0) -> float:
        """Seconds to sleep: all of those that are left."""
        return super().adjust(n, drift)  # type: ignore[arg-type]  # by its stubs, whole ones
