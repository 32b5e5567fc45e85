"""The schedulers' client, as commands use it that hand work to running workers."""

from __future__ import annotations

from greenroom.client import Greenroom
from greenroom.settings import Settings


def client_of(settings: Settings) -> Greenroom:
    """A client of the installation that the settings describe; a context manager, which closes it."""
    return Greenroom(
        settings.celery_broker,
        result_url=settings.redis_url.get_secret_value(),
        sentinel_master=settings.sentinel_master,
    )
