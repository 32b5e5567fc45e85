"""The faults: for each, what breaks, which alerts it has to fire, and what ends them, as the runbook says."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chaos.campaign import File
from benchmarks.chaos.services import send
from benchmarks.drill.site import Site, post_elsewhere

#: The provider refuses a file as it does one that it cannot read.
REFUSED = {"status": 400, "code": 131053, "message": "(#131053) Media upload error"}
AWAY = {"status": 503, "code": 131016, "message": "(#131016) Service unavailable"}


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One fault.

    Attributes:
        name: what breaks, in a clause.
        alerts: that have to fire.
        run: breaks it; whatever it yields to is the wait for the alerts, and what follows puts it right.
        patience: seconds within which the alerts have to fire, and to end.
    """

    name: str
    alerts: frozenset[str]
    run: Callable[[Site], Any]
    patience: float


DRILLS: list[Drill] = []


def drill(name: str, *alerts: str, patience: float = 60.0) -> Callable[[Callable[[Site], Any]], None]:
    """Put a function into the list."""

    def put(function: Callable[[Site], Any]) -> None:
        full = frozenset(f"Greenroom{alert}" for alert in alerts)
        DRILLS.append(Drill(name=name, alerts=full, run=contextmanager(function), patience=patience))

    return put


@drill("the exporter is killed", "ExporterDown")
def _exporter(site: Site) -> Any:
    site.exporter.kill()
    yield
    site.exporter.start()


@drill("PostgreSQL is killed", "DatabaseDown")
def _database(site: Site) -> Any:
    site.stack.postgres.kill()
    yield
    site.stack.postgres.start()


@drill("Redis is killed", "RedisDown")
def _redis(site: Site) -> Any:
    site.stack.broker.kill()
    yield
    site.stack.broker.start()


@drill("all workers stand still", "NoWorkers", "BeatSilent", patience=120)
def _workers(site: Site) -> Any:
    # Beat counts as silent when nobody does what it asks for.
    with site.stack.frozen(*site.stack.workers):
        yield


@drill("beat stands still", "BeatSilent", patience=120)
def _beat(site: Site) -> Any:
    with site.stack.frozen("beat"):
        yield


@drill("a worker is killed while it uploads", "WorkersLost", patience=90)
def _killed(site: Site) -> Any:
    site.at_the_provider(on="upload", delay_seconds=8)
    site.submit("killed", 60)
    site.await_uploading()
    site.stack.kill(*site.stack.uploaders)
    site.at_the_provider(clear=True)
    yield


@drill("nobody inspects", "InspectionStalled", patience=120)
def _inspection(site: Site) -> Any:
    # Who is frozen keeps what the broker hands to it: the submission has to go to somebody else.
    site.tell(site.stack.inspector, "cancel_consumer", "control")
    with site.stack.frozen(site.stack.inspector):
        site.submit("unseen", 250)
        yield
    site.tell(site.stack.inspector, "add_consumer", "control")


@drill("a key is revoked", "ChannelPaused", "CampaignAtRisk", patience=90)
def _key(site: Site) -> Any:
    site.number("number-of-revoked")
    site.at_the_provider(revoke_key="key-of-number-of-revoked")
    site.submit("revoked", 10)
    yield
    site.at_the_provider(restore_key="key-of-number-of-revoked")
    site.stack.add_channel("number-of-revoked", "key-of-number-of-revoked")


@drill("the provider is away", "ProviderErrors", "UploadsStalled", patience=120)
def _provider(site: Site) -> Any:
    site.at_the_provider(on="upload", answer=AWAY)
    site.submit("away", 40)
    yield
    site.at_the_provider(clear=True)


@drill("another program uploads on the same number", "Throttled", patience=90)
def _throttled(site: Site) -> Any:
    number = site.number("number-of-shared")
    over = threading.Event()
    image = site.files[0].path.read_bytes()

    def upload() -> None:
        while not over.wait(0.15):
            post_elsewhere(site.stack.settings.api_base_url, number.keys[-1], image)

    others = [threading.Thread(target=upload, daemon=True) for _ in range(6)]
    for other in others:
        other.start()
    site.submit("shared", 200)
    yield
    over.set()
    for other in others:
        other.join()


@drill("answers take eleven seconds", "UploadsSlow", patience=90)
def _slow(site: Site) -> Any:
    site.at_the_provider(on="upload", delay_seconds=15)
    site.submit("slow", 40)
    yield
    site.at_the_provider(clear=True)


@drill("answers are lost", "PossibleOrphans", patience=90)
def _lost(site: Site) -> Any:
    site.at_the_provider(on="upload", times=20, drop="after")
    site.submit("lost", 20)
    yield
    site.at_the_provider(clear=True)


@drill("the provider refuses files", "FilesGivenUp", "LookupsUsedUp", patience=90)
def _refused(site: Site) -> Any:
    site.at_the_provider(on="upload", answer=REFUSED)
    files = site.submit("refused", 8)
    yield
    site.at_the_provider(clear=True)
    site.submit_again("refused", files)
    site.let_an_hour_pass()


@drill("a whole export is empty", "ManyRejected", patience=90)
def _empty(site: Site) -> Any:
    folder = site.stack.folder / "empty"
    folder.mkdir()
    site.submit_again("empty", [_empty_file(folder / f"{number}.jpg") for number in range(30)])
    yield


def _empty_file(path: Path) -> File:
    path.touch()
    return File(path=path, sha256="")


@drill("a source is gone when its ID is to be renewed", "MediaEnding", patience=180)
def _ending(site: Site) -> Any:
    files = site.submit("ending", 3)
    site.await_ready("ending", 3)
    # Neither the file nor the provider's own copy can be had.
    kept = [(file.path, file.path.read_bytes()) for file in files]
    site.at_the_provider(on="media_url", answer=AWAY)
    for path, _ in kept:
        path.unlink()
    site.sql(
        "UPDATE media SET uploaded_at = now() - interval '29 days 4 hours', refresh_at = now()"
        " WHERE channel_id = 'number-of-ending'"
    )
    yield
    for path, content in kept:
        path.write_bytes(content)
    site.at_the_provider(clear=True)


def resume(site: Site) -> None:
    """Whatever a drill has left that was broken off."""
    send(site.stack.family("beat"), signal.SIGCONT)
    site.at_the_provider(clear=True)
