"""`greenroom alembic`: Alembic's own command with Greenroom's revisions, wherever they were installed."""

from __future__ import annotations

import click

from cli.celery import PASSED_ON
from worker.checkout import CHECKOUT


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def alembic(*, arguments: tuple[str, ...]) -> None:
    """Run Alembic on the settings' database, as `alembic ARGUMENTS` does in a checkout."""
    from alembic.config import main  # noqa: PLC0415 - it takes long to load

    main(["-c", str(CHECKOUT / "alembic.ini"), *arguments], prog="greenroom alembic")
