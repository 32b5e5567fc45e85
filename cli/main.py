"""The command's root: which subcommands there are, and how errors become a sentence and an exit code."""

from __future__ import annotations

from typing import Any

import click

from cli.campaign import campaign
from cli.channel import channel
from cli.check import check
from cli.demo import demo
from cli.doctor import doctor
from cli.media import media
from cli.run import run
from cli.sandbox import sandbox
from greenroom import __version__
from greenroom.errors import GreenroomError

#: The exit code of a command that was ended by Ctrl-C, as shells have it: 128 and the signal's number.
INTERRUPTED = 130


class Greenroom(click.Group):
    """Our errors are sentences for people: shown as such, with exit code 2."""

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


for command in (run, check, channel, campaign, media, sandbox, doctor, demo):
    main.add_command(command)
