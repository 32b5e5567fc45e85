"""`greenroom completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

NAME = "greenroom"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script by which SHELL completes commands, options, paths and names.

    For bash, in ~/.bashrc: eval "$(greenroom completion bash)". For zsh, in ~/.zshrc: the same with zsh.
    For fish: greenroom completion fish > ~/.config/fish/completions/greenroom.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError("click knows these shells")
    sys.stdout.write(kind(context.find_root().command, {}, NAME, "_GREENROOM_COMPLETE").source() + "\n")
