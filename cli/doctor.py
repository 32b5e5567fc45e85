"""`greenroom doctor`: the health of every part, in a sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from cli.doctor_callbacks import undelivered_in_words
from cli.doctor_sources import NOTHING, allowed_sources, troubles_with_stores, warnings_about_sources
from cli.forecast import risks_in_a_sentence
from cli.formats import console, counted, moment, plain
from cli.installation import in_production, open_database
from cli.json_lines import print_json
from cli.options import installation_options, json_option
from cli.when_ready import in_a_sentence
from greenroom.errors import GreenroomError, SettingsError
from greenroom.inspection import inspect_file
from greenroom.redis_client import connect
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.task_names import Queue
from greenroom.vault import Vault
from migrations import configuration
from models import Database
from models.backlog import backlog
from models.campaign_readiness import campaigns_in_danger
from models.channel import list_channels
from models.forecast import at_risk
from tasks.runtime.context import provider_of
from tasks.runtime.tick import HEARTBEAT

#: Seconds that a part has to answer.
REPLY_SECONDS = 3.0
#: A tick of beat older than this many intervals is a sign that it is down.
LATE_TICKS = 4


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How one part is.

    Attributes:
        part: its name.
        well: whether it does its work.
        sentence: what was seen, and what to do where it is not well.
        doubtful: whether it does its work in a way that may not have been meant.
    """

    part: str
    well: bool
    sentence: str
    doubtful: bool = False

    @property
    def mark(self) -> str:
        """A sign for it."""
        if not self.well:
            return "[red]✗[/red]"
        return "[yellow]![/yellow]" if self.doubtful else "[green]✓[/green]"


@click.command()
@json_option
@installation_options
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, state: Path, sandbox: bool) -> None:
    """Look at every part: settings, sources, database, Redis, workers, beat, channels, call-backs, provider.

    Exit code 0: all are well. 1: some are not.
    """
    findings: list[HealthCheck] = []
    for finding in _examine(state, sandbox=sandbox):
        if not as_json:
            sentence = "\n".join(plain(line) for line in finding.sentence.splitlines())
            console.print(f"{finding.mark} [bold]{finding.part:<11}[/bold] {sentence}", soft_wrap=True)
        findings.append(finding)
    all_well = all(finding.well for finding in findings)
    if as_json:
        print_json({"well": all_well, "parts": [asdict(finding) for finding in findings]})
    context.exit(0 if all_well else 1)


def _examine(state: Path, *, sandbox: bool) -> Iterator[HealthCheck]:
    yield _inspection()
    if not in_production():
        yield HealthCheck(
            part="settings",
            well=True,
            sentence="GREENROOM_DATABASE_URL is not set: looking at the embedded installation, which runs "
            "during `greenroom run` alone.",
        )
        yield _safely("database", lambda: _embedded(state, sandbox=sandbox))
        return
    try:
        settings = load_settings()
        database = Database(settings.database_url)
    except GreenroomError as error:
        yield HealthCheck(part="settings", well=False, sentence=str(error))
        return
    yield HealthCheck(part="settings", well=True, sentence="All settings can be used.")
    yield _sources(settings)
    try:
        yield _safely("database", lambda: _database(database))
        yield _safely("redis", lambda: _redis(settings))
        yield _safely("workers", _workers)
        yield _safely("beat", lambda: _beat(settings))
        yield _safely("channels", lambda: _channels(settings, database))
        yield _safely("backlog", lambda: _backlog(database))
        yield _safely("campaigns", lambda: _campaigns(settings, database))
        yield _safely("call-backs", lambda: _callbacks(database))
        yield _safely("media IDs", lambda: _media(settings, database))
        yield _safely("provider", lambda: _provider(settings))
    finally:
        database.close()


def _safely(part: str, look: Callable[[], HealthCheck]) -> HealthCheck:
    try:
        return look()
    except SettingsError as error:
        return HealthCheck(part=part, well=False, sentence=str(error))
    except DBAPIError as error:
        # Tables that are not there yet, or are not to be read; without the statement.
        return HealthCheck(part=part, well=False, sentence=f"The database refuses: {error.orig}")
    except (GreenroomError, RedisError, KombuError, CeleryError, OSError) as error:
        return HealthCheck(part=part, well=False, sentence=f"It cannot be reached: {error}")


def _inspection() -> HealthCheck:
    verdict = inspect_file(Path(__file__))
    return HealthCheck(
        part="inspection",
        well=verdict.accepted,
        sentence="Files can be judged."
        if verdict.accepted
        else f"A plain text was rejected: {verdict.detail}",
    )


def _sources(settings: Settings) -> HealthCheck:
    if not (settings.media_roots or settings.source_hosts or settings.source_stores):
        return HealthCheck(part="sources", well=False, sentence=NOTHING)
    warnings, troubles = list(warnings_about_sources(settings)), list(troubles_with_stores(settings))
    sentence = " ".join([allowed_sources(settings), *warnings, *troubles])
    return HealthCheck(part="sources", well=not troubles, doubtful=bool(warnings), sentence=sentence)


def _embedded(state: Path, *, sandbox: bool) -> HealthCheck:
    with open_database(state, sandbox=sandbox) as database:
        return _database(database)


def _database(database: Database) -> HealthCheck:
    newest = ScriptDirectory.from_config(configuration(database.engine)).get_current_head()
    with database.read() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision != newest:
        return HealthCheck(
            part="database",
            well=False,
            sentence=f"Its tables are at revision {revision or 'none'}, not {newest}. "
            "Run: alembic upgrade head",
        )
    return HealthCheck(
        part="database", well=True, sentence=f"{database.dialect} answers, tables at revision {revision}."
    )


