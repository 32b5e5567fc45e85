"""Greenroom's settings: read once from the environment into a frozen, checked value.

Each field is set by ``GREENROOM_<FIELD>`` in the environment or in a ``.env`` file (the environment wins),
or, so that secrets need not stand in the environment, by ``GREENROOM_<FIELD>_FILE`` naming a file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from greenroom.errors import SettingsError
from greenroom.lifecycle import LifeRules
from greenroom.limiter import DEFAULT_UPLOADS_PER_SECOND
from greenroom.redis_client import SENTINEL, SEPARATOR, celery_address, is_sentinel
from greenroom.sources.folders import parse_roots
from greenroom.sources.hosts import AllowedHost, parse_hosts
from greenroom.vault import Vault

PREFIX = "GREENROOM_"
#: Names with our prefix that are read elsewhere: by `greenroom run`, and by the tests.
NOT_SETTINGS = ("GREENROOM_API_KEY", "GREENROOM_TEST_")

_ESCAPES = "In a password, write / as %2F, @ as %40, : as %3A, ; as %3B, # as %23 and ? as %3F"
_DATABASES = ("postgresql+psycopg", "postgresql", "sqlite")
_BROKERS = ("redis", "rediss", "unix", "redis+socket", SENTINEL, "amqp", "amqps")


def _database_url(value: SecretStr) -> SecretStr:
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme not in _DATABASES:
        raise ValueError(
            "must begin with postgresql:// or sqlite:///, for example "
            "postgresql://greenroom:password@localhost/greenroom"
        )
    return value


def _redis_url(value: SecretStr) -> SecretStr:
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme == SENTINEL:
        _require_sentinels(value.get_secret_value())
    elif scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "must begin with redis://, rediss://, unix:// or sentinel://, for example redis://localhost:6379/0"
        )
    _require_port(value.get_secret_value())
    return value


def _broker_url(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme == SENTINEL:
        _require_sentinels(value.get_secret_value())
    elif scheme not in _BROKERS:
        raise ValueError(f"must begin with one of {', '.join(scheme + '://' for scheme in _BROKERS)}")
    # Celery takes several brokers, too.
    for address in value.get_secret_value().split(SEPARATOR):
        _require_port(address)
    return value


def _require_port(address: str) -> None:
    """Refuse what libraries would refuse later, with a part of the password in their own words."""
    try:
        _ = urlsplit(address).port
    except ValueError:
        raise ValueError(f"has something else than a number for a port. {_ESCAPES}") from None


def _require_sentinels(value: str) -> None:
    """Refuse what Celery's broker, its backend and we would each read in another way."""
    sentinels = [urlsplit(address) for address in value.split(SEPARATOR)]
    try:
        whole = all(one.scheme == SENTINEL and one.hostname and one.port for one in sentinels)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            "must have an address with a port for each sentinel, for example "
            f"sentinel://one:26379/0;sentinel://two:26379/0. {_ESCAPES}"
        )
    if len({(one.username, one.password, one.path.strip("/") or "0") for one in sentinels}) > 1:
        raise ValueError(
            "must have the same user, password and database in each sentinel's address: they are the master's"
        )


def _sentinel_master(value: str | None, info: ValidationInfo) -> str | None:
    addresses = {name: info.data[name] for name in ("redis_url", "broker_url") if info.data.get(name)}
    of_sentinels = [
        PREFIX + name.upper()
        for name, address in addresses.items()
        if is_sentinel(address.get_secret_value())
    ]
    if of_sentinels and not value:
        raise ValueError(
            f"is not set, and {of_sentinels[0]} has the addresses of sentinels. Set it to the name by which "
            "they know the master: the word after `sentinel monitor` in their configuration"
        )
    # An address that is itself wrong is missing here, and has its own sentence.
    if value is not None and not of_sentinels and {"redis_url", "broker_url"} <= info.data.keys():
        raise ValueError(
            f"is set, but neither {PREFIX}REDIS_URL nor {PREFIX}BROKER_URL begins with sentinel://. Write "
            "the sentinels' addresses there, or remove the name"
        )
    return value


def _fernet_keys(value: SecretStr) -> SecretStr:
    try:
        Vault(value)
    except SettingsError as error:
        raise ValueError(str(error).removeprefix("GREENROOM_SECRET_KEY ")) from None
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("must be a plain http(s) address, for example https://waba-v2.360dialog.io")
    _require_port(value)
    return value.rstrip("/")


