"""`greenroom media`: what the provider has is shown, fetched into new files, and deleted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from cli import main as command
from cli.new_file import new_file
from greenroom.errors import Misuse
from tests.cli.test_json_documents import documented, keys_of
from tests.support.rows import ready_item
from tests.support.world import CANARY_KEY, CHANNEL, World

CONTENT = "hero"
Type = Callable[..., Result]


@pytest.fixture
def media_id(world: World) -> str:
    """The ID of a file that a campaign needs, in the world of now: commands tell the time themselves."""
    world.clock.advance(datetime.now(UTC) - world.clock.now())
    answer = requests.post(
        f"{world.sandbox.url}/media",
        data={"messaging_product": "whatsapp"},
        files={"file": ("hero.jpg", CONTENT.encode(), "image/jpeg")},
        headers={"D360-API-KEY": CANARY_KEY},
        timeout=30,
    )
    media_id: str = answer.json()["id"]
    ready_item(world, CONTENT, media_id=media_id)
    return media_id


@pytest.fixture
def typed(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """Run a command of `greenroom media` on the world's installation; the API key is never shown."""
    settings = world.context.settings
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("GREENROOM_REDIS_URL", settings.redis_url.get_secret_value())
    monkeypatch.setenv("GREENROOM_SECRET_KEY", settings.secret_key.get_secret_value())
    monkeypatch.setenv("GREENROOM_API_BASE_URL", world.sandbox.url)

    def run(*words: str, given: str = "") -> Result:
        result = CliRunner().invoke(command, ["media", *words], input=given)
        assert CANARY_KEY not in result.output
        return result

    return run


def test_show_says_what_is_known_there_and_here(typed: Type, world: World, media_id: str) -> None:
    """One look-up; gone is exit code 1."""
    shown = typed("show", media_id)
    assert shown.exit_code == 0
    for words in ("there: image/jpeg, 4 bytes", "hero.jpg", "Needed by", "spring", "live"):
        assert words in shown.output
    assert "hash=" not in shown.output
    world.sandbox.faults({"forget_media": [media_id]})
    gone = typed("show", media_id)
    assert gone.exit_code == 1
    assert "gone" in gone.output


def test_show_as_json(typed: Type, world: World, media_id: str) -> None:
    """The same, with the same exit codes; the reference has each key."""
    there = json.loads(typed("show", media_id, "--json").output)
    assert (there["there"]["mime_type"], there["there"]["size"]) == ("image/jpeg", 4)
    assert [one["file_name"] for one in there["here"]] == ["hero.jpg"]
    assert (there["needed_by"], there["why_gone"]) == (["spring"], None)
    own, _ = documented("media show")
    _, all_words = documented("media show", "media list")
    assert own <= set(keys_of(there))
    assert set(keys_of(there)) <= all_words
    world.sandbox.faults({"forget_media": [media_id]})
    gone = typed("show", media_id, "--json")
    assert gone.exit_code == 1
    assert json.loads(gone.output)["there"] is None
    assert json.loads(gone.output)["why_gone"]


def test_an_id_that_is_not_known_here_wants_its_channel(typed: Type, world: World, media_id: str) -> None:
    """So does one that two numbers have."""
    unknown = typed("show", "1")
    assert unknown.exit_code == 2
    assert "Media 1 is not known here. Say on which number" in unknown.output
    assert typed("show", "1", "--channel", CHANNEL).exit_code == 1
    world.add_channel("4930", "another")
    ready_item(world, "twin", media_id=media_id, campaign="twin", channel="4930")
    assert f"Media {media_id} is known on {CHANNEL}, 4930" in typed("show", media_id).output
    assert typed("show", media_id, "--channel", CHANNEL).exit_code == 0


def test_a_url_is_written_for_its_owner_alone(
    typed: Type, world: World, media_id: str, tmp_path: Path
) -> None:
    """To a file, of which the terminal shows nothing; or where it is asked for."""
    result = typed("url", media_id, "--to", "url.txt")
    assert result.exit_code == 0, result.output
    assert "hash=" not in result.output
    path = tmp_path / "url.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    url = path.read_text(encoding="ascii").strip()
    assert url.startswith(f"{world.sandbox.url}/whatsapp_business/attachments/?mid=")
    assert requests.get(url, headers={"D360-API-KEY": CANARY_KEY}, timeout=30).text == CONTENT
    assert typed("url", media_id, "--to", "-").output.startswith(world.sandbox.url)
    assert "is there already" in typed("url", media_id, "--to", "url.txt").output


