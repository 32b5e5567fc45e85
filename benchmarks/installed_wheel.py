"""What the wheel brings into a fresh environment: its size, packages, the time to import it, and its types.

Run with ``python -m benchmarks.installed_wheel [--rounds N]``; half a minute, with the package index that pip
is set up for. Writes ``benchmarks/results/installed_wheel.md``.

The wheel is built, and installed by pip with what it depends on, into an environment that has nothing else,
as a scheduler has it. Packages are of the versions that pip finds on that day.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
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
#: Schedulers that are typed against the installed wheel, and with it what they import of their own.
EXAMPLES = ("celery_scheduler.py", "asyncio_scheduler.py")


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


def installed(wheel: Path, folder: Path) -> Installed:
    """A fresh environment with the wheel, and what it depends on."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    tool([*pip, "install", "--no-compile", str(wheel)])
    (packages,) = folder.glob("lib/python*/site-packages")
    sizes = [path.stat().st_size for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return Installed(python=python, packages=len(list(packages.glob("*.dist-info"))), size=sum(sizes))


def tool(command: Sequence[str], *, folder: Path = CHECKOUT) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
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
    for name in EXAMPLES:
        text = (CHECKOUT / "examples" / name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    # The examples' own libraries, which are not Greenroom's, are those of this environment or unknown.
    options = ["--strict", "--config-file=", "--python-executable", str(python), "--cache-dir", "cache"]
    foreign = ["--disable-error-code", "import-untyped", "--disable-error-code", "untyped-decorator"]
    return tool([sys.executable, "-m", "mypy", *options, *foreign, *EXAMPLES], folder=folder).strip()


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
        size, said = wheel.stat().st_size, types_of_examples(client.python, folder)
    text = page(size, client, costs, said)
    RESULTS.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def page(wheel: int, client: Installed, costs: dict[str, list[Cost]], types: str) -> str:
    """The results as Markdown."""
    lines = [
        "# What the wheel brings",
        "",
        "Written by `make bench-wheel`; [what it is](../../docs/how-to/install.md#what-a-scheduler-gets).",
        "",
        *(f"- {name}: {value}" for name, value in describe().items() if name in MACHINE),
        "",
        f"The wheel itself: {wheel / MB:.2f} MB.",
        f"In a fresh environment: {client.packages} packages, {client.size / MB:.0f} MB.",
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
    names = " and ".join(f"`examples/{name}`" for name in EXAMPLES)
    lines += ["", f"`mypy --strict` on {names}, against the installed wheel: {types}", ""]
    return "\n".join(lines)


def cell(values: Sequence[float]) -> str:
    """A median and its spread."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
