"""What the wheel brings: to a scheduler one package with its types, and with the extra `app` the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from greenroom.command import LIBRARIES
from greenroom.vault import new_secret_key
from tests.support.command import environment
from tests.support.corpus import jpeg
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
    """A scheduler's folder, with an environment that has the wheel, what it depends on, and nothing else."""
    return installed(wheel, tmp_path_factory.mktemp("scheduler"), frozenset({""}))


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment that has the wheel with the extra `app`, as pipx and uv make one."""
    # `greenroom[check]` is in `app`; what is linked is what it needs, and not the checkout itself.
    return installed(wheel, tmp_path_factory.mktemp("machine"), frozenset({"", "app", "check"}))


def installed(wheel: Path, folder: Path, extras: frozenset[str]) -> Path:
    """The folder, with the wheel in an environment `env`, and what these extras need.

    Its dependencies are linked to where they are installed already: nothing is downloaded.
    """
    venv.create(folder / "env")
    purelib = site_packages(folder)
    words = ("pip", "--python", folder / "env" / "bin" / "python", "install", "--no-index", "--no-deps")
    result = run(*words, "--disable-pip-version-check", wheel, folder=folder)
    assert result.returncode == 0, result.stderr
    (greenroom,) = distributions(name="greenroom", path=[str(purelib)])
    for package in needed_by(greenroom, extras):
        for top in {
            file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")
        } - {path.name for path in purelib.iterdir()}:
            (purelib / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)
    return folder


def site_packages(folder: Path) -> Path:
    """Where the environment of a folder has its packages."""
    return folder / "env" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)


def command_in(folder: Path, *words: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command that the wheel brought, away from the checkout."""
    command = [str(folder / "env" / "bin" / "greenroom"), *map(str, words)]
    kept = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=folder, env={**kept, **settings}, capture_output=True, text=True, check=False
    )


def needed_by(package: Distribution, extras: frozenset[str]) -> list[Distribution]:
    """What comes with a package, as its metadata has it."""
    found: dict[str, Distribution] = {}
    asked = [(package, extras)]
    while asked:
        current, wanted = asked.pop()
        for requirement in map(Requirement, current.requires or ()):
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in wanted):
                continue
            if requirement.name == "greenroom":
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


def test_the_command_says_what_it_needs(scheduler: Path) -> None:
    """It is there for schedulers, too, who have not asked for it: no traceback, one sentence."""
    result = command_in(scheduler, "check", ".")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "The greenroom command needs aiohttp, which is not installed. Run: pip install 'greenroom[app]'\n"
    )


def test_the_command_knows_all_that_its_extra_brings() -> None:
    """By the names under which it is imported, which are not always those of the packages."""
    (own,) = distributions(name="greenroom", path=[sysconfig.get_path("purelib")])
    wanted = {
        requirement.name
        for requirement in map(Requirement, own.requires or ())
        if requirement.marker and any(requirement.marker.evaluate({"extra": one}) for one in ("app", "check"))
    }
    providers = packages_distributions()
    brought = {canonicalize_name(name) for library in LIBRARIES for name in providers[library]}
    assert brought == wanted - {"greenroom"}


def test_no_name_of_the_applications_lands_among_others(machine: Path) -> None:
    """They are found by the command, and by nobody else in the same environment."""
    for name in (
        "api",
        "worker",
        "tasks",
        "models",
        "migrations",
        "cli",
        "sandbox",
        "examples",
        "alembic.ini",
    ):
        assert not (site_packages(machine) / name).exists()
        assert (site_packages(machine) / "greenroom" / "_app" / name).exists()
    found = in_the_scheduler(
        machine, "from importlib.util import find_spec; print(find_spec('models'), find_spec('worker'))"
    )
    assert (found.stdout, found.stderr) == ("None None\n", "")


def test_the_wheel_has_each_file_that_the_product_looks_for(machine: Path) -> None:
    """Beside the packages, where a checkout has them."""
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("cli", "worker", "tasks", "models", "migrations", "sandbox")
        for path in (CHECKOUT / folder).rglob("*.py")
    ]
    looked_for = {name for text in texts for name in re.findall(r"CHECKOUT / [\"']([\w.]+)[\"']", text)}
    assert {"alembic.ini", "flowerconfig.py", ".env.example"} <= looked_for
    packages = site_packages(machine) / "greenroom" / "_app"
    assert not {name for name in looked_for if not (packages / name).exists()}


def test_the_installed_command_does_what_that_of_a_checkout_does(machine: Path) -> None:
    """Files are judged, uploaded to the sandbox by an embedded stack, and its database is looked into."""
    (machine / "one.jpg").write_bytes(jpeg())
    checked = command_in(machine, "check", "one.jpg", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["verdict"]) == (0, "accepted"), checked.stderr
    ran = command_in(machine, "run", "--sandbox", "one.jpg", "--channel", "4915112345678", "--json")
    assert ran.returncode == 0, ran.stderr
    listed = command_in(machine, "media", "list", "--sandbox", "--json")
    (media,) = json.loads(listed.stdout)["media"]
    assert json.loads(ran.stdout)["media_id"] == media["media_id"]
    served = command_in(machine, "sandbox", "--help")
    assert (served.returncode, "--latency" in served.stdout) == (0, True)


def test_the_installed_command_brings_tables_and_workers(machine: Path) -> None:
    """Alembic finds the revisions, and Celery the app, where another `worker` lies in the folder, too."""
    settings = {
        "GREENROOM_DATABASE_URL": f"sqlite:///{machine / 'production.db'}",
        "GREENROOM_REDIS_URL": "redis://127.0.0.1:1/0",
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
    }
    (machine / "worker.py").write_text("app = None", encoding="utf-8")
    upgraded = command_in(machine, "alembic", "upgrade", "head", **settings)
    assert upgraded.returncode == 0, upgraded.stderr
    current = command_in(machine, "alembic", "current", **settings)
    assert current.stdout.strip().endswith("(head)")
    told = command_in(machine, "celery", "report", **settings)
    assert (told.returncode, "redis" in told.stdout) == (0, True), told.stderr
    assert command_in(machine, "channel", "list", "--json", **settings).stdout == '{"channels": []}\n'
    refused = command_in(machine, "celery", "worker", "--no-such-option", **settings)
    assert (refused.returncode, "No such option" in refused.stderr) == (2, True)


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
        "import sys, greenroom.aio, greenroom.client, greenroom.contract, greenroom.manifest_file;"
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
        ("greenroom.provider.ProviderClient", "app"),
        ("greenroom.sources", "app"),
        ("greenroom.vault", "app"),
        ("greenroom.settings_loader", "app"),
    ],
)
def test_what_needs_an_extra_says_so_in_one_sentence(scheduler: Path, module: str, extra: str) -> None:
    """With what to install; nobody has to find out which library belongs to what."""
    package, _, name = module.rpartition(".")
    statement = f"from {package} import {name}"
    result = in_the_scheduler(
        scheduler, f"try: {statement}\nexcept ImportError as error: print(type(error).__name__, error)"
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
