"""The worker's configuration: every option exists, every task has its name and queue, nothing is global."""

from __future__ import annotations

import ctypes
import json
import platform
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from celery.apps.beat import Beat
from celery.utils.imports import symbol_by_name
from celery.worker.consumer import Consumer as CelerysConsumer

from greenroom.errors import SettingsError
from greenroom.redis_client import celery_address, connect
from greenroom.rules import BY_MIME_TYPE, OGG_CONTENT_TYPES
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.task_names import QUEUES, TICK_SECONDS, Queue, TaskName
from greenroom.vault import new_secret_key
from tasks.runtime.context import provider_of
from tests.support.command import environment
from worker.checkout import CHECKOUT
from worker.configuration import VISIBILITY_TIMEOUT, configuration
from worker.consumer import ALIVE_EVERY, QUIET, Consumer
from worker.embedded.supervisor_process import ALLOCATOR
from worker.schedule import beat_schedule

#: Celery documents them, and its backends read them, but its table of options lacks them.
READ_BY_THE_REDIS_BACKEND = {"redis_backend_health_check_interval", "result_backend_thread_safe"}
BEAT_TASKS = {
    TaskName.DISPATCH,
    TaskName.FORESEE,
    TaskName.REFRESH,
    TaskName.RETIRE,
    TaskName.VERIFY,
    TaskName.PRUNE,
}


@pytest.fixture
def settings() -> Settings:
    """Settings that need nothing running."""
    return Settings.model_validate(
        {"database_url": "sqlite:///x.db", "redis_url": "redis://localhost/0", "secret_key": new_secret_key()}
    )


def test_every_option_is_one_of_celerys(settings: Settings) -> None:
    """A misspelt option would be accepted silently."""
    known = {str(row[0]) for row in flatten(NAMESPACES)} | READ_BY_THE_REDIS_BACKEND
    assert set(configuration(settings)) <= known


def test_every_task_has_a_queue_and_every_queue_a_task() -> None:
    """And the names are the contract's."""
    assert set(QUEUES) == set(TaskName)
    assert set(QUEUES.values()) == set(Queue)
    assert all(name.startswith("media.") for name in TaskName)


def test_a_message_comes_back_long_after_any_task_has_ended(settings: Settings) -> None:
    """The visibility timeout is well above the longest task."""
    options = configuration(settings)
    assert options["broker_transport_options"]["visibility_timeout"] >= 2 * options["task_time_limit"]
    assert VISIBILITY_TIMEOUT >= 2 * 3600


def test_beat_runs_what_has_to_happen_by_itself(settings: Settings) -> None:
    """Each on its queue, and none that piles up while no worker runs."""
    schedule = beat_schedule(settings)
    assert set(schedule) == {str(name) for name in BEAT_TASKS}
    for name, entry in schedule.items():
        assert entry["options"]["queue"] == QUEUES[TaskName(name)]
        assert entry["options"]["expires"] >= entry["schedule"]


@pytest.mark.parametrize(("asked", "ticks"), [(0.5, 0.5), (5.0, TICK_SECONDS), (60.0, TICK_SECONDS)])
def test_a_tick_is_never_late_for_what_it_looks_for(settings: Settings, asked: float, ticks: float) -> None:
    """Lapsed claims and call-backs wait for it, however seldom files are to be handed out."""
    schedule = beat_schedule(settings.model_copy(update={"dispatch_every": asked}))
    assert schedule["media.dispatch"]["schedule"] == ticks


LOADED = """
import sys
from unittest.mock import patch
import click
from cli.celery import celery
with patch.object(click.Command, "invoke", lambda self, context: print(self.name, context.obj.app.main)):
    try:
        celery.callback(arguments=({name!r},))
    except SystemExit as end:
        assert not end.code
print(*sorted({{one.partition(".")[0] for one in sys.modules}} & {heavy!r}))
"""


def test_beat_rests_until_a_tick_is_due(settings: Settings) -> None:
    """Celery's own scheduler computes for the last ten milliseconds of each wait."""
    app = Celery("beat", set_as_current=False)
    app.conf.update(configuration(settings))
    scheduler = symbol_by_name(vars(Beat(app=app))["scheduler_cls"])(app, lazy=True)
    assert scheduler.adjust(3.0) == 3.0


