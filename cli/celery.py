"""`greenroom celery`: Celery's own command with Greenroom's app, wherever that was installed."""

from __future__ import annotations

import sys

import click

import worker  # noqa: F401 - before Celery looks for one in the folder that it is called in

#: Whatever stands behind the command's name is for somebody else, `--help` among it.
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def celery(*, arguments: tuple[str, ...]) -> None:
    """Run Celery with Greenroom's app, as `celery -A worker ARGUMENTS` does in a checkout."""
    from celery.bin.celery import main  # noqa: PLC0415 - it takes long to load

    sys.argv = ["celery", "-A", "worker", *arguments]
    sys.exit(main())
