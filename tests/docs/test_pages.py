"""Everything that a page shows is typed in, in the order of the page, and answers what the page says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.embedded_plan import stack_plan
from examples import spring_sale
from greenroom.settings import Settings
from greenroom.vault import Vault
from models import Database
from models.channel import add_channel
from tests.docs.reader import Reader
from tests.support.markdown import Block, blocks, name_of, pages
from tests.support.world import CHANNEL, free_port
from worker.checkout import CHECKOUT
from worker.embedded.stack import embedded_stack

#: What cannot run in a test; anything else that a page shows does.
NOT_RUN = re.compile(
    r"git clone|pip (download|wheel)|pipx |uvx |make (demo|test|bench|chaos|eye|secrets)|docker "
    r"|kubectl |GREENROOM_API_KEY_FILE=~/keys"
)
#: Languages whose blocks are typed in, and those that are only looked at.
TYPED = ("sh", "console", "python", "sql")
SHOWN = ("text", "csv", "json")
#: Pages whose commands work on a running installation, as in production.
ON_AN_INSTALLATION = (
    "docs/how-to/backup.md",
    "docs/how-to/channels.md",
    "docs/how-to/monitor.md",
    "docs/how-to/http.md",
    "docs/how-to/production.md",
    "docs/how-to/scheduler.md",
    "docs/how-to/watch.md",
)

EVERY_BLOCK = [block for page in pages() for block in blocks(page)]


def typed(page: Path) -> list[Block]:
    """The blocks of a page that a reader can do something with."""
    found = [block for block in blocks(page) if block.remarked("not run") is None]
    return [block for block in found if block.language in TYPED or block.remarked("file") is not None]


WITH_BLOCKS = [name_of(page) for page in pages() if any(block.language in TYPED for block in typed(page))]
BY_ITSELF = [name for name in WITH_BLOCKS if name not in ON_AN_INSTALLATION]


@pytest.mark.parametrize("block", EVERY_BLOCK, ids=str)
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    """Only what needs Docker, the real 360dialog, or the whole checkout anew is not typed in."""
    assert block.language in TYPED + SHOWN
    reason = block.remarked("not run")
    if reason is not None:
        assert reason
        assert NOT_RUN.search(block.text), f"{block} can be run, so it has to be"


@pytest.fixture(scope="module")
def example_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example campaign's files, to be copied."""
    folder = tmp_path_factory.mktemp("example") / "media"
    spring_sale.make(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, example_files: Path) -> Path:
    """A folder with the files of a campaign, and what is needed of a checkout."""
    shutil.copytree(example_files, tmp_path / "media")
    for name in ("alembic.ini", "migrations"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    return tmp_path


MakeReader = Callable[..., Reader]


@pytest.fixture
def make_reader(folder: Path) -> Iterator[MakeReader]:
    """Somebody who reads a page."""
    readers: list[Reader] = []

    def make(**more: object) -> Reader:
        ports = {port: str(free_port()) for port in ("8360", "5555", "8090", "9464", "8370")}
        values: dict[str, object] = {"environment": {}, "instead": ports, **more}
        values["instead"] = {**ports, **dict(more.get("instead", {}))}  # type: ignore[call-overload] # a mapping
        readers.append(Reader(folder=folder, **values))  # type: ignore[arg-type] # as the tests give them
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("page", BY_ITSELF)
def test_a_page_on_its_own(page: str, make_reader: MakeReader) -> None:
    """With the checkout and a folder of files, and nothing running."""
    if not shutil.which("curl") and any("curl " in block.text for block in typed(CHECKOUT / page)):
        pytest.skip("this machine has no curl")
    # Files that are tried again are handed out by a tick of beat: soon, in a test.
    reader = make_reader(environment={"GREENROOM_DISPATCH_EVERY": "1"})
    for block in typed(CHECKOUT / page):
        reader.read(block)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running installation with one channel: broker, database, worker, beat, and the sandbox."""
    home = tmp_path_factory.mktemp("installation")
    # Where the folders of all this module's tests are.
    media = [tmp_path_factory.getbasetemp()]
    plan = stack_plan(home, workers=1, concurrency=2, sandbox=True, latency="0", media=media)
    # What the page on schedulers has an operator set.
    (secret,) = re.findall(
        r'"(whsec_[^"]+)"', (CHECKOUT / "docs/how-to/scheduler.md").read_text(encoding="utf-8")
    )
    allowed = {"GREENROOM_CALLBACK_HOSTS": "http://127.0.0.1:*", "GREENROOM_CALLBACK_SECRET": secret}
    plan = replace(plan, environment={**plan.environment, **allowed})
    with embedded_stack(plan) as stack:
        yield stack.settings


def give_key(database: Database, settings: Settings) -> None:
    """Its channel, with the key that it had before another page replaced it."""
    with database.write() as connection:
        add_channel(
            connection,
            channel_id=CHANNEL,
            api_base_url=settings.api_base_url,
            api_key=Vault(settings.secret_key).encrypt(SecretStr(f"key-of-{CHANNEL}")),
            now=datetime.now(UTC),
        )


@pytest.mark.xdist_group("docs-installation")
@pytest.mark.parametrize("page", ON_AN_INSTALLATION)
def test_a_page_on_an_installation(page: str, make_reader: MakeReader, installation: Settings) -> None:
    """With settings in the environment that lead to a running installation, as in production."""
    if not shutil.which("curl") and any("curl " in block.text for block in typed(CHECKOUT / page)):
        pytest.skip("this machine has no curl")
    redis = installation.redis_url.get_secret_value()
    database = Database(installation.database_url)
    give_key(database, installation)
    reader = make_reader(
        environment={
            "GREENROOM_DATABASE_URL": installation.database_url.get_secret_value(),
            "GREENROOM_REDIS_URL": redis,
            "GREENROOM_SECRET_KEY": installation.secret_key.get_secret_value(),
            "GREENROOM_API_BASE_URL": installation.api_base_url,
            "GREENROOM_MEDIA_ROOTS": ":".join(map(str, installation.media_roots or ())),
        },
        instead={"redis://localhost:6379/0": redis},
        database=database,
    )
    try:
        for block in typed(CHECKOUT / page):
            reader.read(block)
    finally:
        database.close()
