"""The command's root: which subcommands there are, and how errors become a sentence and an exit code."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from greenroom import __version__
from greenroom.errors import GreenroomError

#: The exit code of a command that was ended by Ctrl-C, as shells have it: 128 and the signal's number.
INTERRUPTED = 130


#: Each subcommand stands in a module of its name, which is loaded when the command is called: looking at
#: files needs neither tables nor tasks, whose libraries take a second to load.
COMMANDS = ("campaign", "channel", "check", "demo", "doctor", "media", "run", "sandbox")


class Greenroom(click.Group):
    """Our errors are sentences for people: shown as such, with exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """The names of all subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A subcommand, loaded now if it was not yet."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.add_command(getattr(import_module(f"cli.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except GreenroomError as error:
            raise Failure(str(error)) from error
        except KeyboardInterrupt:
            # Not 1, which says that files were rejected.
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


class Failure(click.ClickException):
    """A sentence on standard error, and exit code 2."""

    exit_code = 2


@click.group(cls=Greenroom, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="greenroom")
def main() -> None:
    """Get WhatsApp media ready before a campaign goes on stage."""
