"""`greenroom celery`: Celery's own command with Greenroom's app, wherever that was installed."""

from __future__ import annotations

import sys

import click

import worker  # noqa: F401 - before Celery looks for one in the folder that it is called in
from worker.checkout import CHECKOUT

#: Whatever stands behind the command's name is for somebody else, `--help` among it.
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def celery(*, arguments: tuple[str, ...]) -> None:
    """Run Celery with Greenroom's app, as `celery -A worker ARGUMENTS` does in a checkout."""
    from celery.bin.celery import main  # noqa: PLC0415 - it takes long to load

    # Flower looks for its settings in the folder that it is called in; ours come first, and may be overruled.
    ours = [f"--conf={CHECKOUT / 'flowerconfig.py'}"] if arguments[:1] == ("flower",) else []
    sys.argv = ["celery", "-A", "worker", *arguments[:1], *ours, *arguments[1:]]
    sys.exit(main())
