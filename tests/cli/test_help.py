"""The list of commands: complete, and there at once."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from cli.campaign import SUBCOMMANDS
from cli.main import COMMANDS

#: What takes long to load, and no list of commands needs.
HEAVY = (
    "celery",
    "sqlalchemy",
    "requests",
    "redis",
    "rich",
    "pydantic",
    "PIL",
    "av",
    "magic",
    "fastapi",
    "uvicorn",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_list_is_there(name: str) -> None:
    """In the module of its name."""
    command = getattr(import_module(f"cli.{name}"), name)
    assert isinstance(command, click.Command)
    assert command.name == name


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_command_of_a_campaign_is_there(name: str) -> None:
    """In the module of its name, with the sentence of the list."""
    command = getattr(import_module(f"cli.campaign_{name}"), name)
    assert isinstance(command, click.Command)
    assert command.get_short_help_str(200).rstrip(".") == SUBCOMMANDS[name].rstrip(".")


def test_handing_over_loads_neither_tables_nor_readers() -> None:
    """A scheduler's script may call it for each campaign."""
    code = "import sys, cli.campaign_submit; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    stores = {"fsspec", "s3fs", "gcsfs", "sshfs", "adlfs", "azure", "botocore", "asyncssh"}
    heavy = {"sqlalchemy", "models", "tasks", "PIL", "av", "magic"}
    # And not psutil, which redis loads with OpenTelemetry's SDK wherever that is installed: decision 0050.
    assert not (heavy | stores) & set(said.split())


def test_the_list_of_commands_loads_none_of_them() -> None:
    """Whoever asks what there is to do is not kept waiting."""
    code = "import sys; from cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    *told, modules = said.splitlines()
    for name, sentence in COMMANDS.items():
        assert f"  {name:{max(map(len, COMMANDS))}}  {sentence}" in told
    assert not set(HEAVY) & set(modules.split())
