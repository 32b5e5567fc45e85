"""A send-out on a few channels, handed over in waves by a scheduler that tries until it is acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from benchmarks.chaos.stack import Stack
from benchmarks.images import image_bytes, with_comment
from greenroom.client import BrokerUnavailable
from greenroom.manifest import CampaignPlan, ManifestItem, parse_plan

#: Seconds that the scheduler waits for an acknowledgement before it hands over again.
ANSWER_SECONDS = 5.0
#: Seconds between two tries.
PAUSE_SECONDS = 0.5
#: A comment in a JPEG holds no more.
_LONGEST_COMMENT = 60_000


@dataclass(frozen=True, kw_only=True)
class File:
    """An image on disk."""

    path: Path
    sha256: str


def make_files(folder: Path, count: int, size: int = 0, first: int = 0) -> list[File]:
    """Pictures of different content, of at least so many bytes; their numbers begin at `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    body = image_bytes()
    while len(body) < size:
        body = with_comment(body, "x" * _LONGEST_COMMENT)
    files = []
    for number in range(first, first + count):
        content = with_comment(body, f"image {number}")
        path = folder / f"image-{number}.jpg"
        path.write_bytes(content)
        files.append(File(path=path, sha256=sha256(content).hexdigest()))
    return files


@dataclass(kw_only=True)
class Channel:
    """A phone number of one fault's alone: its counts at the provider are that fault's.

    Attributes:
        keys: its API keys, the present one last.
    """

    id: str
    keys: list[str]


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Files handed over as one campaign."""

    plan: CampaignPlan
    files: Sequence[File]
    address: str = ""

    def items(self) -> list[ManifestItem]:
        """As a manifest has them; with an address, they are fetched from there."""
        return [
            ManifestItem(
                ref=file.path.name,
                source=f"{self.address}/{file.path.name}" if self.address else str(file.path),
            )
            for file in self.files
        ]


class Client(Protocol):
    """A way to the stack; `BrokerUnavailable` says that the same is to be tried again."""

    def add_items(self, plan: CampaignPlan, items: Sequence[ManifestItem], /) -> object:
        """Hand items over."""

    def close(self) -> None:
        """End it."""


@dataclass(kw_only=True)
class Scheduler:
    """Hands waves over until each is acknowledged, as schedulers do.

    Attributes:
        stack: that it hands them to.
        connect: its way there; by default that of a scheduler that speaks Celery.
        waves: what it has to hand over.
        accepted: those of them that were acknowledged.
    """

    stack: Stack
    connect: Callable[[], Client] | None = None
    waves: Sequence[Wave] = ()
    accepted: list[Wave] = field(default_factory=list)
    problem: BaseException | None = None
    _thread: threading.Thread | None = None
    _given_up: threading.Event = field(default_factory=threading.Event)

    def begin(self, waves: Sequence[Wave]) -> None:
        """Hand these over, in the background."""
        self.waves = waves
        self._thread = threading.Thread(target=self._work, args=(waves,), name="scheduler", daemon=True)
        self._thread.start()

    def wait(self, patience: float) -> bool:
        """Whether all was acknowledged within so many seconds; what was not is given up."""
        if self._thread is None:
            return True
        self._thread.join(patience)
        self._given_up.set()
        if self.problem is not None:
            raise self.problem
        return not self._thread.is_alive()

    def _work(self, waves: Sequence[Wave]) -> None:
        client = self.connect() if self.connect else self.stack.client(ANSWER_SECONDS)
        try:
            for wave in waves:
                self._surely(client, wave)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self.problem = error
        finally:
            client.close()

    def _surely(self, client: Client, wave: Wave) -> None:
        while not self._given_up.is_set():
            try:
                client.add_items(wave.plan, wave.items())
            except BrokerUnavailable:
                time.sleep(PAUSE_SECONDS)
            else:
                self.accepted.append(wave)
                return


def plan_of(name: str, *channels: Channel, hours: float = 1.0, callback: str = "") -> CampaignPlan:
    """A campaign on these channels that is sent soon, and is told about at an address, if one is given."""
    send_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    fields = {"id": name, "send_at": send_at, "keep_until": send_at + timedelta(days=3)}
    told = {"callback": {"url": callback}} if callback else {}
    return parse_plan({**fields, **told, "channels": [channel.id for channel in channels]})


#: A file of a campaign on one of its channels: campaign, channel and ref.
Place = tuple[str, str, str]


def expected(waves: Sequence[Wave]) -> Mapping[Place, str]:
    """What is to be ready of these waves: the SHA-256 by its place."""
    return {
        (wave.plan.id, channel, file.path.name): file.sha256
        for wave in waves
        for channel in wave.plan.channels
        for file in wave.files
    }