def _unless_empty(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An empty value is none: a file of Compose can only hand on what is not set as empty."""
    return lambda value: parse(value) if value else None


class Settings(BaseModel):
    """Everything that a worker, beat or the command line may be told; see docs/reference/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        description="SQLAlchemy address of the database that holds campaigns, assets and media.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        description="Redis or Valkey that holds the pace of every channel, and is the broker by default.",
    )
    broker_url: Annotated[SecretStr | None, AfterValidator(_broker_url)] = Field(
        default=None,
        description="Celery's broker, where it is not `redis_url`.",
    )
    sentinel_master: Annotated[str | None, AfterValidator(_sentinel_master)] = Field(
        default=None,
        validate_default=True,
        description="Name of the master that Redis Sentinel watches, where `redis_url` or `broker_url` "
        "begins with sentinel://.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(_fernet_keys)] = Field(
        description="Fernet key that encrypts API keys at rest; several, newest first, separated by commas.",
    )
    api_base_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="https://waba-v2.360dialog.io",
        description="Address of the provider's API.",
    )
    allow_plain_http: bool = Field(
        default=False,
        description="Let API keys travel over http:// to hosts other than this machine (for a sandbox).",
    )
    https_proxy: Annotated[str | None, Field(description="Proxy for requests to the provider.")] = None
    ca_bundle: Annotated[Path | None, Field(description="CA certificates, where not the usual ones.")] = None
    connect_timeout: float = Field(
        default=10.0, gt=0, le=120, description="Seconds to wait for a connection to the provider."
    )
    read_timeout: float = Field(
        default=60.0, gt=0, le=600, description="Seconds to wait for the provider's next byte."
    )
    uploads_per_second: float = Field(
        default=DEFAULT_UPLOADS_PER_SECOND,
        gt=0,
        le=25,
        description="Uploads in any second on one channel; the provider allows 25. Fewer, where other "
        "programs upload on the same number.",
    )
    ogg_content_type: Annotated[
        Literal["audio/ogg; codecs=opus", "audio/ogg"],
        Field(
            description="`Content-Type` that Ogg Opus is uploaded with: the page says that the base type "
            "`audio/ogg` is not supported. `audio/ogg`, where the provider refuses the longer one.",
        ),
    ] = "audio/ogg; codecs=opus"
    upload_threads: int = Field(
        default=512, ge=1, le=4096, description="Uploads that one worker process has in flight at most."
    )
    batch_size: int = Field(
        default=25, ge=1, le=50, description="Files that are claimed for upload at a time."
    )
    max_hold_seconds: float = Field(
        default=4.0,
        ge=1,
        le=60,
        description="Seconds for which the provider may hold a channel back without its being left alone.",
    )
    inspect_batch_size: int = Field(
        default=25, ge=1, le=200, description="Files that are claimed for inspection at a time."
    )
    inspect_ahead: int = Field(
        default=100, ge=1, le=10_000, description="Files that may be handed out for inspection at once."
    )
    fixed_folder: Annotated[
        Path | None,
        Field(description="Folder for fixed files, the same for all workers; without it nothing is fixed."),
    ] = None
    media_roots: Annotated[
        tuple[Path, ...] | None,
        BeforeValidator(_unless_empty(parse_roots)),
        Field(
            description="Folders whose files campaigns may name, separated by colons; without it none. "
            "`greenroom run` allows the paths it is given and a manifest's own folder.",
        ),
    ] = None
    source_hosts: Annotated[
        tuple[AllowedHost, ...] | None,
        BeforeValidator(_unless_empty(parse_hosts)),
        Field(
            description="Web servers that campaigns' addresses may name, separated by commas; without it "
            "none. `*` is every public one.",
        ),
    ] = None
    state_folder: Annotated[
        Path | None,
        Field(description="Folder of Greenroom's own files, which are never opened for a campaign."),
    ] = None
    lease_seconds: float = Field(
        default=60.0,
        ge=5,
        le=3600,
        description="Seconds until a silent worker's claim lapses; living workers renew theirs.",
    )
    max_attempts: int = Field(
        default=10, ge=1, le=100, description="Transient failures of one file before it is given up."
    )
    media_life_days: float = Field(
        default=30.0,
        gt=0,
        le=365,
        description='Days that the provider keeps media: "stored for 30 days after last use".',
    )
    trust_last_use: bool = Field(
        default=False,
        description="Count an ID's life from its last use alone, and not from its upload as well.",
    )
    refresh_margin_days: float = Field(
        default=3.0, gt=0, le=29, description="Days before its end at which a needed media ID is renewed."
    )
    refresh_spread_days: float = Field(
        default=2.0,
        ge=0,
        le=29,
        description="Days over which renewals are spread, so that one day's uploads do not come due at once.",
    )
    verify_after_days: float = Field(
        default=7.0, gt=0, le=365, description="Age at which a needed media ID is looked up at the provider."
    )
    verify_every_days: float = Field(
        default=2.0, gt=0, le=365, description="Days between two look-ups of one media ID."
    )
    failed_uploads_count: bool = Field(
        default=True,
        description="Book an upload that the provider refused as a failed look-up: its page may mean so. "
        "Where many fail, look-ups wait.",
    )
    grace_hours: float = Field(
        default=24.0,
        ge=0,
        le=720,
        description="Hours that a replaced media ID stays, for messages in flight.",
    )
    keep_after_hours: float = Field(
        default=24.0, ge=0, le=8760, description="Hours that media outlive the last campaign that needs them."
    )
    prune_after_days: float = Field(
        default=90.0,
        ge=1,
        le=3650,
        description="Days after which the rows of finished campaigns and deleted media are dropped.",
    )
    dispatch_every: float = Field(
        default=5.0,
        ge=0.2,
        le=60,
        description="Seconds between two ticks of the dispatcher, which is called at need in between.",
    )

    #: The files that settings were read from.
    _read_from: tuple[Path, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """Keep in mind where the values come from; called by pydantic."""
        self._read_from = tuple(context["read_from"]) if context else ()

    @property
    def private_paths(self) -> tuple[Path, ...]:
        """What Greenroom keeps for itself, and opens for no campaign: its state, its keys, its settings."""
        folders = () if self.state_folder is None else (self.state_folder.absolute(),)
        return (*folders, *self._read_from, *_sqlite_files(self.database_url.get_secret_value()))

    @property
    def celery_broker(self) -> str:
        """Where Celery's messages go; may hold a password, never to be shown."""
        return celery_address((self.broker_url or self.redis_url).get_secret_value())

    @property
    def celery_results(self) -> str:
        """Where Celery's answers go; may hold a password, never to be shown."""
        return celery_address(self.redis_url.get_secret_value())

    @property
    def lease(self) -> timedelta:
        """How long a claim lasts unless it is renewed."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def media_life(self) -> timedelta:
        """How long the provider keeps media after their last use."""
        return timedelta(days=self.media_life_days)

    def life_rules(self, media_life: timedelta | None) -> LifeRules:
        """The rules for a channel's media IDs.

        Args:
            media_life: the channel's own life, where it has one.
        """
        return LifeRules(
            life=media_life or self.media_life,
            margin=timedelta(days=self.refresh_margin_days),
            spread=timedelta(days=self.refresh_spread_days),
            trust_last_use=self.trust_last_use,
            verify_after=timedelta(days=self.verify_after_days),
            verify_every=timedelta(days=self.verify_every_days),
        )

    @property
    def grace(self) -> timedelta:
        """How long a replaced media ID stays at the provider."""
        return timedelta(hours=self.grace_hours)

    @property
    def keep_after(self) -> timedelta:
        """How long media outlive the last campaign that needs them."""
        return timedelta(hours=self.keep_after_hours)

    @property
    def prune_after(self) -> timedelta:
        """How long the rows of what is over are kept."""
        return timedelta(days=self.prune_after_days)


def _sqlite_files(url: str) -> tuple[Path, ...]:
    """The files of an SQLite database; none of another one."""
    scheme, _, path = url.partition("?")[0].partition(":///")
    if not scheme.startswith("sqlite") or path in ("", ":memory:"):
        return ()
    return tuple(Path(path + ending).absolute() for ending in ("", "-wal", "-shm", "-journal"))


def _files_read(named: Mapping[str, str], dotenv: Path | None) -> list[Path]:
    """The files that hold settings, and a channel's API key, which is read elsewhere."""
    named_files = [Path(value) for name, value in named.items() if name.endswith("_FILE") and value]
    return [path.absolute() for path in (*named_files, *((dotenv,) if dotenv else ()))]


def load_settings(
    environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """The settings from the environment (by default the process's own) and a ``.env`` file.

    Raises:
        SettingsError: with one line for each setting that is missing, unknown or wrong. No value of a
            secret is ever part of it.
    """
    values: dict[str, str] = {}
    if dotenv is not None and dotenv.is_file():
        values |= {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
    values |= os.environ if environment is None else environment
    named = {name: value for name, value in values.items() if name.startswith(PREFIX)}
    problems: list[str] = []
    chosen: dict[str, str] = {}
    for name, value in sorted(named.items()):
        if name.startswith(NOT_SETTINGS):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field in Settings.model_fields:
            chosen[field] = value
        elif field.endswith("_file") and field.removesuffix("_file") in Settings.model_fields:
            field = field.removesuffix("_file")
            if PREFIX + field.upper() in named:
                problems.append(f"{PREFIX}{field.upper()} and {name} are both set; keep one of them")
                continue
            try:
                chosen[field] = Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{name} names {value}, which cannot be read: {error.strerror}")
        else:
            problems.append(f"{name} is not a setting of Greenroom{_suggestion(field)}")
    try:
        settings = Settings.model_validate(chosen, context={"read_from": _files_read(named, dotenv)})
    except ValidationError as error:
        raise SettingsError(_sentence([*problems, *_problems(error)])) from None
    if problems:
        raise SettingsError(_sentence(problems))
    return settings


def _suggestion(field: str) -> str:
    close = difflib.get_close_matches(field, Settings.model_fields, n=1)
    return f"; did you mean {PREFIX}{close[0].upper()}?" if close else "; see docs/reference/settings.md"


def _problems(error: ValidationError) -> list[str]:
    """A line for each wrong field; pydantic's own text would show the value, which may be a secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = PREFIX + str(problem["loc"][0]).upper()
        if problem["type"] == "missing":
            what = Settings.model_fields[str(problem["loc"][0])].description
            lines.append(f"{name} is not set. {what}")
        else:
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text[:1].lower()}{text[1:]}")
    return lines


def _sentence(problems: list[str]) -> str:
    return "Greenroom cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems)
