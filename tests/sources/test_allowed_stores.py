"""Stores that may be read: by the operator's word alone, and each address in one reading."""

from __future__ import annotations

import pytest

from greenroom.errors import SettingsError
from greenroom.reasons import Reason
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources, shown, source_name, without_secrets
from greenroom.sources.allowed_stores import parse_stores
from greenroom.vault import new_secret_key


def allowing(text: str) -> Sources:
    """What an installation with this setting may open."""
    return Sources(stores=parse_stores(text))


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ("s3://campaigns", "s3://campaigns/a.jpg"),
        ("s3://campaigns/", "S3://campaigns/deep/a.jpg"),
        ("s3://campaigns/spring", "s3://campaigns/spring/a.jpg"),
        ("s3://campaigns/spring/", "s3://campaigns/spring/deep/a.jpg"),
        ("s3://campaigns/spring/a.jpg", "s3://campaigns/spring/a.jpg"),
        ("az://campaigns/spring/=https://files.example.com", "az://campaigns/spring/a b/ü.jpg"),
        ("gs://a.b_c-d/, s3://campaigns/", "gs://a.b_c-d/a b/ü.jpg"),
        ("sftp://files.example.com/out/", "sftp://FILES.example.com:22/out/a.jpg"),
        ("sftp://me@[::1]:2222/", "sftp://[0:0::1]:2222/out/a.jpg"),
        ("s3://campaigns/=https://s3.example.com:9000", "s3://campaigns/a.jpg"),
    ],
)
def test_what_an_entry_allows(setting: str, source: str) -> None:
    """A bucket, a folder of it, or a single file."""
    assert allowing(setting).refusal(source) is None


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ("", "s3://campaigns/a.jpg"),
        ("s3://campaigns/spring/", "s3://campaigns/springtime/a.jpg"),
        ("s3://campaigns/spring/", "s3://campaigns/a.jpg"),
        ("s3://campaigns/", "gs://campaigns/a.jpg"),
        ("s3://campaigns/", "s3://campaigns2/a.jpg"),
        ("s3://campaigns/", "az://campaigns/a.jpg"),
        ("sftp://files.example.com/", "sftp://files.example.com:2222/a.jpg"),
        ("sftp://files.example.com/out/", "sftp://files.example.com/etc/passwd"),
    ],
)
def test_what_no_entry_allows_is_refused_and_names_the_setting(setting: str, source: str) -> None:
    """Without asking anybody."""
    refusal = allowing(setting).refusal(source)
    assert refusal is not None
    assert refusal.reason == Reason.NOT_ALLOWED
    assert "GREENROOM_SOURCE_STORES" in str(refusal)


@pytest.mark.parametrize(
    "source",
    [
        "s3://campaigns",
        "s3://campaigns/",
        "s3://campaigns/spring/../secret.jpg",
        "s3://campaigns/spring/./a.jpg",
        "s3://campaigns/spring//a.jpg",
        "s3://campaigns//a.jpg",
        "s3://campaigns/spring/",
        "s3://campaigns/a.jpg?versionId=1",
        "s3://campaigns/a.jpg#1",
        "s3://campaigns/..\\a.jpg",
        "s3://campaigns/a\n.jpg",
        "s3://campaigns/a\u2028.jpg",
        "s3://campaigns/\ud800.jpg",
        "s3://campaigns/" + "a" * 1025,
        "s3://AKIA:canary@campaigns/a.jpg",
        "s3://user@campaigns/a.jpg",
        "s3://Campaigns/a.jpg",
        "s3://cam..paigns/a.jpg",
        "s3://arn:aws:s3:eu-west-1:1:accesspoint/a.jpg",
        "s3:///a.jpg",
        "s3://169.254.169.254:80/a.jpg",
        "az://campaigns@account.dfs.core.windows.net/a.jpg",
        "az://account.blob.core.windows.net/a.jpg",
        "az://campaigns/a.jpg?sig=canary",
        "az://campaigns/a.jpg?versionid=1",
        "sftp://user:canary@files.example.com/a.jpg",
        "sftp://files.example.com:0/a.jpg",
        "sftp://files.example.com:99999/a.jpg",
        "sftp://2130706433/a.jpg",
        "sftp:///a.jpg",
    ],
)
def test_what_can_be_read_in_two_ways_is_no_address(source: str) -> None:
    """Nor is one with a user, a password or a query; none of it is shown."""
    refusal = allowing("s3://campaigns/, sftp://files.example.com/, sftp://127.0.0.1/").refusal(source)
    assert refusal is not None
    assert refusal.reason == Reason.NOT_AN_ADDRESS
    assert "canary" not in str(refusal)
    assert "canary" not in shown(source)
    assert "canary" not in without_secrets(f"It could not read {source}, it says")


def test_an_address_is_shown_as_it_is() -> None:
    """It has nothing secret, and its name is that of its file."""
    assert shown("S3://campaigns/spring/a b.jpg") == "s3://campaigns/spring/a b.jpg"
    assert shown("sftp://files.example.com:22/a.jpg") == "sftp://files.example.com/a.jpg"
    assert source_name("s3://campaigns/spring/a%20b.jpg") == "a%20b.jpg"
    assert without_secrets("see s3://campaigns/a.jpg.") == "see s3://campaigns/a.jpg."


@pytest.mark.parametrize(
    "wrong",
    [
        "campaigns",
        "abfs://campaigns/",
        "az://campaigns@account.blob.core.windows.net/",
        "az://campaigns/=https://account.blob.core.windows.net/?sig=canary",
        "https://campaigns.example.com/",
        "s3://",
        "s3://campaigns/../",
        "s3://key:canary@campaigns/",
        "s3://campaigns/=ftp://s3.example.com",
        "s3://campaigns/=https://user:canary@s3.example.com",
        "s3://campaigns/=https://s3.example.com?x=canary",
        "sftp://me:canary@files.example.com/",
        "sftp://files.example.com/=https://files.example.com",
    ],
)
def test_a_wrong_entry_stops_the_start_and_says_what_to_write(wrong: str) -> None:
    """And shows no password that was written into it."""
    with pytest.raises(SettingsError, match=r"GREENROOM_SOURCE_STORES: .*s3://bucket/campaigns/") as caught:
        load_settings(
            {
                "GREENROOM_DATABASE_URL": "sqlite:///x.db",
                "GREENROOM_REDIS_URL": "redis://127.0.0.1",
                "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
                "GREENROOM_SOURCE_STORES": wrong,
            },
            dotenv=None,
        )
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    ["s3://campaigns/spring/", "s3://campaigns/=https://s3.example.com:9000", "sftp://me@[::1]:2222/out/"],
)
def test_an_entry_is_written_as_it_is_read(entry: str) -> None:
    """`greenroom doctor` shows it so."""
    assert [str(one) for one in parse_stores(entry)] == [entry]
