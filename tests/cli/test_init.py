"""`greenroom init` writes what docker compose needs to start, and takes nobody's secrets away."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from dotenv import dotenv_values

from cli import main
from greenroom.settings_loader import load_settings
from worker.checkout import CHECKOUT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is called."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> Result:
    """Call it."""
    return CliRunner().invoke(main, ["init", *words])


def test_compose_starts_with_what_is_written(folder: Path) -> None:
    """All that it insists on is there, good, and another one each time; all else has its default."""
    result = call()
    assert result.exit_code == 0, result.output
    written = dotenv_values(folder / ".env")
    wanted = set(
        re.findall(r"\$\{([A-Z_]+):\?", (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))
    )
    assert wanted == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLOWER_PASSWORD", "GREENROOM_SECRET_KEY"}
    made = [str(written[name]) for name in wanted]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch("[0-9a-f]{48}", str(written[name])) for name in wanted if "PASSWORD" in name)
    Fernet(str(written["GREENROOM_SECRET_KEY"]))
    assert not [name for name, value in written.items() if not value]
    settings = {name: str(value) for name, value in written.items() if name.startswith("GREENROOM_")}
    load_settings(
        {**settings, "GREENROOM_DATABASE_URL": "sqlite:///x.db", "GREENROOM_REDIS_URL": "redis://r/0"},
        dotenv=None,
    )
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert not any(value in result.output for value in made)
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8").splitlines()
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines[1:] if line not in example] == [
        f"{line}{written[line[:-1]]}" for line in example if line.endswith("=") and not line.startswith("#")
    ]


def test_a_key_that_is_there_is_never_lost(folder: Path) -> None:
    """What is encrypted under it could not be read any more."""
    (folder / ".env").write_text("GREENROOM_SECRET_KEY=old\n", encoding="utf-8")
    result = call()
    assert (result.exit_code, "is there already" in result.output) == (2, True)
    assert call("--force").exit_code == 0
    assert (folder / ".env.old").read_text(encoding="utf-8") == "GREENROOM_SECRET_KEY=old\n"
    second = (folder / ".env").read_text(encoding="utf-8")
    result = call("--force")
    assert (result.exit_code, ".env.old is there already" in result.output) == (2, True)
    assert (folder / ".env").read_text(encoding="utf-8") == second


def test_a_container_can_write_it_to_standard_output(folder: Path) -> None:
    """Which has no folder of its user's."""
    result = call("--to", "-")
    assert "\nPOSTGRES_PASSWORD=" in result.output
    assert not list(folder.iterdir())
    assert call("--to", "nowhere/.env").exit_code == 2
