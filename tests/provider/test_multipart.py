"""The form that is sent: its bytes, its length, its names, and that it keeps back its end."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import SourceChanged, SourceMissing, SourceUnavailable
from greenroom.provider import UploadContent
from greenroom.provider.multipart import CHUNK_BYTES, LONGEST_FILE_NAME, MultipartBody, header_file_name
from tests.provider.conftest import content_of


def body_of(
    content: UploadContent, file_name: str = "photo.jpg", mime_type: str = "image/jpeg"
) -> MultipartBody:
    """A form around some content."""
    return MultipartBody(content, mime_type=mime_type, file_name=file_name)


def parts_of(body: MultipartBody) -> list[EmailMessage]:
    """The parts, as another implementation reads them."""
    whole = f"Content-Type: {body.content_type}\r\n\r\n".encode() + b"".join(body)
    message = message_from_bytes(whole, policy=policy.HTTP)
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def test_the_form_is_the_pages_example() -> None:
    """The page's ``curl`` sends the product and a file with its own type; ``type`` is in Meta's table."""
    product, kind, file = parts_of(body_of(content_of(b"\xff\xd8 bytes")))
    assert product["Content-Disposition"] == 'form-data; name="messaging_product"'
    assert product.get_payload(decode=True) == b"whatsapp"
    assert kind["Content-Disposition"] == 'form-data; name="type"'
    assert kind.get_payload(decode=True) == b"image/jpeg"
    assert file["Content-Disposition"] == 'form-data; name="file"; filename="photo.jpg"'
    assert file["Content-Type"] == "image/jpeg"
    assert file.get_payload(decode=True) == b"\xff\xd8 bytes"


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]
)
def test_the_length_is_known_and_right(size: int) -> None:
    """``len`` equals the bytes given, at every border of a chunk; small files are one piece."""
    data = bytes(range(256)) * (size // 256 + 1)
    body = body_of(content_of(data[:size]))
    pieces = list(body)
    assert sum(map(len, pieces)) == len(body)
    assert data[:size] in b"".join(pieces)
    assert len(pieces) == max(1, -(-size // CHUNK_BYTES))


def test_it_can_be_sent_again() -> None:
    """A redirected upload sends the same bytes from the start."""
    body = body_of(content_of(b"x" * 300_000))
    first, second = b"".join(body), b"".join(body)
    assert first == second
    assert b"x" * 300_000 in second


def test_memory_is_flat() -> None:
    """50 MB pass through less than 2 MB of memory."""

    class Zeros(io.RawIOBase):
        left = 50_000_000

        def read(self, size: int = -1) -> bytes:
            taken = min(size, self.left)
            self.left -= taken
            return bytes(taken)

    content = UploadContent(open=Zeros, size=50_000_000, sha256="")  # type: ignore[arg-type]  # reads as a stream does
    tracemalloc.start()
    with pytest.raises(SourceChanged):
        for _ in body_of(content):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_small_file_that_was_cut_is_found_before_anything_is_sent() -> None:
    """It takes no slot of the rate limit."""
    content = replace(content_of(b"a" * 1000), open=lambda: io.BytesIO(b"a" * 999))
    with pytest.raises(SourceChanged, match="999 bytes; "):
        next(iter(body_of(content)))


def test_what_comes_in_drops_is_sent_in_pieces() -> None:
    """A source that gives less at a time than it is asked for is neither gathered whole nor sent in drops."""
    data = bytes(range(256)) * 4096

    class Drops(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 1000))

    pieces = list(body_of(replace(content_of(data), open=lambda: Drops(data))))
    assert data in b"".join(pieces)
    assert max(map(len, pieces)) < 2 * CHUNK_BYTES
    assert len(pieces) < len(data) // CHUNK_BYTES + 2


@pytest.mark.parametrize("size", [10, CHUNK_BYTES, 3 * CHUNK_BYTES])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data + b"!", "larger"),
        (lambda data: data[:-1], "bytes; "),
        (lambda _: b"", "bytes; "),
        (lambda data: data[:-1] + b"!", "SHA-256"),
        (lambda data: data * 3, "larger"),
    ],
)
def test_a_changed_file_never_ends(size: int, change: object, says: str) -> None:
    """Grown, cut or altered since inspection: neither closing boundary nor whole length is given."""
    assert callable(change)
    content = content_of(b"a" * size)
    changed = change(b"a" * size)
    body = body_of(replace(content, open=lambda: io.BytesIO(changed)))
    sent = bytearray()

    def send() -> None:
        for piece in body:
            sent.extend(piece)

    with pytest.raises(SourceChanged, match=says):
        send()
    assert len(sent) < len(body)
    assert not sent.endswith(b"--\r\n")


class Broken(io.BytesIO):
    """A source that fails while it is read, as a network share does."""

    def read(self, _size: int | None = -1, /) -> bytes:
        """Fail as if the network were reset; which urllib3 would take for its own."""
        raise ConnectionResetError(104, "Connection reset by peer")


def _missing() -> BinaryIO:
    raise SourceMissing("no such file")


def _denied() -> BinaryIO:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("opens", "error"),
    [(_missing, SourceMissing), (_denied, SourceUnavailable), (Broken, SourceUnavailable)],
)
def test_a_source_that_fails(opens: object, error: type[Exception]) -> None:
    """The source's failures keep their own type, and never look like the network's."""
    content = replace(content_of(b"abc"), open=opens)  # type: ignore[arg-type]  # a table of callables
    with pytest.raises(error):
        list(body_of(content))


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("photo.jpg", "photo.jpg"),
        ("/srv/media/photo.jpg", "photo.jpg"),
        ("C:\\media\\photo.jpg", "photo.jpg"),
        ('a"; name="type.jpg', "a%22; name=%22type.jpg"),
        ("a\r\nX-Evil: 1.jpg", "a%0D%0AX-Evil: 1.jpg"),
        ("a\x00b\x7f\x1bc.jpg", "abc.jpg"),
        ("Grüße 你好 🎭.png", "Grüße 你好 🎭.png"),
        ("bad\udcff.png", "bad.png"),
        ("", "file"),
        ("/", "file"),
        ("\x00", "file"),
        ("x" * 500 + ".jpeg", "x" * (LONGEST_FILE_NAME - 5) + ".jpeg"),
        ("x" * 500, "x" * LONGEST_FILE_NAME),
        ("x." + "y" * 500, "x." + "y" * (LONGEST_FILE_NAME - 2)),
    ],
)
def test_file_names(name: str, clean: str) -> None:
    """Names are cut to their last part and escaped as the HTML standard says."""
    assert header_file_name(name) == clean


@given(name=st.text(max_size=300))
def test_no_file_name_breaks_out(name: str) -> None:
    """Whatever the name, there are three parts, and it stays inside its quotes."""
    form = b"".join(body_of(content_of(b""), file_name=name))
    assert form.count(b"\r\n\r\n") == 3
    line = next(one for one in form.split(b"\r\n") if b"filename=" in one)
    assert line.count(b'"') == 4


@pytest.mark.parametrize("mime_type", ["", "image", "image/jpeg\r\nX: y", "image/jpeg x", "a/b; c", "é/x"])
def test_a_mime_type_that_is_none(mime_type: str) -> None:
    """What cannot stand in a header is refused before anything is sent."""
    with pytest.raises(ValueError, match="MIME"):
        body_of(content_of(b""), mime_type=mime_type)


def test_a_mime_type_with_parameters() -> None:
    """Codecs may be named."""
    assert parts_of(body_of(content_of(b"x"), mime_type="audio/ogg; codecs=opus"))[1].get_content() == (
        "audio/ogg; codecs=opus"
    )
