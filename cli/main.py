"""The command's root: which subcommands there are, and how errors become a sentence and an exit code."""

from __future__ import annotations

from typing import Any

import click

from cli.lazy_group import LazyGroup
from greenroom import __version__
from greenroom.errors import GreenroomError
from greenroom.untrusted_text import LONGEST_SENTENCE, printable_lines

#: The exit code of a command that was ended by Ctrl-C, as shells have it: 128 and the signal's number.
INTERRUPTED = 130


#: What each subcommand is for. It stands in a module of its name.
COMMANDS = {
    "alembic": "Run Alembic on the settings' database.",
    "campaign": "Hand campaigns over, see how far they are, take their media IDs.",
    "celery": "Run Celery with Greenroom's app: workers, beat, Flower.",
    "channel": "Phone numbers and their API keys.",
    "check": "Judge files and folders by WhatsApp's rules.",
    "completion": "Print the script by which a shell completes words.",
    "demo": "Get the example campaign ready, on this machine alone.",
    "doctor": "Look at every part, and say what to do.",
    "init": "Write a .env for production, with a fresh key and passwords.",
    "media": "Media IDs at the provider.",
    "metrics": "Show metrics to Prometheus.",
    "run": "Check and upload files and folders, and print their media IDs.",
    "sandbox": "Run a server that stands in for 360dialog.",
    "serve": "Serve the HTTP API, for schedulers that do not speak Celery.",
    "token": "Tokens of the schedulers that come by HTTP.",
}


class CommandGroup(LazyGroup):
    """Our errors are sentences for people: shown as such, with exit code 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; what is wrong with it is told so that it cannot drive the terminal."""
        try:
            return super().parse_args(ctx, args)
        except click.ClickException as error:
            raise _made_printable(error) from error.__cause__

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; what stands in for it, where a shell asks for names."""
        if ctx.resilient_parsing:
            from cli.quick_completion import quick_command  # noqa: PLC0415 - not loaded otherwise

            quick = quick_command(ctx, args)
            if quick is not None:
                return quick.name, quick, args[2:]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except GreenroomError as error:
            raise _made_printable(Failure(str(error))) from error
        except click.ClickException as error:
            raise _made_printable(error) from error.__cause__
        except KeyboardInterrupt as interrupt:
            # Some commands say what is kept. Not 1, which says that files were rejected.
            click.echo(printable_lines(" ".join(["Interrupted.", *interrupt.args])), err=True)
            ctx.exit(INTERRUPTED)


class Failure(click.ClickException):
    """A sentence on standard error, and exit code 2."""

    exit_code = 2


def _made_printable(error: click.ClickException) -> click.ClickException:
    """The error, whose text may hold a name or an argument that others chose."""
    # Typed as final; but each kind of click's errors has another constructor.
    vars(error)["message"] = printable_lines(error.message, longest=LONGEST_SENTENCE)
    return error


@click.group(
    cls=CommandGroup,
    module="cli.{}",
    sentences=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="greenroom")
def main() -> None:
    """Get WhatsApp media ready before a campaign goes on stage."""
