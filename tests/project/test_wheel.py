"""What lands beside a scheduler's own code: one package, with its types and without a command."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.markdown import blocks
from worker.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "how-to" / "scheduler.md"


def run(*words: str | Path, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment's."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the pinned build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    result = run("hatchling", "build", "--target", "wheel", "--directory", folder)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def scheduler(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scheduler's folder, with an environment that has the wheel, what it depends on, and nothing else.

    Its dependencies are linked to where they are installed already: nothing is downloaded.
    """
    folder = tmp_path_factory.mktemp("scheduler")
    venv.create(folder / "env")
    purelib = folder / "env" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    words = ("pip", "--python", folder / "env" / "bin" / "python", "install", "--no-index", "--no-deps")
    result = run(*words, "--disable-pip-version-check", wheel, folder=folder)
    assert result.returncode == 0, result.stderr
    (greenroom,) = distributions(name="greenroom", path=[str(purelib)])
    for package in needed_by(greenroom):
        for top in {
            file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            (purelib / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)
    return folder


def needed_by(package: Distribution, extras: frozenset[str] = frozenset({""})) -> list[Distribution]:
    """What comes with a package, as its metadata has it."""
    found: dict[str, Distribution] = {}
    asked = [(package, extras)]
    while asked:
        current, wanted = asked.pop()
        for requirement in map(Requirement, current.requires or ()):
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in wanted):
                continue
            needed = distribution(requirement.name)
            if needed.name not in found or requirement.extras:
                asked.append((needed, frozenset({"", *requirement.extras})))
            found[needed.name] = needed
    return list(found.values())


def in_the_scheduler(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter of the scheduler's."""
    command = [str(folder / "env" / "bin" / "python"), "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def typed_strictly(folder: Path, code: str) -> str:
    """What mypy says of a scheduler's code, without this project's configuration."""
    (folder / "scheduler.py").write_text(code, encoding="utf-8")
    options = ("--strict", "--config-file=", "--cache-dir", folder / "cache", "--no-error-summary")
    return run(
        "mypy", *options, "--python-executable", "env/bin/python", "scheduler.py", folder=folder
    ).stdout


def test_only_greenroom_lands_in_the_wheel(wheel: Path) -> None:
    """`models`, `tasks` and `worker` are names that must not land in other people's site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"greenroom"}
    assert "greenroom/py.typed" in names
    schema = CHECKOUT / "greenroom" / "messages.schema.json"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("greenroom/messages.schema.json") == schema.read_bytes()


def test_the_wheel_has_no_command(wheel: Path) -> None:
    """It could not run: `cli` is not there, or is somebody else's."""
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith("entry_points.txt")]


def test_a_scheduler_is_typed_strictly(scheduler: Path) -> None:
    """The one of the documentation, against the wheel; and what is wrong in it is found."""
    code = "".join(block.text for block in blocks(PAGE) if block.language == "python")
    assert typed_strictly(scheduler, code) == ""
    assert "Category.IMAGE" in code
    wrong = "'today'".join(code.replace("Category.IMAGE", "'image'").rsplit("datetime.now(UTC)", 1))
    found = typed_strictly(scheduler, wrong).splitlines()
    assert [line.rpartition("[")[2] for line in found] == ["arg-type]", "list-item]"]


#: What somebody who hands campaigns over has no use for.
HEAVY = ("av", "PIL", "magic", "pylibmagic", "requests", "urllib3", "cryptography", "httptools", "sqlalchemy")


def test_the_wheel_brings_what_a_scheduler_needs_and_nothing_else(scheduler: Path) -> None:
    """Celery with Redis, and pydantic; the rest are extras."""
    result = in_the_scheduler(
        scheduler,
        "from importlib.metadata import requires;"
        "print(sorted(one for one in requires('greenroom') if 'extra ==' not in one))",
    )
    assert result.stdout.strip() == "['celery[redis]>=5.7', 'pydantic>=2.14', 'redis>=8']"


def test_the_client_is_imported_with_what_the_wheel_brings(scheduler: Path) -> None:
    """And with the contract and manifests; no library that opens files or speaks HTTP is loaded."""
    result = in_the_scheduler(
        scheduler,
        "import sys, greenroom.client, greenroom.contract, greenroom.manifest_file;"
        f"print([name for name in {HEAVY} if name in sys.modules])",
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_the_client_loads_nothing_heavy_where_everything_is_installed() -> None:
    """redis-py looks whether cryptography is there, which loads no more of it than its name."""
    code = f"import sys, greenroom.client; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() in ("[]", "['cryptography']")
    loaded = code.replace(f"{HEAVY}", "['cryptography.hazmat', 'cryptography.fernet']")
    result = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("greenroom.inspection", "check"),
        ("greenroom.inspection.judge", "check"),
        ("greenroom.conversion", "check"),
        ("greenroom.isolation.pool_worker", "check"),
        ("greenroom.provider", "app"),
        ("greenroom.sources", "app"),
        ("greenroom.vault", "app"),
        ("greenroom.settings_loader", "app"),
    ],
)
def test_what_needs_an_extra_says_so_in_one_sentence(scheduler: Path, module: str, extra: str) -> None:
    """With what to install; nobody has to find out which library belongs to what."""
    result = in_the_scheduler(
        scheduler, f"try: import {module}\nexcept ImportError as error: print(type(error).__name__, error)"
    )
    assert result.stdout.startswith("ModuleNotFoundError ")
    assert result.stdout.endswith(f", which is not installed. Run: pip install 'greenroom[{extra}]'\n")


def test_the_extras_bring_all_that_the_package_imports(scheduler: Path) -> None:
    """`app` has `check` in it; what the users of Greenroom asked for by name is there."""
    result = in_the_scheduler(
        scheduler, "from importlib.metadata import requires; print(*requires('greenroom'), sep='\\n')"
    )
    requirements = [Requirement(line) for line in result.stdout.splitlines()]
    of = {
        extra: {one.name for one in requirements if one.marker and one.marker.evaluate({"extra": extra})}
        for extra in ("check", "app")
    }
    assert of["check"] == {"av", "pillow", "pylibmagic", "python-magic"}
    assert {"requests", "cryptography", "httptools", "python-dotenv", "sqlalchemy"} < of["app"]
    assert of["check"] < of["app"] or "greenroom" in of["app"]
