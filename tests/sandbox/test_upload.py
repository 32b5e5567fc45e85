"""``POST /media``: what is taken and what is refused. Error bodies: the page is silent, Meta's format."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from greenroom.rules import OGG_CONTENT_TYPES
from sandbox.testing import RunningSandbox
from tests.sandbox.caller import (
    BOUNDARY,
    JPEG,
    Caller,
    ZeroBody,
    connect,
    error_of,
    file_head,
    form_field,
    read_all,
)
from tests.sandbox.conftest import CallerFactory

MB = 1024 * 1024
KB = 1024
STATIC_WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10"
ANIMATED_WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x12"

SUPPORTED_TYPES = [
    "audio/aac",
    "audio/amr",
    "audio/mpeg",
    "audio/mp4",
    "audio/ogg",
    "text/plain",
    "application/pdf",
    "application/vnd.ms-powerpoint",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "image/jpeg",
    "image/png",
    "video/mp4",
    "video/3gp",
    "image/webp",
]


def test_the_request_example_is_answered_with_an_id(one: Caller) -> None:
    """The page's example of a request, and "200: OK" with ``{"id": "1094408688491179"}``."""
    answer = one.upload()
    assert answer.status_code == 200
    assert answer.json().keys() == {"id"}
    assert answer.json()["id"].isdecimal()
    assert len(answer.json()["id"]) in (15, 16)


def test_every_upload_gets_an_id_of_its_own(one: Caller, other: Caller) -> None:
    """The page is silent on equal content; an ID is the upload's, so each has a new one."""
    ids = {one.uploaded(b"same"), one.uploaded(b"same"), other.uploaded(b"same")}
    assert len(ids) == 3
    assert one.stats()["duplicates"] == 1
    assert other.stats()["duplicates"] == 0


@pytest.mark.parametrize("mime_type", [*SUPPORTED_TYPES, "video/3gpp", "audio/opus"])
def test_supported_types_are_taken(one: Caller, mime_type: str) -> None:
    """Page: "Supported Media Types", each type of the table, and two more that Meta's own list has."""
    assert one.upload(b"bytes", mime_type).status_code == 200


@pytest.mark.parametrize("mime_type", ["image/gif", "image/bmp", "text/html", "video/quicktime", "nonsense"])
def test_other_types_are_refused(one: Caller, mime_type: str) -> None:
    """Page: "Supported Media Types": what the table does not have. Silent on the answer: Meta's."""
    answer = one.upload(b"bytes", mime_type)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == 100
    assert "must be a file with one of the following types" in error_of(answer)["message"]
    assert mime_type in error_of(answer)["message"]
    assert one.stats()["rejected"] == 1
    assert one.stats()["media"] == 0


@pytest.mark.parametrize("mime_type", [*OGG_CONTENT_TYPES, "Image/JPEG", "text/plain;charset=utf-8"])
def test_parameters_and_case_of_a_type_do_not_matter(one: Caller, mime_type: str) -> None:
    """Page: "audio/ogg (only opus codecs [...])": the codec is commonly declared with the type."""
    assert one.upload(b"bytes", mime_type).status_code == 200


def test_a_file_part_without_a_type_is_refused(one: Caller) -> None:
    """The example gives ``type=image/jpeg`` with the file. Silent otherwise; Meta takes it for bytes."""
    body = form_field("messaging_product", "whatsapp") + file_head(None) + f"x\r\n--{BOUNDARY}--\r\n".encode()
    answer = post_form(one, body)
    assert answer.status_code == 400
    assert "application/octet-stream" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("mime_type", "limit", "head"),
    [
        ("audio/mpeg", 16 * MB, b""),
        ("application/pdf", 100 * MB, b""),
        ("image/jpeg", 5 * MB, b""),
        ("video/mp4", 16 * MB, b""),
        ("image/webp", 100 * KB, STATIC_WEBP),
        ("image/webp", 500 * KB, ANIMATED_WEBP),
    ],
    ids=["audio", "document", "image", "video", "static sticker", "animated sticker"],
)
def test_size_limits(one: Caller, mime_type: str, limit: int, head: bytes) -> None:
    """Page: "Size Limit": 16MB, 100MB, 5MB, 16MB; "Static stickers: 100KB"; "Animated stickers: 500KB"."""
    assert one.upload_zeros(limit, mime_type, head=head).status_code == 200
    beyond = one.upload_zeros(limit + 1, mime_type, head=head)
    assert beyond.status_code == 400
    assert error_of(beyond)["code"] == 100
    assert str(limit) in error_of(beyond)["message"]
    assert one.stats()["uploads"] == 1
    assert one.stats()["rejected"] == 1


def test_a_body_beyond_any_limit_is_refused_by_its_announced_length(one: Caller) -> None:
    """Page: "The maximum supported file size [...] is 100MB." Silent on the answer: HTTP's 413."""
    head = (
        f"POST /media HTTP/1.1\r\nHost: sandbox\r\nD360-API-KEY: {one.api_key}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {102 * MB}\r\n\r\n"
    )
    with connect(one.url) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code": 100' in answer


