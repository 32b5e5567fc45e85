"""Programs of others that look at what Greenroom makes: where they come from, and a loud word without them.

``python -m tests.support.outside`` prints the Debian packages, for `make outside-readers`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pytest

#: Each program, and the Debian package that brings it.
PACKAGES = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "curl": "curl",
    "exiftool": "libimage-exiftool-perl",
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "heif-convert": "libheif-examples",
    "mediainfo": "mediainfo",
    "node": "nodejs",
    "opusinfo": "opus-tools",
    "promtool": "prometheus",
}
#: The same of what Debian has not: the packages of npm's.
NPM_PACKAGES = {"azurite-blob": "azurite"}
#: What `make eye` asks besides, for which no test is skipped.
MORE = {"file", "poppler-utils"}


def not_run(reasons: Iterable[str]) -> Counter[str]:
    """How many tests were skipped for want of each program, by the reasons that they gave."""
    missed: Counter[str] = Counter()
    for reason in reasons:
        words = set(re.findall(r"[\w-]+", reason))
        every = PACKAGES | NPM_PACKAGES
        named = [program for program, package in every.items() if words & {program, package}]
        missed.update(named[:1])
    return missed


def say_what_was_not_run(terminal: pytest.TerminalReporter) -> None:
    """A section at the end of a test run, where tests were skipped for want of a program."""
    reports = terminal.getreports("skipped")
    missed = not_run(report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple))
    if missed:
        terminal.section(
            f"{missed.total()} tests with an outside eye did not run", sep="!", red=True, bold=True
        )
        for program, number in sorted(missed.items()):
            terminal.line(f"{program} is missing: {number} skipped", red=True)
        if missed.keys() & PACKAGES.keys():
            terminal.line("make outside-readers installs what they need", red=True)
        for program in sorted(missed.keys() & NPM_PACKAGES.keys()):
            terminal.line(f"npm install --global {NPM_PACKAGES[program]} brings {program}", red=True)


if __name__ == "__main__":
    print(*sorted({*PACKAGES.values(), *MORE}))  # noqa: T201 - the Makefile reads it
