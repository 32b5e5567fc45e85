"""What the Celery tasks add to the functions that they call."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Retry
from kombu import Queue

from greenroom.errors import DatabaseUnavailable
from tasks.runtime.checked_task import until_done


def test_a_retry_shows_no_more_of_its_arguments_than_the_first_try() -> None:
    """Addresses of sources may be signed; Flower and the log show the sender's summary, retries included."""
    with Celery("test", broker="memory://", set_as_current=False) as app:
        app.conf.task_queues = [Queue("celery")]

        @app.task(bind=True, max_retries=None)
        def away(self: Any, _address: str) -> None:
            def work() -> None:
                raise DatabaseUnavailable("away")

            until_done(self, work)

        away.push_request(
            args=["https://cdn.example/?signature=canary"],
            kwargs={},
            argsrepr="1 item",
            called_directly=False,
            delivery_info={"routing_key": "celery"},
        )
        with pytest.raises(Retry):
            away.run("https://cdn.example/?signature=canary")
        with app.connection() as connection:
            message = connection.SimpleQueue("celery").get(block=False)
        assert message.headers["argsrepr"] == "1 item"
