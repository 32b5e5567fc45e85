"""An upgrade in mid-campaign: workers of an earlier revision on new tables, then new ones beside them.

Run with ``python -m benchmarks.rolling_upgrade [REVISION]``; takes a minute. Without a revision, it is the
last one before the tables changed. All of the stack is started from it. While a scheduler hands campaigns
over, the tables are brought to what they are now, and then one process after the other is ended as an
operator would, and started anew from this checkout. In the end, database and provider are asked what became
of each file.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.campaign import Channel, Place, Scheduler, Wave, expected, make_files, plan_of
from benchmarks.chaos.observation import Comparison, Sandbox, compare, known
from benchmarks.chaos.services import until
from benchmarks.chaos.stack import Production, Stack, provider_running
from benchmarks.checkouts import git
from worker.checkout import CHECKOUT

#: Files of one campaign; there is one on each channel for each step of the upgrade.
FILES = 60
CHANNELS = 3
#: Seconds for the rest of the uploads, once all processes are new.
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an operator does, and how long it took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """What came of one.

    Attributes:
        revision: from which.
        accepted: files whose hand-over was acknowledged.
        throttled: uploads that the provider refused, because there were more than 25 in a second.
        died: processes that ended without being told to.
        complaints: lines of the logs that are errors, by process.
    """

    revision: str
    accepted: int
    counted: Comparison
    throttled: int
    died: Sequence[str]
    complaints: Sequence[str]
    steps: Sequence[Step]

    @property
    def lost(self) -> int:
        """Files that were accepted, and are not ready under an ID of their own."""
        return self.accepted - self.counted.ready

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost, mistaken, done twice or refused, and nobody died."""
        counted = self.counted
        return not (self.lost or counted.wrong or counted.twice or self.throttled or self.died)


def before_the_tables_changed() -> str:
    """The last revision whose tables are not those of this checkout.

    Raises:
        CalledProcessError: there is none here.
    """
    # Added, and not given another number since: in between, two may have had the same one.
    changed = git("log", "-1", "--diff-filter=A", "--format=%h", "--", "migrations/versions")
    return git("rev-parse", "--verify", "--quiet", f"{changed}^")


def unpack(revision: str, folder: Path) -> Path:
    """The files of a revision, in a folder of their own."""
    archive = subprocess.run(
        ["git", "archive", "--format=zip", revision],  # noqa: S607 - as people have it
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(io.BytesIO(archive.stdout)) as files:
        files.extractall(folder)
    return folder


def upgrade(revision: str, folder: Path, files: int = FILES) -> Upgrade:
    """Upgrade a stack of that revision to this checkout, with campaigns on their way at each step."""
    old = unpack(revision, folder / "old")
    with provider_running(folder) as provider:
        stack = Production(folder, provider, f"http://localhost:{provider.port}", {}, code=old)
        try:
            stack.start()
            campaigns = Campaigns(stack, folder / "media", files)
            campaigns.hand_over("before")
            steps = []
            for name, do in _steps(stack):
                campaigns.hand_over(name)
                began = time.monotonic()
                do()
                steps.append(Step(name=name, seconds=time.monotonic() - began))
            wanted = campaigns.end()
            sandbox = Sandbox(f"http://127.0.0.1:{provider.port}")
            return Upgrade(
                revision=git("rev-parse", "--short", revision),
                accepted=len(wanted),
                counted=compare(stack, campaigns.channels, wanted),
                throttled=sandbox.sum(campaigns.channels, "throttled"),
                died=stack.ended(),
                complaints=list(_complaints(stack)),
                steps=steps,
            )
        finally:
            stack.stop()


class Campaigns:
    """What a scheduler hands over meanwhile, one campaign on each channel at a time.

    Attributes:
        channels: on which.
    """

    def __init__(self, stack: Stack, folder: Path, files: int) -> None:
        self.channels = [
            Channel(id=f"491511234567{number}", keys=[f"key-{number}"]) for number in range(CHANNELS)
        ]
        for channel in self.channels:
            stack.add_channel(channel.id, channel.keys[-1])
        self._stack, self._folder, self._files = stack, folder, files
        self._schedulers: list[Scheduler] = []

    def hand_over(self, name: str) -> None:
        """Files that nobody has seen before, on all channels; waits until the first of them are ready."""
        images = make_files(self._folder / name, self._files, first=len(self._schedulers) * self._files)
        waves = [
            Wave(plan=plan_of(f"{name}-{channel.id}", channel), files=images) for channel in self.channels
        ]
        scheduler = Scheduler(stack=self._stack)
        self._schedulers.append(scheduler)
        scheduler.begin(waves)
        until(lambda: self._ready(expected(waves)) > 0, f"files of the campaigns {name} are ready")

    def end(self) -> Mapping[Place, str]:
        """Wait until all that was acknowledged is ready; returns that, SHA-256 by campaign and ref."""
        waves = [
            wave for scheduler in self._schedulers if scheduler.wait(PATIENCE) for wave in scheduler.accepted
        ]
        wanted = expected(waves)
        with suppress(TimeoutError):  # what is missing is counted as lost
            until(lambda: self._ready(wanted) == len(wanted), "all is ready")
            until(
                lambda: known(self._stack.database, self.channels).with_workers == 0, "nothing is in flight"
            )
        return wanted

    def _ready(self, wanted: Mapping[Place, str]) -> int:
        return len(known(self._stack.database, self.channels).current.keys() & wanted.keys())


def _steps(stack: Production) -> Iterator[tuple[str, Callable[[], None]]]:
    """What an operator does, in this order."""
    yield "tables", lambda: stack.migrate(CHECKOUT)
    for name in (*stack.workers, "beat"):
        yield name, lambda name=name: stack.replace(name, CHECKOUT)  # type: ignore[misc]  # bound at once


def _complaints(stack: Production) -> Iterator[str]:
    """Lines of the logs that somebody would have to look into."""
    for name in (*stack.workers, "beat"):
        for line in stack.log_of(name).splitlines():
            if re.search(r" (ERROR|CRITICAL) |^Traceback", line):
                yield f"{name}: {line}"


def report(found: Upgrade) -> list[str]:
    """What is printed."""
    counted = found.counted
    return [
        f"From {found.revision} to this checkout, with {found.accepted:,} files handed over meanwhile:",
        f"  lost {found.lost}, wrong {counted.wrong}, twice {counted.twice}, orphans {counted.orphans}",
        f"  refused by the provider: {found.throttled}",
        *(f"  {step.name:10} {step.seconds:5.1f} s" for step in found.steps),
        *(f"  died: {name}" for name in found.died),
        *(f"  {line}" for line in found.complaints),
    ]


def main() -> int:
    """Upgrade, print what came of it, and fail where something was lost."""
    parser = argparse.ArgumentParser(description="Upgrade a stack in mid-campaign.")
    parser.add_argument(
        "revision", nargs="?", default=None, help="from which; else before the tables changed"
    )
    parser.add_argument("--files", type=int, default=FILES, help="in each campaign")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        # PostgreSQL runs under an account of its own, and has to come into its folder.
        Path(folder).chmod(0o755)
        found = upgrade(chosen.revision or before_the_tables_changed(), Path(folder), chosen.files)
    print("\n".join(report(found)))
    return 0 if found.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
