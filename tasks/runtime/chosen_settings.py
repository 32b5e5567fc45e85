"""Which settings the tasks of this process work with; whoever runs no task loads nothing for them."""

from __future__ import annotations

from greenroom.settings import Settings

_settings: Settings | None = None


def configure(settings: Settings) -> None:
    """Say so; called once, when the Celery app is made."""
    global _settings  # noqa: PLW0603 - Celery gives tasks no other place to find their settings
    _settings = settings


def chosen_settings() -> Settings:
    """What :func:`configure` was told.

    Raises:
        RuntimeError: it was told nothing.
    """
    if _settings is None:
        raise RuntimeError("tasks.runtime.chosen_settings.configure was not called; import `worker` first")
    return _settings