@pytest.mark.parametrize(("name", "loads"), [("worker", ""), ("beat", ""), ("flower", "flower tornado")])
def test_a_process_that_runs_for_months_loads_its_own_program_alone(
    tmp_path: Path, name: str, loads: str
) -> None:
    """Celery's own command loads Flower into each worker, and settings loaded what opens addresses."""
    heavy = {"flower", "tornado", "requests", "aiohttp", "fastapi", "PIL", "av", "alembic"}
    result = in_a_fresh_process(
        LOADED.format(name=name, heavy=heavy),
        tmp_path,
        GREENROOM_DATABASE_URL="sqlite:///x.db",
        GREENROOM_REDIS_URL="redis://localhost:6399/3",
        GREENROOM_SECRET_KEY=new_secret_key().get_secret_value(),
    )
    assert result.stdout.splitlines() == [f"{name} greenroom", loads], result.stderr


def test_workers_tell_and_hear_little_of_each_other() -> None:
    """Whoever asks for another interval gets it; gossip and mingle are for nobody here."""
    asked = {"without_gossip": False, "without_mingle": False, "heartbeat_interval": None}
    told: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CelerysConsumer, "__init__", lambda _, **given: told.append(given["worker_options"]))
        for interval in (None, 5):
            Consumer(worker_options={**asked, "heartbeat_interval": interval})
    assert told == [{**QUIET, "heartbeat_interval": seconds} for seconds in (ALIVE_EVERY, 5)]


@pytest.mark.parametrize("chosen", OGG_CONTENT_TYPES)
def test_how_ogg_is_declared_is_a_setting(settings: Settings, chosen: str) -> None:
    """The table's types and no others; the client that workers use sends the chosen one."""
    field = Settings.model_fields["ogg_content_type"]
    assert get_args(field.annotation) == OGG_CONTENT_TYPES == BY_MIME_TYPE["audio/ogg"].content_types
    assert field.default == BY_MIME_TYPE["audio/ogg"].content_type
    with closing(provider_of(settings.model_copy(update={"ogg_content_type": chosen}))) as client:
        assert client._content_types["audio/ogg"] == chosen


