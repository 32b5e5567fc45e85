"""``GET /{media-id}`` and the download of a media URL."""

from __future__ import annotations

import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.testing import RunningSandbox
from tests.sandbox.caller import Caller, error_of

CONTENT = b"the bytes of an image" * 1000


def test_the_answer_has_the_pages_fields(one: Caller) -> None:
    """The page's "200: OK" of Get Media URL, field by field."""
    media_id = one.uploaded(CONTENT, "image/jpeg")
    answer = one.media_url(media_id)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body.pop("url").startswith("https://lookaside.fbsbx.com/whatsapp_business/attachments/?")
    assert body == {
        "mime_type": "image/jpeg",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "file_size": len(CONTENT),
        "id": media_id,
        "messaging_product": "whatsapp",
    }


def test_three_backslashes(one: Caller) -> None:
    """Page: "Remove 3 backslashes from the URL": as JSON text it has them, as a value it has none."""
    answer = one.media_url(one.uploaded())
    assert r"https://lookaside.fbsbx.com\/whatsapp_business\/attachments\/?mid=" in answer.text
    assert answer.text.count("\\") == 3
    assert "\\" not in answer.json()["url"]


def test_the_urls_parameters(one: Caller) -> None:
    """Page: "mid=...&source=getMedia&ext=...&hash=...", ``ext`` being five minutes from now."""
    query = parse_qs(urlsplit(one.media_url(one.uploaded()).json()["url"]).query)
    assert list(query) == ["mid", "source", "ext", "hash"]
    assert query["source"] == ["getMedia"]
    assert 0 < int(query["ext"][0]) - time.time() <= 300


def test_the_file_comes_back_as_it_went(one: Caller) -> None:
    """Page: "You can use the returned URL [...] to download the media file", with the host replaced."""
    answer = one.get(one.link(one.uploaded(CONTENT, "video/mp4")))
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["Content-Type"] == "video/mp4"
    assert one.stats()["downloads"] == 1


def test_the_slash_before_the_query_may_be_missing(one: Caller) -> None:
    """The page's table of endpoints and its example of a URL have the slash; a caller may lose it."""
    link = one.link(one.uploaded(CONTENT))
    assert one.get(link.replace("/?", "?")).content == CONTENT


def test_the_link_ends_after_five_minutes(sandbox: RunningSandbox, one: Caller) -> None:
    """Page: "The link will only remain valid **for 5 minutes**." Silent on the answer: Meta has 404."""
    link = one.link(one.uploaded())
    sandbox.advance(5 * 60 - 30)
    assert one.get(link).status_code == 200
    sandbox.advance(31)
    answer = one.get(link)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == 100


def test_a_new_link_can_always_be_had(sandbox: RunningSandbox, one: Caller) -> None:
    """As above: the link ends, the media does not."""
    media_id = one.uploaded(CONTENT)
    one.link(media_id)
    sandbox.advance(301)
    assert one.get(one.link(media_id)).content == CONTENT


@pytest.mark.parametrize(
    ("part", "instead"),
    [("hash=A", "hash=B"), ("ext=1", "ext=2"), ("getMedia", "other"), ("mid=", "mid=1"), ("ext=", "ext=x")],
)
def test_a_link_that_was_tampered_with_is_dead(one: Caller, part: str, instead: str) -> None:
    """Page: "hash={HASH_VALUE}"; silent on the rest: a URL not given out is not valid."""
    link = one.link(one.uploaded())
    assert part in link
    assert one.get(link.replace(part, instead)).status_code == 404


def test_a_link_without_parameters_is_dead(one: Caller) -> None:
    """As above."""
    assert one.get(one.url + "/whatsapp_business/attachments/").status_code == 404


def test_the_link_is_of_use_to_its_number_only(one: Caller, other: Caller) -> None:
    """Page: "this link is confidential"; its headers have the key: another number's does not fit."""
    link = one.link(one.uploaded())
    assert other.get(link).status_code == 404
    one.session.headers.pop("D360-API-KEY")
    assert one.get(link).status_code == 401


def test_the_link_of_a_deleted_media_is_dead(one: Caller) -> None:
    """Page: "stored for 30 days after last use, unless deleted earlier"."""
    media_id = one.uploaded()
    link = one.link(media_id)
    one.delete(media_id)
    assert one.get(link).status_code == 400


def test_an_id_belongs_to_its_number(one: Caller, other: Caller) -> None:
    """The page is silent; limits are "per phone number", and others found IDs refused elsewhere."""
    media_id = one.uploaded()
    assert other.media_url(media_id).status_code == 400
    assert other.delete(media_id).status_code == 400
    assert one.media_url(media_id).status_code == 200


@pytest.mark.parametrize("media_id", ["1094408688491179", "no-number", "media"])
def test_an_unknown_id(one: Caller, media_id: str) -> None:
    """Page: "If a request to the GET /media endpoint returns a status code of 400"; the body is Meta's."""
    answer = one.media_url(media_id)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["code"], error["error_subcode"], error["type"]) == (100, 33, "GraphMethodException")
    assert f"Object with ID '{media_id}' does not exist" in error["message"]


def test_other_paths_and_methods(one: Caller) -> None:
    """Page: "You use 4 different endpoints"; there is no fifth. The answers have Meta's format."""
    assert one.get(one.url + "/v1/media").status_code == 404
    assert one.get(one.url + "/").status_code == 404
    answer = one.session.put(one.url + "/media", timeout=30)
    assert answer.status_code == 405
    assert error_of(answer)["message"] == "Unsupported put request for /media"
