"""Where a command works: on the installation that the settings name, or on an embedded one in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from cli.known_names import NameTable, known_names
from sandbox.latency import Latency

#: A campaign got ready by hand keeps its media for as long as the provider does without a refresh.
KEEP_DAYS = 30

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

STATE = Path(".greenroom")


def homes_of(state: Path, *, sandbox: bool) -> tuple[Path, Path]:
    """The folders in which an embedded installation may be that `--state` and `--sandbox` name."""
    # A folder that `greenroom demo --state` or an earlier run made may be named itself.
    return state / (SANDBOX if sandbox else LIVE), state


class _ChannelName(click.ParamType[str]):
    """A channel's name, as it is kept, from any form in which it is written."""

    name = "channel"

    def convert(self, value: Any, _param: click.Parameter | None, _context: click.Context | None) -> str:
        from greenroom.manifest import parse_channel_name  # noqa: PLC0415 - it takes long to load

        return parse_channel_name(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that are known."""
        del param
        return _completed("channels", ctx, incomplete)


class _CampaignId(click.types.StringParamType):
    """A campaign's ID, as it is written."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that are known."""
        del param
        return _completed("campaigns", ctx, incomplete)


def _completed(table: NameTable, context: click.Context, beginning: str) -> list[CompletionItem]:
    state = context.params.get("state") or STATE
    homes = homes_of(state, sandbox=bool(context.params.get("sandbox")))
    return [CompletionItem(name) for name in known_names(table, beginning, homes=homes)]


CHANNEL, CAMPAIGN = _ChannelName(), _CampaignId()
#: Media IDs of the sandbox and of the real provider never meet in one database.
LIVE, SANDBOX, DEMO = "live", "sandbox", "demo"


def _checked_latency(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        Latency.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


def latency_option(command: CommandT) -> CommandT:
    """`--latency`, for commands that run the sandbox."""
    return click.option(
        "--latency",
        default="0",
        show_default=True,
        callback=_checked_latency,
        help="The sandbox's answer time, like 80ms or 50ms-1500ms.",
    )(command)


def keep_days_option(command: CommandT) -> CommandT:
    """`--keep-days`, for commands that hand a campaign over."""
    return click.option(
        "--keep-days",
        type=click.IntRange(1, 3650),
        default=KEEP_DAYS,
        show_default=True,
        help="Days its media must stay usable.",
    )(command)


def json_option(command: CommandT) -> CommandT:
    """`--json`, for commands that show what there is: one document, see docs/reference/commands.md."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def id_channel_option(command: CommandT) -> CommandT:
    """`--channel`, for commands that ask the provider about a media ID."""
    return click.option(
        "--channel", type=CHANNEL, help="The number whose ID it is, where that is not known here."
    )(command)


def state_option(command: CommandT) -> CommandT:
    """`--state`, for commands that may work on an embedded installation."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=STATE,
        show_default=True,
        help="Folder of the embedded installation.",
    )(command)


def installation_options(command: CommandT) -> CommandT:
    """`--state` and `--sandbox`, for commands that look into a database."""
    sandbox = click.option(
        "--sandbox", is_flag=True, help="Look at what was run with --sandbox, not at the real provider's."
    )
    return state_option(sandbox(command))