def test_a_body_of_unknown_length_ends_at_the_limit_too(one: Caller) -> None:
    """Page: "The maximum supported file size [...] is 100MB", also where no length was announced."""
    body = iter(ZeroBody(100 * MB + 1, "text/plain"))  # no length: sent in chunks
    answer = post_form(one, body)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == 100
    assert str(100 * MB) in error_of(answer)["message"]


def test_an_empty_file_is_refused(one: Caller) -> None:
    """The page is silent; no supported type has files of no bytes."""
    answer = one.upload(b"")
    assert answer.status_code == 400
    assert "not empty" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "messaging_product is required"),
        ({"messaging_product": "signal"}, "messaging_product must be"),
        ({"messaging_product": "whatsapp", "type": "image/gif"}, "Param type must be"),
        ({"messaging_product": "whatsapp", "long": "x" * 2000}, "too long"),
        ({"messaging_product": "whatsapp", **{f"f{n}": "x" for n in range(20)}}, "too many parts"),
    ],
)
def test_form_fields(one: Caller, fields: dict[str, str], words: str) -> None:
    """``--form "messaging_product=whatsapp"`` in the example; the page is silent on other fields."""
    answer = one.upload(fields=fields)
    assert answer.status_code == 400
    assert words in error_of(answer)["message"]


def test_a_type_field_is_taken(one: Caller) -> None:
    """The page's example has no ``type``; Meta's table of parameters does: both are served."""
    assert one.upload(fields={"messaging_product": "whatsapp", "type": "image/jpeg"}).status_code == 200


def test_the_order_of_the_parts_does_not_matter(one: Caller) -> None:
    """The page is silent on order; a form has none."""
    body = file_head(JPEG) + b"x\r\n" + form_field("messaging_product", "whatsapp")
    assert post_form(one, body + f"--{BOUNDARY}--\r\n".encode()).status_code == 200


def test_a_form_without_a_file_is_refused(one: Caller) -> None:
    """Page: "the file **must** be uploaded to the media volume"."""
    body = form_field("messaging_product", "whatsapp") + f"--{BOUNDARY}--\r\n".encode()
    answer = post_form(one, body)
    assert answer.status_code == 400
    assert "file is required" in error_of(answer)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        form_field("messaging_product", "whatsapp"),
        form_field("messaging_product", "whatsapp") + file_head(JPEG) + b"cut off",
        file_head(JPEG) + b"one\r\n" + file_head(JPEG) + f"two\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n".encode(),
        f"--{BOUNDARY}\r\nX: y\r\n\r\nno name\r\n--{BOUNDARY}--\r\n".encode(),
        b"\r\n" * MB,
        f"--{BOUNDARY}\r\nX: {'y' * 9000}\r\n\r\n".encode(),
    ],
    ids=["nothing", "no form", "no end", "cut off", "two files", "nested", "no name", "lines", "long head"],
)
def test_malformed_forms_are_refused(one: Caller, body: bytes) -> None:
    """The page is silent; whatever is no well-formed form is a wrong parameter to Meta."""
    answer = post_form(one, body)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == 100
    assert one.stats()["media"] == 0


def test_a_body_of_another_kind_is_refused(one: Caller) -> None:
    """``--form`` in the example: a JSON body holds no form."""
    answer = one.session.post(one.url + "/media", json={"messaging_product": "whatsapp"}, timeout=30)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == 100


@pytest.mark.parametrize("headers", [{}, {"D360-API-KEY": ""}, {"Authorization": "Bearer key-of-one"}])
def test_the_key_header_is_required(sandbox: RunningSandbox, headers: dict[str, str]) -> None:
    """Page: "Headers: D360-API-KEY". Silent on the answer: 360dialog's 401 in Meta's format."""
    for method, path in [("POST", "/media"), ("GET", "/123"), ("DELETE", "/123")]:
        answer = requests.request(method, sandbox.url + path, headers=headers, timeout=30)
        assert answer.status_code == 401
        assert error_of(answer)["code"] == 190
    assert sandbox.stats() == {}


def test_only_the_given_keys_are_known(calling: CallerFactory) -> None:
    """Page: "{{api_key}}": where keys are given to the sandbox, any other is wrong."""
    with RunningSandbox(api_keys=["a", "b"]) as sandbox:
        assert calling(sandbox.url, "a").upload().status_code == 200
        assert calling(sandbox.url, "b").upload().status_code == 200
        assert calling(sandbox.url, "c").upload().status_code == 401


def test_a_client_that_gives_up_leaves_nothing(sandbox: RunningSandbox, one: Caller) -> None:
    """The page is silent; an upload whose body never ended was none."""
    head = (
        f"POST /media HTTP/1.1\r\nHost: sandbox\r\nD360-API-KEY: {one.api_key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 100000\r\n\r\n"
    )
    with connect(one.url) as connection:
        connection.sendall(head.encode() + form_field("messaging_product", "whatsapp") + file_head(JPEG))
        connection.shutdown(1)  # no more will come
        assert read_all(connection) == b""
    assert one.stats()["aborted"] == 1
    assert sandbox.live_media_ids(one.api_key) == []


def post_form(caller: Caller, body: bytes | Iterator[bytes]) -> requests.Response:
    """Post a body as a form, whatever it holds."""
    return caller.session.post(
        caller.url + "/media",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        timeout=30,
    )
