"""A shell completes the command's words, and loads nothing to do so that is not asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from cli.campaign import SUBCOMMANDS
from cli.main import COMMANDS
from tests.support.command import environment


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ca"], {"campaign"}),
        (["campaign", ""], set(SUBCOMMANDS)),
        (["sandbox", "--la"], {"--latency"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], found: set[str]) -> None:
    """Commands, subcommands and options, by the script that is printed."""
    command = tmp_path / "greenroom"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$("{command}" completion bash)"; COMP_WORDS=(greenroom {typed}); COMP_CWORD={len(words)}; '
        f'_greenroom_completion "{command}"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    said = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - as people have it
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (set(said.stdout.split()), said.stderr) == (found, "")


def test_the_list_of_commands_is_completed_without_loading_them() -> None:
    """Whoever presses a key is not kept waiting."""
    code = "import sys; from cli import main; main(prog_name='greenroom', standalone_mode=False)"
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {code}"
    more = {"_GREENROOM_COMPLETE": "bash_complete", "COMP_WORDS": "greenroom ", "COMP_CWORD": "1"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(**more), capture_output=True, text=True, check=False
    )
    assert {line.rpartition(",")[2] for line in said.stdout.splitlines()} == set(COMMANDS)
    loaded = set(said.stderr.split())
    assert "click" in loaded
    assert not {"cli.campaign", "cli.run", "celery", "sqlalchemy", "pydantic"} & loaded


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_own_script(shell: str) -> None:
    """By click, whose scripts they are."""
    said = CliRunner().invoke(main, ["completion", shell])
    assert (said.exit_code, f"_GREENROOM_COMPLETE={shell}_complete" in said.output) == (0, True)
