"""`greenroom celery`: Celery's own command with Greenroom's app, wherever that was installed."""

from __future__ import annotations

import sys
from importlib import import_module

import click

import worker
from worker.checkout import CHECKOUT

#: Whatever stands behind the command's name is for somebody else, `--help` among it.
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}
#: What runs for months, each with its module. Celery's own command loads all that it has, and the commands of
#: all that is installed, Flower with its web server among them: 15 MB for each process.
LONG_RUNNING = {"worker": "celery.bin.worker", "beat": "celery.bin.beat", "flower": "flower.command"}


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def celery(*, arguments: tuple[str, ...]) -> None:
    """Run Celery with Greenroom's app, as `celery -A worker ARGUMENTS` does in a checkout."""
    # Flower looks for its settings in the folder that it is called in; ours come first, and may be overruled.
    ours = [f"--conf={CHECKOUT / 'flowerconfig.py'}"] if arguments[:1] == ("flower",) else []
    words = [*arguments[:1], *ours, *arguments[1:]]
    sys.argv = ["celery", "-A", "worker", *words]
    if words and words[0] in LONG_RUNNING:
        _run_alone(words[0], words[1:])
    from celery.bin.celery import main  # noqa: PLC0415 - it takes long to load

    sys.exit(main())


def _run_alone(name: str, words: list[str]) -> None:
    """Run one of Celery's commands as Celery would, having loaded no other one."""
    from celery import maybe_patch_concurrency  # noqa: PLC0415 - not for `greenroom celery --help`
    from celery.bin.base import CLIContext  # noqa: PLC0415 - as above

    maybe_patch_concurrency()
    command: click.Command = getattr(import_module(LONG_RUNNING[name]), name)
    given = CLIContext(app=worker.app, no_color=False, workdir=None, quiet=True)
    # Flower asks what its parent's options are.
    with click.Context(click.Group("celery"), info_name="celery", obj=given) as parent:
        command.main(words, prog_name=name, parent=parent, auto_envvar_prefix=f"CELERY_{name.upper()}")
