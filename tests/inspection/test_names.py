"""Clean file names: safe whatever comes in, and right for the type."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.file_names import safe_file_name, sent_extensions_of
from greenroom.rules import BY_MIME_TYPE, MEDIA_TYPES

_JPEG = "image/jpeg"


@pytest.mark.parametrize(
    ("name", "mime_type", "expected"),
    [
        ("banner.jpg", _JPEG, "banner.jpg"),
        ("banner.JPEG", _JPEG, "banner.jpeg"),
        ("banner.gif", _JPEG, "banner.jpg"),
        ("banner", _JPEG, "banner.jpg"),
        ("price list v1.2", "application/pdf", "price list v1.2.pdf"),
        ("/etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\Ada\\offer.pdf", "application/pdf", "offer.pdf"),
        ("../../offer.pdf", "application/pdf", "offer.pdf"),
        ('a"b\r\nX-Evil: 1.pdf', "application/pdf", "a b X-Evil 1.pdf"),
        ("stock.csv", "text/plain", "stock.csv.txt"),
        ("stock.csv.txt", "text/plain", "stock.csv.txt"),
        ("Readme.MD", "text/plain", "Readme.MD.txt"),
        ("page.html", "text/plain", "page.txt"),
        ("voice.opus", "audio/ogg", "voice.ogg"),
        ("voice.oga", "audio/ogg", "voice.ogg"),
        ("song.mp4", "audio/mp4", "song.m4a"),
        ("ring.m4r", "audio/mp4", "ring.m4a"),
        ("book.M4B", "audio/mp4", "book.m4a"),
        ("old.3ga", "audio/amr", "old.amr"),
        ("stream.adts", "audio/aac", "stream.aac"),
        ("clip.m4v", "video/mp4", "clip.mp4"),
        ("phone.3gpp", "video/3gpp", "phone.3gp"),
        ("photo.jfif", _JPEG, "photo.jpg"),
        ("letter.dot", "application/msword", "letter.dot"),
        ("note.acc", "audio/aac", "note.acc.aac"),
        ("clip.mp4", "video/3gpp", "clip.3gp"),
        ("", _JPEG, "file.jpg"),
        ("...", _JPEG, "file.jpg"),
        (".jpg", _JPEG, "jpg.jpg"),
        ("Grüße aus Köln.png", "image/png", "Grüße aus Köln.png"),
        ("你好.png", "image/png", "你好.png"),
        ("\u202egpj.exe", _JPEG, "gpj.jpg"),
        ("x" * 500 + ".jpg", _JPEG, "x" * 116 + ".jpg"),
        ("anything.xyz", "application/unknown", "anything.xyz"),
    ],
)
def test_examples(name: str, mime_type: str, expected: str) -> None:
    """Names as people, phones and attackers write them."""
    assert safe_file_name(name, mime_type) == expected


_TYPES = st.sampled_from([row.mime_type for row in MEDIA_TYPES])


@given(name=st.text() | st.text(alphabet='./\\"\r\n\0\u202e\ud800 aé.jpg'), mime_type=_TYPES)
def test_always_safe(name: str, mime_type: str) -> None:
    """No path, control character, quote or line break; bounded, never empty or hidden; the right ending."""
    clean = safe_file_name(name, mime_type)
    assert 0 < len(clean) <= 120
    assert len(clean.encode()) <= 255
    assert not set(clean) & set("/\\\"'\r\n\t;%<>|*?:")
    assert not any(unicodedata.category(char).startswith("C") for char in clean)
    assert clean == clean.strip()
    assert not clean.startswith(".")
    assert "." + clean.rpartition(".")[2] in sent_extensions_of(mime_type)


@given(name=st.text(), mime_type=_TYPES)
def test_cleaning_twice_changes_nothing(name: str, mime_type: str) -> None:
    """A clean name is its own clean name."""
    clean = safe_file_name(name, mime_type)
    assert safe_file_name(clean, mime_type) == clean


def test_the_tables_own_endings_stay() -> None:
    """Every type's own ending is kept."""
    for mime_type, row in BY_MIME_TYPE.items():
        assert safe_file_name(f"a{row.extension}", mime_type) == f"a{row.extension}"
