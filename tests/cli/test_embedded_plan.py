"""Which settings hold for the installation that a command works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.embedded_plan import installed_settings
from greenroom.vault import new_secret_key


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A folder without a `.env`, and no database named."""
    monkeypatch.chdir(tmp_path)
    for name in ("GREENROOM_DATABASE_URL", "GREENROOM_DATABASE_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_an_embedded_installation_lives_by_the_users_rules(bare: pytest.MonkeyPatch) -> None:
    """What the stack makes for itself is neither asked for nor read."""
    assert not installed_settings(sandbox=True).life_rules(None).trust_last_use
    bare.setenv("GREENROOM_TRUST_LAST_USE", "true")
    bare.setenv("GREENROOM_SECRET_KEY_FILE", "nowhere.key")
    assert installed_settings(sandbox=False).life_rules(None).trust_last_use


def test_in_production_the_settings_are_those_of_the_workers(bare: pytest.MonkeyPatch) -> None:
    """All of them."""
    bare.setenv("GREENROOM_DATABASE_URL", "sqlite:///some.db")
    bare.setenv("GREENROOM_REDIS_URL", "redis://127.0.0.1/3")
    bare.setenv("GREENROOM_SECRET_KEY", new_secret_key().get_secret_value())
    bare.setenv("GREENROOM_TRUST_LAST_USE", "true")
    settings = installed_settings(sandbox=False)
    assert settings.life_rules(None).trust_last_use
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1/3"
