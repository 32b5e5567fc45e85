"""`greenroom sandbox`: our stand-in for 360dialog, on a port of this machine."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import latency_option
from greenroom.errors import Misuse
from sandbox.latency import Latency
from sandbox.server import Options, serve
from sandbox.store import StateInUse


@click.command()
@click.option("--port", default=8360, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@latency_option
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps the media for next time.",
)
@click.option("--api-key", "api_keys", multiple=True, help="A key that is known; without any, all are.")
def sandbox(*, port: int, host: str, latency: str, state: Path | None, api_keys: tuple[str, ...]) -> None:
    """Run a server that behaves as 360dialog's page on media says, until it is interrupted.

    GET /_sandbox/stats tells what it has seen; POST /_sandbox/faults makes it misbehave.
    """
    options = Options(port=port, host=host, latency=Latency.parse(latency), state=state, api_keys=api_keys)
    try:
        serve(options)
    except StateInUse as error:
        raise Misuse(str(error)) from error
    except OSError as error:
        raise Misuse(f"The sandbox cannot listen: {error.strerror}") from error
