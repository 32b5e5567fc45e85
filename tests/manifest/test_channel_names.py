"""One phone number is one channel, however somebody writes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from greenroom.channel_name import channel_name
from greenroom.errors import ManifestError
from greenroom.manifest import CampaignPlan, ChannelName, parse_channel_name

WRITTEN = [
    "4915112345678",
    "+4915112345678",
    "+49 151 1234-5678",
    "+49 (0)151 12345678",
    "+49\u00a0151\u202f12345678",
    "+49 151 1234\u20115678",
    "004915112345678",
    "+49 151 12345678 ",
    "+49/151/12345678",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_is_kept_by_its_digits(written: str) -> None:
    """Plus, blanks, dashes, brackets and the prefix for calls abroad make no second channel."""
    assert parse_channel_name(written) == "4915112345678"
    now = datetime.now(UTC)
    assert CampaignPlan(id="c", channel=written, send_at=now, keep_until=now).channel == "4915112345678"


@pytest.mark.parametrize("name", ["4910", "acme-berlin", "acme:1", "a0049", "1.5a"])
def test_any_other_name_stays_as_it_is(name: str) -> None:
    """Names are an operator's own; a short number is one."""
    assert parse_channel_name(name) == name


@pytest.mark.parametrize("written", ["0151 12345678", "(0151) 12345678", "000491511234567"])
def test_a_number_without_its_country_is_refused(written: str) -> None:
    """Nobody knows whose it is, and two countries may have it."""
    with pytest.raises(ManifestError, match="no country code"):
        parse_channel_name(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "+49 151",
        "49 151",
        "--",
        "a b",
        "../etc",
        "4915\n1234",
        "4915\t1",
        "4" * 65,
        "\u0664\u0669\u0661",
    ],
)
def test_what_is_no_name_is_refused(written: str) -> None:
    """The rest of the rule for names holds."""
    with pytest.raises(ManifestError, match="channel cannot be used"):
        parse_channel_name(written)


@given(st.text(alphabet="0123456789+-() a.", max_size=70))
def test_a_kept_name_stays(written: str) -> None:
    """What was taken once may be given again; it is never longer than what was written."""
    try:
        kept = parse_channel_name(written)
    except ManifestError:
        return
    assert channel_name(kept) == kept
    assert len(kept) <= len(written)


def test_the_schema_knows_the_forms() -> None:
    """For programs that check by the JSON Schema."""
    assert "pattern" in TypeAdapter(ChannelName).json_schema()