def _connect(settings: Settings) -> Redis:
    return connect(
        settings.redis_url,
        sentinel_master=settings.sentinel_master,
        patience=REPLY_SECONDS,
        answer=REPLY_SECONDS,
    )


def _redis(settings: Settings) -> HealthCheck:
    with _connect(settings) as redis:
        server = redis.info("server")
        memory = redis.info("memory")
        persistence = redis.info("persistence")
    name = f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}"
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        return HealthCheck(
            part="redis",
            well=False,
            sentence=f"{name} may throw away messages and paces when memory is short ({policy}). "
            "Set maxmemory-policy to noeviction.",
        )
    kept = "keeps" if persistence.get("aof_enabled") else "does not keep"
    return HealthCheck(
        part="redis", well=True, sentence=f"{name} answers, and {kept} its data in an append-only file."
    )


def _workers() -> HealthCheck:
    from worker import app  # noqa: PLC0415 - needs settings that were found to be usable by now

    queues: dict[str, list[dict[str, str]]] = app.control.inspect(timeout=REPLY_SECONDS).active_queues() or {}
    if not queues:
        return HealthCheck(
            part="workers",
            well=False,
            sentence="None answers. Start one with: celery -A worker worker -Q control,inspection,upload",
        )
    served = {queue["name"] for of_one in queues.values() for queue in of_one}
    if missing := sorted(set(Queue) - served):
        return HealthCheck(
            part="workers",
            well=False,
            sentence=f"Nobody works on {', '.join(missing)}. Start a worker with -Q {','.join(missing)}",
        )
    return HealthCheck(
        part="workers",
        well=True,
        sentence=f"{counted(len(queues), 'worker answers', 'workers answer')}, and every queue is served.",
    )


def _beat(settings: Settings) -> HealthCheck:
    with _connect(settings) as redis:
        noted = redis.get(HEARTBEAT)
    late = timedelta(seconds=max(LATE_TICKS * settings.dispatch_every, REPLY_SECONDS))
    last = datetime.fromisoformat(noted.decode()) if isinstance(noted, bytes) else None
    if last is None or datetime.now(UTC) - last > late:
        return HealthCheck(
            part="beat",
            well=False,
            sentence=f"{f'Its last tick came {moment(last)}' if last else 'It never ticked'}. Start it with: "
            "celery -A worker beat",
        )
    return HealthCheck(part="beat", well=True, sentence="It ticks.")


def _channels(settings: Settings, database: Database) -> HealthCheck:
    with database.read() as connection:
        channels = list_channels(connection)
    vault = Vault(settings.secret_key)
    for channel in channels:
        vault.decrypt(channel.api_key)
        if channel.paused_at is not None:
            return HealthCheck(
                part="channels",
                well=False,
                sentence=f"Channel {channel.id} is paused since {moment(channel.paused_at)}: "
                f"{channel.paused_reason}",
            )
    if not channels:
        return HealthCheck(
            part="channels",
            well=False,
            sentence="There are none. Add one with: greenroom channel add CHANNEL_ID",
        )
    return HealthCheck(
        part="channels", well=True, sentence=f"{counted(len(channels), 'channel')}, none paused."
    )


def _backlog(database: Database) -> HealthCheck:
    with database.read() as connection:
        waiting = backlog(connection)
    return HealthCheck(
        part="backlog",
        well=not waiting.failed,
        sentence=f"{counted(waiting.inspections, 'file')} to inspect, {waiting.uploads:,} to upload, "
        f"{waiting.failed:,} given up, {counted(waiting.lost_answers, 'possible orphan')} at the provider.",
    )


def _campaigns(settings: Settings, database: Database) -> HealthCheck:
    now = datetime.now(UTC)
    with database.read() as connection:
        late = campaigns_in_danger(connection, now=now, allowed=settings.uploads_per_second)
    if not late:
        return HealthCheck(part="campaigns", well=True, sentence="All that began uploads will be in time.")
    first = late[0]
    where = f" on channel {first.channel_id}" if first.is_on_several else ""
    sentence = f"{first.campaign_id}{where}: {in_a_sentence(first.readiness, now=now)}"
    more = f" So are {len(late) - 1:,} more." if len(late) > 1 else ""
    return HealthCheck(
        part="campaigns",
        well=False,
        sentence=f"{sentence}{more} See: greenroom campaign status {first.campaign_id}",
    )


def _callbacks(database: Database) -> HealthCheck:
    with database.read() as connection:
        failing = undelivered_in_words(connection, now=datetime.now(UTC))
    return HealthCheck(
        part="call-backs", well=not failing, sentence=failing or "All that are due are delivered."
    )


def _media(settings: Settings, database: Database) -> HealthCheck:
    with database.read() as connection:
        endangered = at_risk(connection, now=datetime.now(UTC), rules_of=settings.life_rules, limit=1_000)
    return HealthCheck(
        part="media IDs",
        well=not endangered,
        sentence=risks_in_a_sentence(endangered) if endangered else "None that is needed is at risk.",
    )


def _provider(settings: Settings) -> HealthCheck:
    """Connect as workers do, and say nothing: a request without a key would count as a failed one."""
    # A client that waits for less, and is otherwise the workers' own.
    with closing(provider_of(settings.model_copy(update={"connect_timeout": REPLY_SECONDS}))) as client:
        client.reach()
    return HealthCheck(part="provider", well=True, sentence=f"{settings.api_base_url} accepts connections.")
