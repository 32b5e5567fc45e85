"""Workers of before and of now, side by side on the new tables, in mid-campaign."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.rolling_upgrade import before_the_tables_changed, upgrade

FILES = 20


@pytest.mark.timeout(300)
def test_an_upgrade_in_mid_campaign_costs_nothing(tmp_path: Path) -> None:
    """Nothing is lost, uploaded twice or refused, and no log has an error.

    A migration therefore only adds what workers of before can do without; what they still use is taken away
    by a later one.
    """
    try:
        revision = before_the_tables_changed()
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("there is no Git here, or no history of before the tables changed")
    tmp_path.chmod(0o755)  # PostgreSQL runs under an account of its own
    found = upgrade(revision, tmp_path, FILES)
    assert found.accepted == FILES * 3 * (len(found.steps) + 1)
    assert found.is_whole, found
    assert found.complaints == []
    assert [step.name for step in found.steps] == ["tables", "upload-1", "upload-2", "inspect", "beat"]
