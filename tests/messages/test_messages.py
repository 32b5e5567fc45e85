"""A message is what the provider's pages show, or it is refused with a sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from greenroom.errors import Misuse
from greenroom.messages import LONGEST_CAPTION, LONGEST_SHOWN_NAME, message_for, template_header
from greenroom.rules import BY_MIME_TYPE, Category

ID, TO = "1013859600285441", "4915112345678"


@pytest.mark.parametrize(
    ("given", "content"),
    [
        (
            {"category": "image", "caption": "The best succulent ever?"},
            {"caption": "The best succulent ever?"},
        ),
        ({"category": Category.VIDEO}, {}),
        (
            {"category": "document", "caption": "Invoice", "file_name": "invoice.pdf"},
            {"caption": "Invoice", "filename": "invoice.pdf"},
        ),
        ({"category": "audio"}, {}),
        ({"category": "audio", "voice": True}, {"voice": True}),
        ({"mime_type": "audio/ogg; codecs=opus", "voice": True}, {"voice": True}),
        ({"category": "sticker"}, {}),
    ],
)
def test_a_message_is_the_pages_example(given: dict[str, Any], content: dict[str, Any]) -> None:
    """Meta's request syntax of each type, field by field."""
    message = message_for(ID, to=TO, **given)
    kind = message["type"]
    assert message == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": TO,
        "type": kind,
        kind: {"id": ID, **content},
    }


@pytest.mark.parametrize("row", BY_MIME_TYPE.values(), ids=lambda row: row.mime_type)
def test_a_mime_type_says_the_category(row: Any) -> None:
    """A scheduler that reads the view `ready_media` has that, and no category."""
    assert message_for(ID, to=TO, mime_type=row.mime_type)["type"] == row.category
    assert message_for(ID, to=TO, mime_type=row.content_type.upper())["type"] == row.category


@pytest.mark.parametrize(
    "written", ["+49 151 1234-5678", "0049 (0)151 12345678", "4915112345678", "+49 (151) 12345678"]
)
def test_a_number_may_be_written_as_people_do(written: str) -> None:
    """What is sent is its digits with the country's code."""
    assert message_for(ID, to=written, category="image")["to"] == TO


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"category": "audio", "caption": "x"}, "of type audio has no caption"),
    ({"category": "sticker", "caption": "x"}, "of type sticker has no caption"),
    ({"category": "image", "caption": "x" * (LONGEST_CAPTION + 1)}, "1,025 characters, and at most 1,024"),
    ({"category": "image", "caption": " \n"}, "The caption is empty"),
    ({"category": "image", "caption": "\ud83d"}, "half a character"),
    ({"category": "image", "file_name": "x.jpg"}, "only a document has a file_name"),
    ({"category": "document", "file_name": "../x.pdf"}, "no name of a file"),
    ({"category": "document", "file_name": "x\n.pdf"}, "no name of a file"),
    ({"category": "document", "file_name": "x\u202efdp.exe"}, "no name of a file"),
    ({"category": "document", "file_name": ""}, "no name of a file"),
    ({"category": "document", "file_name": "x" * (LONGEST_SHOWN_NAME + 1)}, "no name of a file"),
    ({"category": "video", "voice": True}, "of type video is no voice message"),
    ({"mime_type": "audio/mpeg", "voice": True}, "A voice message is Ogg Opus .* this is audio/mpeg"),
    ({"category": "gif"}, "The category is audio, document, image, video, sticker; not 'gif'"),
    ({"mime_type": "image/gif"}, "'image/gif' is no type that WhatsApp takes"),
    ({}, "its category, or its mime_type"),
    ({"category": "image", "mime_type": "image/png"}, "and not both"),
    ({"category": "image", "to": "0151 12345678"}, "The recipient has no country code"),
    ({"category": "image", "to": "12345"}, "no phone number"),
    ({"category": "image", "to": "1" * 16}, "7 to 15 digits"),
    ({"category": "image", "to": "sales"}, "no phone number"),
    ({"category": "image", "to": "٤٩١٥١١٢٣٤٥٦٧٨"}, "no phone number"),
    ({"category": "image", "to": ""}, "no phone number"),
    ({"category": "image", "media_id": "1/../2"}, "not a media ID"),
    ({"category": "image", "media_id": ""}, "not a media ID"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_what_does_not_fit_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    """Before it is sent to all recipients."""
    values = {"media_id": ID, "to": TO, **given}
    with pytest.raises(Misuse, match=sentence) as caught:
        message_for(values.pop("media_id"), **values)
    assert len(str(caught.value)) < 300


def test_the_longest_caption_and_name_are_taken() -> None:
    """The last that fits is no error; spaces that do not break are spaces."""
    caption, name = "ü" * LONGEST_CAPTION, "é\u00a0" * 100 + ".pdf"
    message = message_for(ID, to=TO, category="document", caption=caption, file_name=name)
    assert message["document"] == {"id": ID, "caption": caption, "filename": name}


def test_a_templates_header_holds_what_one_may() -> None:
    """An image, a video or a document; without a caption."""
    assert template_header(ID, category="document", file_name="terms.pdf") == {
        "type": "header",
        "parameters": [{"type": "document", "document": {"id": ID, "filename": "terms.pdf"}}],
    }
    assert template_header(ID, mime_type="image/png")["parameters"] == [
        {"type": "image", "image": {"id": ID}}
    ]
    for kind in ("audio", "sticker"):
        with pytest.raises(Misuse, match="header holds an image, a video or a document"):
            template_header(ID, category=kind)
    with pytest.raises(Misuse, match="only a document has a file_name"):
        template_header(ID, category="video", file_name="x.mp4")


def test_a_scheduler_gets_it_without_heavy_imports() -> None:
    """No HTTP library, no Celery, no decoder comes with it."""
    program = "import sys, greenroom.messages; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"requests", "celery", "av", "sqlalchemy", "pydantic"}.isdisjoint(result.stdout.split())
