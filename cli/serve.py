"""`greenroom serve`: the HTTP API, for schedulers that do not speak Celery, and pages for people."""

from __future__ import annotations

import click

from greenroom.errors import Misuse

#: Requests a minute of one token: a scheduler that asks each second, and reports what it sends in batches.
REQUESTS_A_MINUTE = 600
MANIFEST_MIB = 256


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8370, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option(
    "--requests-per-minute",
    default=REQUESTS_A_MINUTE,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Of each token; beyond, the answer is 429.",
)
@click.option(
    "--largest-manifest",
    default=MANIFEST_MIB,
    show_default=True,
    type=click.IntRange(1, 4096),
    help="In MiB; about 100 bytes make a line.",
)
def serve(*, host: str, port: int, requests_per_minute: int, largest_manifest: int) -> None:
    """Serve the HTTP API and the live pages until it is interrupted; `greenroom token` says who may come in.

    It speaks plain HTTP. Beyond this machine, put a server in front of it that speaks TLS.
    """
    from api.http_server import ApiLimits, run_api  # noqa: PLC0415 - it takes long to load
    from greenroom.settings_loader import load_settings  # noqa: PLC0415 - as above

    limits = ApiLimits(requests_per_minute=requests_per_minute, largest_manifest=largest_manifest * 2**20)
    try:
        run_api(load_settings(), limits, host=host, port=port)
    except OSError as error:
        raise Misuse(f"The HTTP API cannot listen on {host}, port {port}: {error.strerror}.") from error