def test_a_download_is_whole_and_takes_no_files_place(
    typed: Type, world: World, media_id: str, tmp_path: Path
) -> None:
    """Unless it is forced; where it fails, what was there stays, and nothing is left beside it."""
    result = typed("download", media_id, "--to", "hero.jpg")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "hero.jpg").read_text(encoding="ascii") == CONTENT
    lookups = world.sandbox.stats()[CANARY_KEY]["lookups"]
    assert "is there already" in typed("download", media_id, "--to", "hero.jpg").output
    assert world.sandbox.stats()[CANARY_KEY]["lookups"] == lookups
    world.sandbox.faults({"on": "download", "times": 1, "answer": {"status": 200, "body": "else"}})
    spoiled = typed("download", media_id, "--to", "hero.jpg", "--force")
    assert spoiled.exit_code == 2
    assert "SHA-256 differs" in spoiled.output
    assert (tmp_path / "hero.jpg").read_text(encoding="ascii") == CONTENT
    assert typed("download", media_id, "--to", "hero.jpg", "--force").exit_code == 0
    assert [path.name for path in tmp_path.glob("*.jpg")] == ["hero.jpg"]
    assert list(tmp_path.glob(".greenroom-*")) == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_webhooks_url_is_read_from_a_file(
    typed: Type, world: World, media_id: str, tmp_path: Path, *, whole: bool
) -> None:
    """Or from standard input: never from the command line; and nothing of it is shown."""
    webhook = world.sandbox.inbound(media_id)
    given = json.dumps(webhook) if whole else webhook["url"]
    (tmp_path / "webhook").write_text(given, encoding="ascii")
    words = ("download", "--channel", CHANNEL, "--to")
    result = typed(*words, "one.jpg", "--url-file", "webhook")
    assert result.exit_code == 0, result.output
    assert typed(*words, "two.jpg", "--url-file", "-", given=given).exit_code == 0
    for name in ("one.jpg", "two.jpg"):
        assert (tmp_path / name).read_text(encoding="ascii") == CONTENT
    world.sandbox.faults({"forget_media": [media_id]})
    gone = typed(*words, "three.jpg", "--url-file", "webhook")
    assert gone.exit_code == 2
    assert "hash=" not in result.output + gone.output
    assert not (tmp_path / "three.jpg").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "is no text"),
        (b"x" * 70_000, "holds more than"),
        (b"https://example.com/?hash=secret", "neither at"),
        (None, "cannot be read"),
    ],
)
def test_a_url_file_that_is_none_is_refused(
    typed: Type, media_id: str, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """With a sentence that shows nothing of it."""
    if content is not None:
        (tmp_path / "webhook").write_bytes(content)
    result = typed("download", "--channel", CHANNEL, "--to", "x.jpg", "--url-file", "webhook")
    assert result.exit_code == 2
    assert says in result.output
    assert "secret" not in result.output
    assert media_id


def test_one_of_both_is_downloaded(typed: Type, media_id: str) -> None:
    """And a number is needed for what has no ID."""
    for words in ((), (media_id, "--url-file", "x")):
        assert "Give a MEDIA_ID, or a --url-file" in typed("download", "--to", "x.jpg", *words).output
    result = typed("download", "--to", "x.jpg", "--url-file", "-", given="https://lookaside.fbsbx.com/x")
    assert "Say on which number" in result.output


def test_what_a_campaign_needs_is_not_deleted_by_mistake(typed: Type, world: World, media_id: str) -> None:
    """By force it is."""
    refused = typed("delete", media_id)
    assert refused.exit_code == 2
    assert "is needed by spring" in refused.output
    assert world.sandbox.live_media_ids(CANARY_KEY) == [media_id]
    assert "is deleted" in typed("delete", media_id, "--force").output
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    assert "is gone already" in typed("delete", media_id, "--force").output
    assert "deleted" in typed("list", "--all").output


def test_a_key_is_sent_to_the_settings_address_alone(
    typed: Type, media_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ID of another address means nothing there."""
    monkeypatch.setenv("GREENROOM_API_BASE_URL", "https://waba-v2.360dialog.io")
    result = typed("show", media_id)
    assert result.exit_code == 2
    assert "its key is not sent to https://waba-v2.360dialog.io" in result.output


def test_a_new_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Whoever took its name meanwhile keeps it, be it by a link that leads nowhere."""
    target = tmp_path / "file"

    def lose_the_name() -> None:
        with new_file(target, force=False) as file:
            file.write(b"ours")
            assert not target.exists()
            target.write_bytes(b"theirs")

    def fail() -> None:
        with new_file(target, force=True) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(Misuse, match="is there already"):
        lose_the_name()
    assert target.read_bytes() == b"theirs"
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(Misuse, match="is there already"), new_file(tmp_path / "link", force=False):
        pass
    with pytest.raises(Misuse, match="cannot be written"), new_file(tmp_path / "no" / "file", force=False):
        pass
    with pytest.raises(KeyError):
        fail()
    assert target.read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_file_system_without_links_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some shares are: the name is taken first, and then given to the file."""

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "file"
    with new_file(target, force=False) as file:
        file.write(b"ours")
    assert target.read_bytes() == b"ours"
    with pytest.raises(Misuse, match="is there already"), new_file(tmp_path / "two", force=False):
        (tmp_path / "two").write_bytes(b"theirs")
    assert (tmp_path / "two").read_bytes() == b"theirs"
