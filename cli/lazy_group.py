"""A group of commands each of which is loaded when it is called, and not to be listed."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Look for no garbage in this block, nor among what it has made: modules are none, and there are many."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class LazyGroup(click.Group):
    """Tables and tasks take half a second to load, and many commands need neither.

    Args:
        module: where a command stands, under its own name, with ``{}`` for that name.
        sentences: what each command is for.
    """

    def __init__(self, *args: Any, module: str, sentences: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._module, self._sentences = module, sentences

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """The names of all commands."""
        return list(self._sentences)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, loaded now if it was not yet."""
        if cmd_name in self._sentences and cmd_name not in self.commands:
            with without_garbage_collection():
                module = import_module(self._module.format(cmd_name))
            self.add_command(getattr(module, cmd_name))
        return super().get_command(ctx, cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers, without loading a command."""
        mine = [
            CompletionItem(name, help=sentence)
            for name, sentence in self._sentences.items()
            if name.startswith(incomplete)
        ]
        # Those of a command, and not of a group, which would load each of them.
        return mine + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._sentences.items()))
