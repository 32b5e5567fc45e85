"""``greenroom serve``: it is killed, or what it needs is away, while several clients submit by HTTP."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import requests
from sqlalchemy import func, select

from benchmarks.chaos.campaign import Scheduler
from benchmarks.chaos.run import Problem, Run, fault
from benchmarks.chaos.services import Service, until
from greenroom.bearer_token import new_token
from greenroom.client import BrokerUnavailable
from greenroom.manifest import CampaignPlan, ManifestItem
from models import Item
from models.api_tokens import add_token
from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port

CLIENTS, CAMPAIGNS = 6, 12
#: Seconds within which a request is answered, whatever is away.
ANSWER_SECONDS = 30.0
#: Longer than the client of workers tries to reach a broker, which is 20.
BROKER_SECONDS = 25.0
DATABASE_SECONDS = 10.0


@dataclass(kw_only=True)
class Api:
    """The server, and what its clients were answered.

    Attributes:
        answers: how often each status came.
        wrong: what should not have come.
    """

    url: str
    token: str
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def submit(self, plan: CampaignPlan, items: Sequence[ManifestItem], *, whole: bool) -> int:
        """Hand a campaign over; returns the status, 0 where the server hung up.

        Args:
            plan: the campaign.
            items: all of them.
            whole: whether they come in place of what it had, or beside it.
        """
        fields = plan.model_dump(mode="json", exclude_none=True, exclude={"id", "channel"})
        body = {**fields, "items": [item.model_dump(mode="json", exclude_defaults=True) for item in items]}
        method, path = ("PUT", "") if whole else ("POST", "/items")
        try:
            answer = requests.request(
                method,
                f"{self.url}/v1/campaigns/{plan.id}{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=ANSWER_SECONDS,
            )
        except requests.ReadTimeout:
            self.wrong.append(f"no answer in {ANSWER_SECONDS:.0f} s")
            return 0
        except requests.ConnectionError:
            return 0
        self.answers[answer.status_code] += 1
        is_problem = answer.headers.get("Content-Type") == "application/problem+json"
        if not answer.ok and not (answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and is_problem):
            self.wrong.append(f"{answer.status_code} {answer.text[:100]}")
        return answer.status_code


@dataclass(kw_only=True)
class HttpClient:
    """A scheduler that speaks HTTP, and submits the same again until it is answered 200."""

    api: Api
    whole: bool

    def add_items(self, plan: CampaignPlan, items: Sequence[ManifestItem]) -> None:
        """Hand items over."""
        status = self.api.submit(plan, items, whole=self.whole)
        if status != HTTPStatus.OK:
            raise BrokerUnavailable(f"answered {status}")

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def serving(run: Run) -> Iterator[tuple[Service, Api]]:
    """A server, and a way to it."""
    token, port = new_token(), free_port()
    with run.stack.database.write() as connection:
        add_token(connection, name=run.fault.slug, token=token, channels=None, now=datetime.now(UTC))
    words = ("serve", "--port", str(port), "--requests-per-minute", "1000000")
    service = Service(
        f"serve-{run.fault.slug}",
        [sys.executable, "-m", "cli", *words],
        folder=run.stack.folder,
        environment={**os.environ, **run.production.environment, "PYTHONPATH": str(CHECKOUT)},
    )
    api = Api(url=f"http://127.0.0.1:{port}", token=token.get_secret_value())
    try:
        start(service, api)
        yield service, api
    finally:
        service.kill()


def start(service: Service, api: Api) -> None:
    """Start it, and wait until it answers."""

    def answers() -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{api.url}/healthz", timeout=ANSWER_SECONDS).ok
        return False

    service.start()
    service.wait_until_up(answers)


def begin(run: Run, api: Api) -> list[Scheduler]:
    """Clients, each with campaigns of its own."""
    clients = []
    for number in range(CLIENTS):
        channel = run.channels[number % len(run.channels)]
        names = (f"{channel.id}-{number}-{campaign}" for campaign in range(CAMPAIGNS))
        whole = number % 2 == 0
        clients.append(run.scheduler(lambda whole=whole: HttpClient(api=api, whole=whole)))  # type: ignore[misc]  # bound at once
        clients[-1].begin([run.wave(name, run.files[number::2], channel) for name in names])
    return clients


def accepted(clients: Sequence[Scheduler]) -> int:
    """Campaigns that were acknowledged."""
    return sum(len(client.accepted) for client in clients)


def finish(run: Run, api: Api, clients: Sequence[Scheduler]) -> None:
    """Wait until all is acknowledged, and look at the answers."""
    until(lambda: accepted(clients) == CLIENTS * CAMPAIGNS, "all clients are answered")
    answered = ", ".join(f"{count} times {status}" for status, count in sorted(api.answers.items()))
    run.notes.append(f"clients were answered {answered}")
    for wave in (wave for client in clients for wave in client.accepted):
        if (count := items_of(run, wave.plan.id)) != len(wave.files):
            raise Problem(f"{wave.plan.id} has {count} items of {len(wave.files)}")
    if api.wrong:
        raise Problem(f"{len(api.wrong)} wrong answers, the first one: {api.wrong[0]}")


def items_of(run: Run, campaign_id: str) -> int:
    """How many a campaign has."""
    with run.stack.database.read() as connection:
        statement = select(func.count()).select_from(Item).where(Item.campaign_id == campaign_id)
        return connection.execute(statement).scalar_one()


@fault("serve", "kill -9 of it, five times")
def kill(run: Run) -> None:
    """In the middle of submissions."""
    with serving(run) as (service, api):
        clients = begin(run, api)
        for _ in range(5):
            before = accepted(clients)
            until(lambda before=before: accepted(clients) > before, "campaigns are handed over")  # type: ignore[misc]  # bound at once
            time.sleep(run.chance.uniform(0.0, 0.1))
            service.kill()
            start(service, api)
        finish(run, api, clients)


def away(name: str, seconds: float, stop: Callable[[Run], None], again: Callable[[Run], None]) -> None:
    """Something that it needs is away; a client that does not come again is told so, and nothing is left."""

    @fault("serve", name)
    def break_it(run: Run) -> None:
        with serving(run) as (_, api):
            clients = begin(run, api)
            until(lambda: accepted(clients) > 0, "campaigns are handed over")
            with run.hit():
                stop(run)
            began_at = time.monotonic()
            once = run.wave(f"{run.channels[0].id}-once", run.files, run.channels[0])
            status = api.submit(once.plan, once.items(), whole=True)
            time.sleep(max(0.0, seconds - (time.monotonic() - began_at)))
            again(run)
            finish(run, api, clients)
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise Problem(f"a client was answered {status} while it was away")
            if left := items_of(run, once.plan.id):
                raise Problem(f"of a refused campaign, {left} items are there")


away(
    f"the broker is away for {BROKER_SECONDS:.0f} s",
    BROKER_SECONDS,
    lambda run: run.production.broker.kill(),
    lambda run: run.production.broker.start(),
)
away(
    f"the database is away for {DATABASE_SECONDS:.0f} s",
    DATABASE_SECONDS,
    lambda run: run.production.postgres.kill(),
    lambda run: run.production.postgres.start(),
)
