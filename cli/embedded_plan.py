"""The plan of an embedded stack, from a command's options and the user's settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cli.installation import given, in_production
from greenroom.setting_types import NOT_SETTINGS, PREFIX
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.vault import new_secret_key
from worker.embedded.stack_plan import StackPlan
from worker.embedded.state_dir import StateDir

#: Settings that the embedded stack makes for itself.
ITS_OWN = (
    "DATABASE_URL",
    "REDIS_URL",
    "BROKER_URL",
    "SENTINEL_MASTER",
    "SECRET_KEY",
    "STATE_FOLDER",
    "SOLE_UPLOADER_SINCE",
)
#: Where the setting is not given, what the command line names is allowed.
MEDIA_ROOTS = "GREENROOM_MEDIA_ROOTS"
#: Settings that are paths; the stack's processes work in another folder.
PATHS = ("_FILE", "CA_BUNDLE", "FIXED_FOLDER", "HEALTH_PATH", "SOURCE_CACHE_FOLDER")
#: Stand for what the embedded stack makes, when the settings of its user are looked at.
PLACEHOLDERS = {
    "GREENROOM_DATABASE_URL": "sqlite:///embedded.db",
    "GREENROOM_REDIS_URL": "redis://127.0.0.1/0",
    "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
}
#: Whether files have rows in Flower.
FILE_EVENTS = PREFIX + "FILE_EVENTS"


def stack_plan(
    state_dir: Path,
    *,
    workers: int,
    concurrency: int,
    sandbox: bool,
    latency: str,
    flower: bool = False,
    media: Iterable[Path] = (),
) -> StackPlan:
    """The stack for a state folder; settings of the user's that the stack does not make for itself are kept.

    Args:
        state_dir: its folder.
        workers: processes that upload.
        concurrency: processes that look at files.
        sandbox: whether to run our own stand-in for 360dialog.
        latency: the sandbox's answer time.
        flower: whether to run Flower.
        media: the files and folders that the user names, whose files may be opened, unless a setting says
            which may.
    """
    environment = _kept(sandbox=sandbox)
    # Before anything is started: a wrong setting stops the start with a sentence.
    load_settings({**environment, **PLACEHOLDERS}, dotenv=None)
    if environment.keys().isdisjoint((MEDIA_ROOTS, MEDIA_ROOTS + "_FILE")):
        StateDir(folder=state_dir).allow(media)
        environment[MEDIA_ROOTS + "_FILE"] = str(StateDir(folder=state_dir).media_roots)
    if not flower:
        # Nobody would see them.
        environment.setdefault(FILE_EVENTS, "false")
    return StackPlan(
        state_dir=str(state_dir.absolute()),
        workers=workers,
        concurrency=concurrency,
        sandbox=sandbox,
        latency=latency,
        flower=flower,
        environment={
            name: str(Path(value).absolute()) if name.endswith(PATHS) else value
            for name, value in environment.items()
            if not name.startswith(NOT_SETTINGS)
        },
    )


def _kept(*, sandbox: bool) -> dict[str, str]:
    """The user's settings that an embedded stack does not make for itself."""
    own = {PREFIX + name for name in ITS_OWN} | ({PREFIX + "API_BASE_URL"} if sandbox else set())
    own |= {name + "_FILE" for name in own}
    return {
        name: value
        for name, value in given().items()
        if name.startswith(PREFIX) and name not in own and value
    }


def installed_settings(*, sandbox: bool, state_dir: StateDir | None = None) -> Settings:
    """The settings of the installation that a command works on; an embedded one's, as if it ran from here.

    Args:
        sandbox: whether it is an embedded one's for the sandbox.
        state_dir: an embedded one's, where files are to be opened that its user has named before.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    if in_production():
        return load_settings()
    kept = _kept(sandbox=sandbox)
    is_open = not kept.keys().isdisjoint((MEDIA_ROOTS, MEDIA_ROOTS + "_FILE"))
    if state_dir is not None and not is_open and state_dir.media_roots.exists():
        kept[MEDIA_ROOTS + "_FILE"] = str(state_dir.media_roots)
    return load_settings({**kept, **PLACEHOLDERS}, dotenv=None)


def settings_of(plan: StackPlan) -> Settings:
    """What the stack's workers will be told, as far as it is known before it runs.

    Raises:
        SettingsError: a setting is wrong.
    """
    return load_settings(
        {**plan.environment, **PLACEHOLDERS, "GREENROOM_STATE_FOLDER": plan.state_dir}, dotenv=None
    )
