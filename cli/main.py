"""The command's root: which subcommands there are, and how errors become a sentence and an exit code."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from cli.loading import without_garbage_collection
from greenroom import __version__
from greenroom.errors import GreenroomError
from greenroom.untrusted_text import LONGEST_SENTENCE, printable_lines

#: The exit code of a command that was ended by Ctrl-C, as shells have it: 128 and the signal's number.
INTERRUPTED = 130


#: What each subcommand is for. It stands in a module of its name, which is loaded when the command is called:
#: neither looking at files nor this list needs tables and tasks, whose libraries take a second to load.
COMMANDS = {
    "campaign": "Hand campaigns over, see how far they are, take their media IDs.",
    "channel": "Phone numbers and their API keys.",
    "check": "Judge files and folders by WhatsApp's rules.",
    "demo": "Get the example campaign ready, on this machine alone.",
    "doctor": "Look at every part, and say what to do.",
    "media": "Media IDs at the provider.",
    "run": "Check and upload files and folders, and print their media IDs.",
    "sandbox": "Run a server that stands in for 360dialog.",
}


class CommandGroup(click.Group):
    """Our errors are sentences for people: shown as such, with exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """The names of all subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A subcommand, loaded now if it was not yet."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            with without_garbage_collection():
                self.add_command(getattr(import_module(f"cli.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of subcommands, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; what is wrong with it is told so that it cannot drive the terminal."""
        try:
            return super().parse_args(ctx, args)
        except click.ClickException as error:
            raise _made_printable(error) from error.__cause__

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except GreenroomError as error:
            raise _made_printable(Failure(str(error))) from error
        except click.ClickException as error:
            raise _made_printable(error) from error.__cause__
        except KeyboardInterrupt:
            # Not 1, which says that files were rejected.
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


class Failure(click.ClickException):
    """A sentence on standard error, and exit code 2."""

    exit_code = 2


def _made_printable(error: click.ClickException) -> click.ClickException:
    """The error, whose text may hold a name or an argument that others chose."""
    # Typed as final; but each kind of click's errors has another constructor.
    vars(error)["message"] = printable_lines(error.message, longest=LONGEST_SENTENCE)
    return error


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="greenroom")
def main() -> None:
    """Get WhatsApp media ready before a campaign goes on stage."""
