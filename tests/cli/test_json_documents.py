"""With `--json`, a command prints one document, and the reference has each of its keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from cli import main
from models import Asset, Campaign, Item
from models.channel import note_life, pause_channel
from tests.cli.conftest import Greenroom
from tests.support.rows import accepted_item, ready_item
from tests.support.world import CHANNEL, World
from worker.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
DAY = timedelta(days=1)


@pytest.fixture
def filled(world: World) -> World:
    """A paused channel, and a campaign with a file at risk, a bad one, and one that waits."""
    world.clock.advance(datetime.now(UTC) - world.clock.now())
    at_risk = ready_item(world, "hero", media_id="111")
    accepted_item(world, "bad")
    accepted_item(world, "waits")
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(keep_until=world.clock.now() + 40 * DAY))
        connection.execute(update(Asset).where(Asset.id == at_risk).values(state="failed", detail="No file."))
        bad = {"state": "rejected", "asset_id": None, "reason": "broken", "detail": "It is cut short."}
        connection.execute(update(Item).where(Item.ref == "bad").values(**bad))
        note_life(connection, CHANNEL, DAY)
        pause_channel(connection, CHANNEL, reason="The key was refused.", now=world.clock.now())
    return world


def document(world: World, *words: str) -> dict[str, Any]:
    """What a command prints: one line, and nothing else."""
    settings = world.context.settings
    result = CliRunner().invoke(
        main,
        [*words, "--json"],
        env={
            "GREENROOM_DATABASE_URL": settings.database_url.get_secret_value(),
            "GREENROOM_REDIS_URL": settings.redis_url.get_secret_value(),
            "GREENROOM_SECRET_KEY": settings.secret_key.get_secret_value(),
        },
    )
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    read: dict[str, Any] = json.loads(result.output)
    return read


def keys_of(value: object) -> Iterator[str]:
    """All keys of a document, at any depth."""
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from keys_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from keys_of(one)


def documented(command: str, *more: str) -> tuple[set[str], set[str]]:
    """Keys in the first column of a command's table, and all words of code there; and in those of others."""
    parts = [PAGE.split(f"### `greenroom {one} --json`\n")[1].split("\n### ")[0] for one in (command, *more)]
    parts = [part.split("\n## ")[0] for part in parts]
    rows = [row for part in parts for row in re.findall(r"^\| (`.+?) \|", part, re.MULTILINE)]
    return set(re.findall(r"`(\w+)`", " ".join(rows))), set(re.findall(r"`(\w+)`", " ".join(parts)))


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        (["campaign", "list"], ["campaign list"]),
        (["campaign", "status"], ["campaign list"]),
        (["campaign", "explain", "spring", "hero"], ["campaign explain"]),
        (["channel", "list"], ["channel list"]),
        (["media", "list"], ["media list"]),
        (["media", "mark-dead", CHANNEL, "111"], ["media mark-dead"]),
        (["media", "recheck"], ["media recheck"]),
    ],
    ids=" ".join,
)
def test_the_reference_has_each_key_and_no_other(
    filled: World, words: list[str], sections: list[str]
) -> None:
    """In the section of the command."""
    keys = set(keys_of(document(filled, *words)))
    first, all_words = documented(*sections)
    assert keys - all_words == set()
    assert first - keys == set()


def test_the_status_of_one_campaign(filled: World) -> None:
    """Counts, what helps, the bad file, the renewal, and the ID at risk; plain figures and moments in UTC."""
    read = document(filled, "campaign", "status", "spring")
    first, all_words = documented("campaign status", "campaign list")
    assert set(keys_of(read)) - all_words == set()
    assert first - {"campaigns"} - set(keys_of(read)) == set()
    assert (read["total"], read["ready"], read["rejected"], read["waiting"]) == (3, 1, 1, 1)
    assert [(one["ref"], one["reason"]) for one in read["bad"]] == [("bad", "broken")]
    assert [(one["ref"], one["why"]) for one in read["media_at_risk"]] == [("hero", "No file.")]
    assert sum(one["files"] for one in read["renewals"]) == 1
    assert read["readiness"]["at_risk"]
    assert read["readiness"]["ready_at"] is None
    paused_at = datetime.fromisoformat(read["channel_paused_at"])
    assert paused_at == filled.clock.now()
    assert read["channel_paused_at"].endswith("+00:00")


def test_lists(filled: World) -> None:
    """Each has what the table shows; a channel, all but its key."""
    (campaign,) = document(filled, "campaign", "list")["campaigns"]
    assert (campaign["campaign"], campaign["ready"]) == ("spring", 1)
    (channel,) = document(filled, "channel", "list")["channels"]
    assert (channel["channel"], channel["longest_life_seconds"]) == (CHANNEL, 86_400)
    assert "api_key" not in channel
    (media,) = document(filled, "media", "list")["media"]
    assert (media["media_id"], media["state"], media["last_used_at"]) == ("111", "live", None)


def test_counts(filled: World) -> None:
    """What is done to how many."""
    counts = document(filled, "media", "recheck")
    assert counts == {"looked_up": 1, "renewed": 0, "deleted": 0}
    assert document(filled, "media", "recheck", "--renew") == {"looked_up": 0, "renewed": 1, "deleted": 0}
    dead = ["media", "mark-dead", CHANNEL, "111", "112"]
    assert document(filled, *dead) == {"channel": CHANNEL, "marked_dead": 1}


def test_nothing_is_a_document_too(world: World) -> None:
    """No sentence, where a program reads."""
    assert document(world, "campaign", "list") == {"campaigns": []}
    assert document(world, "media", "list") == {"media": []}


def test_the_doctor_keeps_its_exit_code(greenroom: Greenroom) -> None:
    """Here, no database is there."""
    result = greenroom("doctor", "--json")
    assert result.returncode == 1, result.stderr
    read = json.loads(result.stdout)
    assert not read["well"]
    assert [(one["part"], one["well"]) for one in read["parts"]] == [
        ("inspection", True),
        ("settings", True),
        ("database", False),
    ]
    first, all_words = documented("doctor")
    assert first <= set(keys_of(read)) <= all_words
