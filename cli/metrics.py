"""`greenroom metrics`: show Prometheus how things stand."""

from __future__ import annotations

import click

from greenroom.errors import Misuse
from greenroom.settings_loader import load_settings
from worker.exporter.http_server import serve_metrics

#: Where programs with OpenTelemetry show theirs, too.
PORT = 9464


@click.command()
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
def metrics(*, port: int, host: str) -> None:
    """Show metrics of the whole installation to Prometheus, until it is interrupted.

    One of these is enough: it reads the database and Redis, where workers write down what they count.
    """
    try:
        serve_metrics(load_settings(), host=host, port=port)
    except OSError as error:
        raise Misuse(f"The exporter cannot listen on {host}:{port}: {error.strerror}") from error