def in_a_fresh_process(code: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python that has imported nothing of ours."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )


BINDING = """
import json
from tasks.upload import upload_task
before = upload_task.app.conf.broker_url
import worker
worker.app.loader.import_default_modules()
from worker.configuration import load_tasks
load_tasks()
from tasks.resolve import resolve_task
print(json.dumps([before, upload_task.app.conf.broker_url, resolve_task.app.conf.broker_url, sorted(
    name for name in worker.app.tasks if name.startswith("media."))]))
"""


def test_tasks_are_bound_to_no_broker_until_the_worker_is_asked_for(tmp_path: Path) -> None:
    """`@shared_task` belongs to whichever app is current: ours, once `worker.app` was made."""
    result = in_a_fresh_process(
        BINDING,
        tmp_path,
        GREENROOM_DATABASE_URL="sqlite:///x.db",
        GREENROOM_REDIS_URL="redis://localhost:6399/3",
        GREENROOM_SECRET_KEY=new_secret_key().get_secret_value(),
    )
    assert result.returncode == 0, result.stderr
    before, after, later, names = json.loads(result.stdout)
    assert before is None
    assert after == later == "redis://localhost:6399/3"
    assert set(names) == set(TaskName)


def test_wrong_settings_stop_the_worker_with_a_sentence(tmp_path: Path) -> None:
    """All of them at once, what each is for, and no secret in it."""
    result = in_a_fresh_process(
        "import worker; worker.app",
        tmp_path,
        GREENROOM_DATABASE_URL="mysql://root:hunter2@db/greenroom",
        GREENROOM_UPLOADS_PER_SECOND="26",
        GREENROOM_TRUSTED_PROXIES="127.0.0.1,proxy.example",
        GREENROOM_DATABSE="x",
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr
    for words in (
        "GREENROOM_DATABASE_URL: must begin with postgresql:// or sqlite:///",
        "GREENROOM_UPLOADS_PER_SECOND: input should be less than or equal to 25",
        "GREENROOM_TRUSTED_PROXIES: must be IP addresses and networks with commas between",
        "GREENROOM_REDIS_URL is not set",
        "GREENROOM_SECRET_KEY is not set",
        "GREENROOM_DATABSE is not a setting of Greenroom; did you mean GREENROOM_DATABASE_URL?",
    ):
        assert words in result.stderr


TWO = "sentinel://:canary@one:26379/2;sentinel://:canary@two:26379/2"
NO_NAME = "GREENROOM_SENTINEL_MASTER: is not set, and GREENROOM_{} has the addresses of sentinels"
NO_SENTINELS = "GREENROOM_SENTINEL_MASTER: is set, but neither GREENROOM_REDIS_URL nor GREENROOM_BROKER_URL"
EACH = "GREENROOM_REDIS_URL: must have an address with a port for each sentinel"


@pytest.mark.parametrize(
    ("redis_url", "broker_url", "master", "sentence"),
    [
        (TWO, None, None, NO_NAME.format("REDIS_URL")),
        (TWO, None, "", NO_NAME.format("REDIS_URL")),
        ("redis://localhost/0", TWO, None, NO_NAME.format("BROKER_URL")),
        ("redis://localhost/0", None, "mymaster", NO_SENTINELS),
        ("redis://localhost/0", "amqp://localhost", "mymaster", NO_SENTINELS),
        ("sentinel://:canary@one/0", None, "mymaster", EACH),
        ("sentinel://:canary@one:26379,two:26379/0", None, "mymaster", EACH),
        ("sentinel://:canary/word@one:26379/0", None, "mymaster", EACH),
        ("sentinel://:canary@one:26379;two:26379", None, "mymaster", EACH),
        (TWO + ";sentinel://two:26379/2", None, "mymaster", "must have the same user, password and database"),
    ],
)
def test_sentinels_and_their_masters_name_belong_together(
    redis_url: str, broker_url: str | None, master: str | None, sentence: str
) -> None:
    """Otherwise workers would end, or schedulers wait, with words of Celery's. Nobody sees a password."""
    values = {
        "GREENROOM_DATABASE_URL": "sqlite:///x.db",
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        "GREENROOM_REDIS_URL": redis_url,
        "GREENROOM_BROKER_URL": broker_url,
        "GREENROOM_SENTINEL_MASTER": master,
    }
    with pytest.raises(SettingsError, match=re.escape(sentence)) as caught:
        load_settings({name: value for name, value in values.items() if value is not None}, dotenv=None)
    assert str(caught.value).count("\n  - ") == 1
    assert "canary" not in str(caught.value)


def test_the_masters_name_goes_wherever_redis_is_found_by_sentinels() -> None:
    """For messages, for answers, and for paces."""
    settings = Settings.model_validate(
        {
            "database_url": "sqlite:///x.db",
            "redis_url": TWO,
            "sentinel_master": "mymaster",
            "secret_key": new_secret_key(),
        }
    )
    options = configuration(settings)
    assert options["broker_url"] == options["result_backend"] == TWO
    assert options["broker_transport_options"]["master_name"] == "mymaster"
    assert options["result_backend_transport_options"]["master_name"] == "mymaster"
    with connect(settings.redis_url, sentinel_master="mymaster", patience=1, answer=1) as redis:
        told = redis.get_connection_kwargs()
    assert (told["password"], told["db"], told["socket_timeout"]) == ("canary", 2, 1)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("redis://:secret@localhost:6379/1", "redis://:secret@localhost:6379/1"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix://me:a%2Fb@/run/redis.sock?db=3", "redis+socket://me:a%2Fb@/run/redis.sock?virtual_host=3"),
        ("unix:///run/redis.sock?password=a%2Fb", "redis+socket://:a%2Fb@/run/redis.sock?virtual_host=0"),
    ],
)
def test_celery_has_other_names_for_a_socket_of_unix(address: str, expected: str) -> None:
    """And takes what redis-py takes for the address of something else."""
    assert celery_address(address) == expected


def test_a_dotenv_file_and_secret_files_are_read(tmp_path: Path) -> None:
    """The environment wins over .env; a secret may stand in a file of its own."""
    (tmp_path / "key").write_text(new_secret_key().get_secret_value() + "\n", encoding="ascii")
    (tmp_path / ".env").write_text(
        f"GREENROOM_DATABASE_URL=sqlite:///x.db\nGREENROOM_REDIS_URL=redis://from-file/0\n"
        f"GREENROOM_SECRET_KEY_FILE={tmp_path / 'key'}\n",
        encoding="utf-8",
    )
    code = "import worker; print(worker.app.conf.broker_url)"
    assert in_a_fresh_process(code, tmp_path).stdout.strip() == "redis://from-file/0"
    chosen = in_a_fresh_process(code, tmp_path, GREENROOM_REDIS_URL="redis://from-environment/0")
    assert chosen.stdout.strip() == "redis://from-environment/0"


def test_a_worker_does_not_look_for_garbage_among_its_libraries(tmp_path: Path) -> None:
    """What was there when it was set up is not looked at again, and new objects less often."""
    code = (
        "import gc; from celery.signals import celeryd_after_setup; import worker.signals\n"
        "celeryd_after_setup.send(sender='w', instance=None, conf=None)\n"
        "print(gc.get_freeze_count() > 10_000, gc.get_threshold() == worker.signals.GARBAGE_THRESHOLDS)"
    )
    done = in_a_fresh_process(code, tmp_path)
    assert done.stdout.split() == ["True", "True"], done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no heaps for threads")
def test_threads_share_heaps(tmp_path: Path) -> None:
    """However many threads there are; the C library is asked."""
    code = (
        "import ctypes, threading; from celery.signals import celeryd_after_setup; import worker.signals\n"
        "celeryd_after_setup.send(sender='w', instance=None, conf=None)\n"
        "libc, all_there = ctypes.CDLL(None), threading.Barrier(17)\n"
        "for name in 'malloc', 'fopen': getattr(libc, name).restype = ctypes.c_void_p\n"
        "def hold(): libc.malloc(10_000); all_there.wait()\n"
        "for _ in range(16): threading.Thread(target=hold).start()\n"
        "all_there.wait()\n"
        "file = ctypes.c_void_p(libc.fopen(b'heaps.xml', b'w'))\n"
        "libc.malloc_info(0, file); libc.fclose(file)\n"
        "print(0 < open('heaps.xml').read().count('<heap nr') <= worker.signals.HEAPS)"
    )
    done = in_a_fresh_process(code, tmp_path)
    assert done.stdout.split() == ["True"], done.stderr


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library cannot be asked")
@pytest.mark.parametrize("kept", [True, False], ids=["as it is", "as we set it"])
def test_threads_keep_no_memory_that_they_gave_back(tmp_path: Path, *, kept: bool) -> None:
    """What the C library says is in use grows with what each thread has had, unless it is told not to."""
    code = (
        "import ctypes, threading\n"
        "libc, Info = ctypes.CDLL(None), ctypes.c_size_t * 10\n"
        "libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]\n"
        "class Found(ctypes.Structure): _fields_ = [('numbers', Info)]\n"
        "libc.mallinfo2.restype = Found\n"
        "in_use = lambda: libc.mallinfo2().numbers[7]\n"
        "before = in_use()\n"
        "held = [libc.malloc(1000) for _ in range(7)]\n"
        "for block in held: libc.free(block)\n"
        "print(in_use() - before > 3000)"
    )
    done = in_a_fresh_process(code, tmp_path, **({"GLIBC_TUNABLES": ""} if kept else ALLOCATOR))
    assert done.stdout.split() == [str(kept)], done.stderr


def test_the_image_has_the_allocator_of_the_embedded_stack() -> None:
    """It has to be set before a process begins."""
    lines = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [f"ENV {name}={value}" for name, value in ALLOCATOR.items()] == [
        line for line in lines if line.startswith("ENV GLIBC_TUNABLES")
    ]


def test_a_worker_may_have_many_connections(tmp_path: Path) -> None:
    """As many as the system lets it ask for, and no endless number: pool processes close them all."""
    code = (
        "import resource; from celery.signals import celeryd_after_setup; import worker.signals\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))\n"
        "celeryd_after_setup.send(sender='w', instance=None, conf=None)\n"
        "now, still = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "wanted = worker.signals.OPEN_FILES\n"
        "print(now == (wanted if most == resource.RLIM_INFINITY else min(most, wanted)), most == still)"
    )
    done = in_a_fresh_process(code, tmp_path)
    assert done.stdout.split() == ["True", "True"], done.stderr
