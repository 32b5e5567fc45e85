"""Which words of a command line are names that are known, so that a shell completes them without the command.

To load a command with its tables takes half a second, and to ask for names a tenth of that. So commands whose
first word is a name, and options that are one, are known here, too; for everything else the command itself is
loaded and asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete

from cli.options import CAMPAIGN, CHANNEL, installation_options

#: Said of a context in which commands themselves are asked.
_ASK_COMMANDS: Final = object()
_CAMPAIGNS: Final = ("cancel", "explain", "export", "move", "report", "retry", "status", "submit", "watch")
_CHANNELS: Final = (
    *(("channel", name) for name in ("add", "set", "pause", "resume")),
    *(("media", name) for name in ("mark-dead", "recheck")),
)
_WITH_CHANNEL: Final = (
    ("campaign", "submit"),
    *(("media", name) for name in ("list", "show", "url", "download", "delete")),
    ("token", "new"),
)
#: By a command's two words, the sort of name that is its first argument, if any.
FIRST: Final[dict[tuple[str, str], click.ParamType[str]]] = {
    **{("campaign", name): CAMPAIGN for name in _CAMPAIGNS},
    **dict.fromkeys(_CHANNELS, CHANNEL),
}
#: Commands with an option `--channel`.
WITH_CHANNEL: Final = frozenset(_WITH_CHANNEL)


class _QuickCommand(click.Command):
    """Stands in for a command while a line is completed.

    Args:
        words: all that was typed before the word that is completed.
    """

    def __init__(self, words: Sequence[str]) -> None:
        group, name = words[:2]
        # What is not known here would be taken for a name.
        super().__init__(name, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
        first = FIRST.get((group, name))
        if first is not None:
            self.params.append(click.Argument(["name"], type=first))
        if (group, name) in WITH_CHANNEL:
            self.params.append(click.Option(["--channel"], type=CHANNEL))
        installation_options(self)
        self._words = list(words)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What the command itself offers."""
        root = ctx.find_root()
        asked = ShellComplete(root.command, {"obj": _ASK_COMMANDS}, root.info_name or "", "")
        return asked.get_completions(self._words, incomplete)


def quick_command(context: click.Context, words: Sequence[str]) -> click.Command | None:
    """What stands in for the command that a line begins with; None where it is asked itself.

    Args:
        context: of the whole command.
        words: that were typed after it.
    """
    known = tuple(words[:2]) in FIRST.keys() | WITH_CHANNEL
    return _QuickCommand(words) if known and context.obj is not _ASK_COMMANDS else None
