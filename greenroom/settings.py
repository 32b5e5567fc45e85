"""Greenroom's settings: read once from the environment into a frozen, checked value.

Each field is set by ``GREENROOM_<FIELD>`` in the environment or in a ``.env`` file (the environment wins),
or, so that secrets need not stand in the environment, by ``GREENROOM_<FIELD>_FILE`` naming a file.

How addresses and lists are written: databases as ``postgresql://`` or ``sqlite:///``, Redis as ``redis://``,
``rediss://``, ``unix://`` or ``sentinel://``, several values with commas between them. :mod:`.setting_types`
checks them, and says of one that is wrong what to write instead.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
)

from greenroom.callbacks.permission import parse_task_patterns
from greenroom.lifecycle import LifeRules
from greenroom.rate_limit.limiter import DEFAULT_UPLOADS_PER_SECOND
from greenroom.redis_client import celery_address
from greenroom.setting_types import (
    checked_broker_url,
    checked_callback_secret,
    checked_database_url,
    checked_fernet_keys,
    checked_http_url,
    checked_networks,
    checked_redis_url,
    checked_sentinel_master,
    unless_empty,
)
from greenroom.sources.allowed_stores import AllowedStore, parse_stores
from greenroom.sources.folders import parse_roots
from greenroom.sources.hosts import AllowedHost, parse_hosts


class Settings(BaseModel):
    """Everything that a worker, beat or the command line may be told; see docs/reference/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[SecretStr, AfterValidator(checked_database_url)] = Field(
        description="SQLAlchemy address of the database that holds campaigns, assets and media.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(checked_redis_url)] = Field(
        description="Redis or Valkey that holds the pace of every channel, and is the broker by default.",
    )
    broker_url: Annotated[SecretStr | None, AfterValidator(checked_broker_url)] = Field(
        default=None,
        description="Celery's broker, where it is not `redis_url`.",
    )
    sentinel_master: Annotated[str | None, AfterValidator(checked_sentinel_master)] = Field(
        default=None,
        validate_default=True,
        description="Name of the master that Redis Sentinel watches, where `redis_url` or `broker_url` "
        "begins with sentinel://.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(checked_fernet_keys)] = Field(
        description="Fernet key that encrypts API keys at rest; several, newest first, separated by commas.",
    )
    api_base_url: Annotated[str, AfterValidator(checked_http_url)] = Field(
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
        BeforeValidator(unless_empty(parse_roots)),
        Field(
            description="Folders whose files campaigns may name, separated by colons; without it none. "
            "`greenroom run` allows the paths it is given and a manifest's own folder.",
        ),
    ] = None
    source_hosts: Annotated[
        tuple[AllowedHost, ...] | None,
        BeforeValidator(unless_empty(parse_hosts)),
        Field(
            description="Web servers that campaigns' addresses may name, separated by commas; without it "
            "none. `*` is every public one.",
        ),
    ] = None
    source_stores: Annotated[
        tuple[AllowedStore, ...] | None,
        BeforeValidator(unless_empty(parse_stores)),
        Field(
            description="Buckets, containers and SFTP servers, with a folder or without, whose files "
            "campaigns may name, separated by commas: `s3://bucket/folder/`, `gs://bucket/`, "
            "`az://container/`, `sftp://user@host/folder/`; "
            "`=https://example.com` after one names the address of its API. Without it none.",
        ),
    ] = None
    source_cache_folder: Annotated[
        Path | None,
        Field(
            description="Folder on the worker's own disk for files that were fetched; without it each is "
            "fetched for inspection and again for upload."
        ),
    ] = None
    source_cache_mb: int = Field(
        default=1024,
        ge=1,
        le=10_000_000,
        description="Megabytes that the folder for fetched files may hold; what was used longest ago "
        "goes first.",
    )
    callback_hosts: Annotated[
        tuple[AllowedHost, ...] | None,
        BeforeValidator(unless_empty(parse_hosts)),
        Field(
            description="Web servers that campaigns may have called back, separated by commas, as in "
            "`source_hosts`; without it none.",
        ),
    ] = None
    callback_secret: Annotated[
        SecretStr | None,
        BeforeValidator(unless_empty(checked_callback_secret)),
        Field(
            description="What signs call-backs by HTTP: 24 to 64 random bytes in base64; several, separated "
            "by commas, sign each of them.",
        ),
    ] = None
    callback_tasks: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(unless_empty(parse_task_patterns)),
        Field(
            description="Celery tasks of other programs that campaigns may have called back, separated by "
            "commas, `*` at an end for all that begin so; without it none.",
        ),
    ] = None
    trusted_proxies: Annotated[str, AfterValidator(checked_networks)] = Field(
        default="127.0.0.1,::1",
        description="IP addresses and networks of the servers in front of `greenroom serve`, with commas "
        "between: what they say in `X-Forwarded-For` is taken for the reader's address.",
    )
    sole_uploader_since: AwareDatetime | None = Field(
        default=None,
        description="When all that may upload on the channels was started; the embedded stack sets it.",
    )
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
    upload_days_before: float = Field(
        default=14.0,
        ge=0,
        le=3650,
        description=(
            "Days before its send time from which a campaign's media are uploaded; fewer where an ID would "
            "have to be renewed before that."
        ),
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
    file_events: bool = Field(
        default=True,
        description="Give each file a row of its own in Flower, with its media ID or the reason.",
    )
    dispatch_every: float = Field(
        default=5.0,
        ge=0.2,
        le=60,
        description="Seconds between two ticks of the dispatcher, which is called at need in between; more "
        "than 5 count as 5, for a tick also looks for lapsed claims, and for call-backs.",
    )
    log_format: Annotated[
        Literal["auto", "json", "text"],
        Field(
            description="Form of the lines that workers, beat and Flower log. `auto`: `text` on a terminal, "
            "`json` otherwise."
        ),
    ] = "auto"
    health_path: Annotated[
        Path | None,
        Field(
            description="File that a worker touches every five seconds while it takes messages, and beat "
            "with its ticks; for health checks."
        ),
    ] = None

    #: The files that settings were read from.
    _read_from: tuple[Path, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """Keep in mind where the values come from; called by pydantic."""
        self._read_from = tuple(context["read_from"]) if context else ()

    @property
    def private_paths(self) -> tuple[Path, ...]:
        """What Greenroom keeps for itself, and opens for no campaign: its state, its keys, its settings."""
        folders = (one.absolute() for one in (self.state_folder, self.source_cache_folder) if one)
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
