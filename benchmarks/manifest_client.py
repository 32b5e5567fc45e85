"""The client of one pass of `benchmarks.large_manifest`: a process that loads what a scheduler does."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from greenroom.client import Greenroom
from greenroom.manifest import CampaignPlan, ManifestItem

CHANNEL = "4915112345678"
PATIENCE = 3_600.0


def items(lines: int, changed: int) -> Iterator[ManifestItem]:
    """A million customers, each with a file of their own; the last ones have a new one."""
    for number in range(lines):
        version = "-new" if number >= lines - changed else ""
        ref = f"customer-{number:08}"
        yield ManifestItem(ref=ref, source=f"/media/coupons/{ref}{version}.jpg")


def submit(broker: str, lines: int, changed: int) -> dict[str, Any]:
    """Submit the manifest; returns what the client has seen and used, from the first line to the answer."""
    send_at = datetime(2030, 3, 21, 9, tzinfo=UTC)
    plan = CampaignPlan(id="large", channel=CHANNEL, send_at=send_at, keep_until=send_at + timedelta(days=14))
    with Greenroom(broker, timeout=PATIENCE) as client:
        began, cpu = time.monotonic(), time.process_time()
        said = client.submit(plan, items(lines, changed))
        return {
            "said": said.model_dump(),
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "peak": peak_of(os.getpid()),
        }


def peak_of(pid: int) -> int:
    """The most memory that a process held, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmHWM")


def main() -> None:
    """Be the client; prints JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("broker")
    arguments.add_argument("--lines", type=int, required=True)
    arguments.add_argument("--changed", type=int, required=True)
    given = arguments.parse_args()
    print(json.dumps(submit(given.broker, given.lines, given.changed)))


if __name__ == "__main__":
    main()
