"""What the wheel brings into a fresh environment: its size, packages, the time to import it, and its types.

Run with ``python -m benchmarks.installed_wheel [--rounds N]``; two minutes, with the package index that pip
is set up for. Writes ``benchmarks/results/installed_wheel.md``.

The wheel is built, and installed by pip with what it depends on, into environments that have nothing else: as
a scheduler has it, and with the extra `app` as pipx has it. Packages are of the versions that pip finds on
that day; what only the examples' types need is installed after the client was measured.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.machine import describe
from benchmarks.start import Cost, run
from worker.checkout import CHECKOUT

RESULTS = Path(__file__).parent / "results" / "installed_wheel.md"
ROUNDS = 9
MB = 1_000_000
#: Of the machine, what the figures depend on.
MACHINE = ("date", "processor", "kernel", "python", "load before")
#: What a scheduler imports.
IMPORTS = {
    "`python -c pass`": "pass",
    "`import greenroom.client`": "import greenroom.client",
    "`import greenroom.aio`": "import greenroom.aio",
}
#: Schedulers that are typed against the installed wheel.
EXAMPLES = ("celery_scheduler.py", "asyncio_scheduler.py")
#: Types of what those import besides Greenroom, in the versions that development has.
TYPES = ("celery-types", "types-requests")
#: Django publishes no types, and its stubs have a plugin of their own, which runs beside mypy and Django.
DJANGO_TYPES = ("django", "mypy")
DJANGO_STUBS = "django-stubs"
#: Seconds that one of the tools may take.
PATIENCE = 240


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An environment with the wheel.

    Attributes:
        python: its interpreter.
        packages: how many it has, with Greenroom itself.
        size: bytes of all of them.
    """

    python: Path
    packages: int
    size: int


def built(folder: Path) -> Path:
    """The wheel, by the pinned build backend."""
    tool([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)])
    (path,) = folder.glob("*.whl")
    return path


def installed(wheel: Path, folder: Path, *, extra: str = "") -> Installed:
    """A fresh environment with the wheel, and what it depends on."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install(python, f"{wheel}{extra}")
    (packages,) = folder.glob("lib/python*/site-packages")
    sizes = [path.stat().st_size for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return Installed(python=python, packages=len(list(packages.glob("*.dist-info"))), size=sum(sizes))


def install(python: Path, *packages: str) -> None:
    """Install packages into an environment."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    tool([*pip, "install", "--no-compile", *packages])


def as_here(*packages: str) -> list[str]:
    """Packages in the versions of this environment."""
    return [f"{name}=={version(name)}" for name in packages]


def tool(
    command: Sequence[str], *, folder: Path = CHECKOUT, environment: Mapping[str, str] | None = None
) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed.
        TimeoutExpired: it took too long.
    """
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stdout}{done.stderr}")
    return done.stdout


def import_costs(python: Path, code: str, *, rounds: int) -> list[Cost]:
    """Of so many fresh interpreters; one before them reads the files, and writes what is compiled."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    costs = [run([str(python), "-P", "-c", code], kept) for _ in range(rounds + 1)]
    return costs[1:]


def types_of_examples(python: Path, folder: Path) -> str:
    """What `mypy --strict` says of the examples, away from the checkout and its configuration."""
    install(python, *as_here(*TYPES))
    for name in EXAMPLES:
        shutil.copy(CHECKOUT / "examples" / name, folder)
    options = ["--strict", "--config-file=", "--python-executable", str(python), "--cache-dir", "cache"]
    return tool([sys.executable, "-m", "mypy", *options, *EXAMPLES], folder=folder).strip()


def types_of_django(python: Path, folder: Path) -> str:
    """What it says of the Django shop, by the stubs of Django, whose plugin reads the shop's settings."""
    install(python, *as_here(*TYPES, *DJANGO_TYPES), DJANGO_STUBS)
    shop = folder / "django_shop"
    shutil.copytree(CHECKOUT / "examples" / "django_shop", shop)
    plugin = (
        "plugins = mypy_django_plugin.main\n[mypy.plugins.django-stubs]\ndjango_settings_module = settings\n"
    )
    (shop / "mypy.ini").write_text(f"[mypy]\n{plugin}", encoding="utf-8")
    names = set(re.findall(r'environ\["(\w+)"\]', (shop / "settings.py").read_text(encoding="utf-8")))
    environment = {**dict.fromkeys(names, "unused"), "PATH": os.environ["PATH"]}
    return tool([str(python), "-m", "mypy", "--strict", "."], folder=shop, environment=environment).strip()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = built(folder / "dist")
        client = installed(wheel, folder / "client")
        costs = {title: import_costs(client.python, code, rounds=rounds) for title, code in IMPORTS.items()}
        said = {
            " and ".join(f"`examples/{example}`" for example in EXAMPLES): types_of_examples(
                client.python, folder
            ),
            "`examples/django_shop`": types_of_django(client.python, folder),
        }
        app = installed(wheel, folder / "app", extra="[app]")
        text = page(wheel.stat().st_size, client, app, costs, said)
    RESULTS.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def page(
    wheel: int, client: Installed, app: Installed, costs: Mapping[str, list[Cost]], types: Mapping[str, str]
) -> str:
    """The results as Markdown."""
    lines = [
        "# What the wheel brings",
        "",
        "Written by `make bench-wheel`; [what it is](../../docs/how-to/install.md#what-a-scheduler-gets).",
        "",
        *(f"- {name}: {value}" for name, value in describe().items() if name in MACHINE),
        "",
        f"The wheel itself: {wheel / MB:.2f} MB.",
        "",
        "| in a fresh environment | packages | MB |",
        "| --- | ---: | ---: |",
        f"| `greenroom` | {client.packages} | {client.size / MB:.0f} |",
        f"| `greenroom[app]`, as pipx and uv install it | {app.packages} | {app.size / MB:.0f} |",
    ]
    lines += [
        "",
        "A fresh interpreter with `greenroom` alone, medians and the smallest and largest:",
        "",
        "| | seconds | CPU |",
        "| --- | ---: | ---: |",
    ]
    for title, found in costs.items():
        wall, cpu = cell([one.wall for one in found]), cell([one.cpu for one in found])
        lines.append(f"| {title} | {wall} | {cpu} |")
    lines += ["", f"`mypy --strict` against the installed wheel, beside it {', '.join(TYPES)}:", ""]
    lines += [f"- {names}: {found}" for names, found in types.items()]
    return "\n".join([*lines, ""])


def cell(values: Sequence[float]) -> str:
    """A median and its spread."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
