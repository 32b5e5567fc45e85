"""Install what a lock pins into this Python's environment: by uv where it can, else by pip.

``python requirements/install.py requirements/development.txt``. uv takes half of pip's processor time;
it is among the pins itself, and pip brings it first. Whatever uv cannot do (an index that asks for more than
it was told, a file that only pip finds) pip does, so that where pip is set up nothing else need be. Hashes
are required of both. Only the standard library is imported: nothing else is there yet.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_PIN = re.compile(r"^uv==.*(?:\n +--hash=.*)*$", re.MULTILINE)
#: What pip is set up with, and how uv is told the same. More than this is pip's to understand.
_TOLD = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
#: Who says it, the last one having the last word; other commands' settings are not ours.
_BY = ("global", "install", ":env:")
#: Several of them, one after the other: uv's manual has commas for these, and spaces for the rest.
_BY_COMMAS = frozenset({"find-links"})
#: Of pip's own manners; what is installed does not depend on it. Nor does it on constraints: the lock has one
#: version of everything, and uv takes none of those without a version beside hashes.
_HARMLESS = frozenset(
    {
        "disable-pip-version-check",
        "quiet",
        "no-cache-dir",
        "cache-dir",
        "timeout",
        "default-timeout",
        "retries",
        "no-input",
    }
    | {"config-file", "constraint", "progress-bar", "root-user-action", "no-color", "require-virtualenv"}
)


def pin_of_uv(lock: str) -> str | None:
    """The lines of a lock that pin uv, with their hashes; None where it pins none."""
    found = _PIN.search(lock)
    return found[0] + "\n" if found else None


def told(listed: str) -> dict[str, str] | None:
    """What uv's environment says of indexes; None where pip is set up with what uv would not understand.

    Args:
        listed: what ``pip config list`` prints: ``global.index-url='https://...'``, a setting a line.
    """
    environment = {}
    for setting, value in _settings(listed).items():
        if setting in _TOLD:
            words = str(ast.literal_eval(value)).split()
            environment[_TOLD[setting]] = ("," if setting in _BY_COMMAS else " ").join(words)
        elif setting not in _HARMLESS:
            return None
    return environment


def _settings(listed: str) -> dict[str, str]:
    """What applies to ``pip install``, as it is spelt."""
    by: dict[str, dict[str, str]] = {who: {} for who in _BY}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        who, _, setting = name.rpartition(".")
        by.get(who, {})[setting] = value
    return {setting: value for who in _BY for setting, value in by[who].items()}


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the project's own tool
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def settings() -> str:
    """What pip is set up with, a setting a line. Without ``--quiet``, under which pip 23 lists nothing."""
    return _pip("config", "list").stdout


def by_pip(lock: Path) -> int:
    """Install what a lock pins by pip; returns its exit code."""
    return _pip("install", "--quiet", "--require-hashes", "--requirement", str(lock)).returncode


def by_uv(lock: Path, environment: Mapping[str, str]) -> bool:
    """Install what locks pin by uv, compiled as pip does it; returns whether that went well."""
    pins = pin_of_uv(lock.read_text(encoding="utf-8"))
    if pins is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "uv.txt"
        first.write_text(pins, encoding="utf-8")
        if by_pip(first) != 0:
            return False
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable, "--compile-bytecode"]
    # As pip does, the best of all indexes; what that may be, the hashes say.
    everywhere = {"UV_INDEX_STRATEGY": "unsafe-best-match", **environment, **os.environ}
    answer = subprocess.run(  # noqa: S603 - the project's own tool
        [*command, "--require-hashes", "--requirement", str(lock)], check=False, env=everywhere
    )
    return answer.returncode == 0


def install(lock: Path) -> int:
    """Install what a lock pins; returns an exit code."""
    environment = told(settings())
    if environment is not None and by_uv(lock, environment):
        return 0
    sys.stderr.write("pip installs, which takes longer than uv\n")
    return by_pip(lock)


if __name__ == "__main__":
    sys.exit(install(Path(sys.argv[1])))
