"""Messages that send a media ID: the JSON for the provider's ``POST /messages``, checked before it is sent.

A message with a caption where none may be, or too long a one, is refused by the provider after it was sent,
or fails later by webhook, once for every recipient. Here it is refused once, with a sentence.

Sources: Meta's Cloud API pages "Image messages", "Video messages", "Audio messages", "Document messages" and
"Sticker messages" (request parameters), which 360dialog's pages on message types repeat with its own address.

Example::

    message = message_for(media_id, to="+49 151 1234567", category="image", caption="Spring is here")
    requests.post(f"{api}/messages", json=message, headers={"D360-API-KEY": key})
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from greenroom.channel_name import channel_name
from greenroom.errors import Misuse
from greenroom.media_id import MEDIA_ID
from greenroom.rules import BY_MIME_TYPE, MIME_TYPE_ALIASES, Category
from greenroom.untrusted_text import is_storable, printable

#: "Media asset caption text. Maximum 1024 characters." (Meta: Image, Video and Document messages)
LONGEST_CAPTION: Final = 1024
#: Meta names no limit; a file of a longer name could not be kept where it is received.
LONGEST_SHOWN_NAME: Final = 255
#: Digits of a phone number with its country's code (ITU-T E.164, section 6.2.1), and the fewest of one.
_DIGITS: Final = range(7, 16)
#: "Voice messages require .ogg files encoded with the OPUS codec." (Meta: Audio messages)
_VOICE_TYPE: Final = "audio/ogg"


@dataclass(frozen=True, kw_only=True)
class MessageFields:
    """What the object of one type of message may hold beside the media ID.

    Attributes:
        caption: whether a text may stand below the file.
        file_name: whether the recipient is shown a name.
        voice: whether it can be played as a voice message.
        header: whether a template's header may be such a file.
        source: the page of Meta's that says so.
    """

    caption: bool = False
    file_name: bool = False
    voice: bool = False
    header: bool = False
    source: str


MESSAGE_FIELDS: Final[dict[Category, MessageFields]] = {
    Category.IMAGE: MessageFields(caption=True, header=True, source="Meta: Image messages"),
    Category.VIDEO: MessageFields(caption=True, header=True, source="Meta: Video messages"),
    Category.DOCUMENT: MessageFields(
        caption=True, file_name=True, header=True, source="Meta: Document messages"
    ),
    Category.AUDIO: MessageFields(voice=True, source="Meta: Audio messages"),
    Category.STICKER: MessageFields(source="Meta: Sticker messages"),
}


def message_for(
    media_id: str,
    *,
    to: str,
    category: Category | str | None = None,
    mime_type: str | None = None,
    caption: str | None = None,
    file_name: str | None = None,
    voice: bool = False,
) -> dict[str, Any]:
    """The JSON of a message that sends an uploaded file.

    Args:
        media_id: as :meth:`greenroom.client.Greenroom.resolve` returns it.
        to: the recipient's phone number with its country's code, in any usual form.
        category: what the file is to WhatsApp: image, video, document, audio or sticker.
        mime_type: or its MIME type, as the view ``ready_media`` has it, which says the category.
        caption: of an image, a video or a document, at most :data:`LONGEST_CAPTION` characters.
        file_name: of a document, with its ending, by which the recipient sees its icon.
        voice: play the audio as a voice message; for Ogg Opus alone.

    Raises:
        Misuse: something does not fit; the text says what, and what to do.
    """
    kind = _category(category, mime_type)
    fields = MESSAGE_FIELDS[kind]
    content: dict[str, Any] = {"id": _media_id(media_id)}
    if caption is not None:
        content["caption"] = _caption(caption, kind, fields)
    if file_name is not None:
        content["filename"] = _file_name(file_name, kind, fields)
    if voice:
        _require_voice(kind, fields, mime_type)
        content["voice"] = True
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": _recipient(to),
        "type": str(kind),
        str(kind): content,
    }


def template_header(
    media_id: str,
    *,
    category: Category | str | None = None,
    mime_type: str | None = None,
    file_name: str | None = None,
) -> dict[str, Any]:
    """The header of a template message with a file in it: one of the template's ``components``.

    Args:
        media_id: as for :func:`message_for`; so are the others. A header has no caption.
        category: image, video or document.
        mime_type: or its MIME type.
        file_name: of a document.

    Raises:
        Misuse: something does not fit; the text says what, and what to do.
    """
    kind = _category(category, mime_type)
    fields = MESSAGE_FIELDS[kind]
    if not fields.header:
        raise Misuse(
            f"A template's header holds an image, a video or a document, and this is of type {kind}: send it "
            "as a message of its own."
        )
    content = {"id": _media_id(media_id)}
    if file_name is not None:
        content["filename"] = _file_name(file_name, kind, fields)
    return {"type": "header", "parameters": [{"type": str(kind), str(kind): content}]}


def _category(category: Category | str | None, mime_type: str | None) -> Category:
    if (category is None) == (mime_type is None):
        raise Misuse("Say what the file is: its category, or its mime_type, and not both.")
    if mime_type is not None:
        row = BY_MIME_TYPE.get(_type_of_table(mime_type))
        if row is None:
            raise Misuse(f"{mime_type[:100]!r} is no type that WhatsApp takes.")
        return row.category
    try:
        return Category(str(category))
    except ValueError:
        raise Misuse(f"The category is {', '.join(Category)}; not {str(category)[:50]!r}.") from None


def _type_of_table(mime_type: str) -> str:
    plain = mime_type.partition(";")[0].strip().lower()
    return MIME_TYPE_ALIASES.get(plain, plain)


def _media_id(media_id: str) -> str:
    if not MEDIA_ID.fullmatch(media_id):
        raise Misuse(f"{media_id[:50]!r} is not a media ID: letters, digits, - and _ only.")
    return media_id


def _recipient(to: str) -> str:
    try:
        digits = channel_name(to)
    except ValueError as error:
        raise Misuse(f"The recipient {error}.") from None
    if not (digits.isascii() and digits.isdigit() and len(digits) in _DIGITS and digits[0] != "0"):
        raise Misuse(
            f"{to[:50]!r} is no phone number with its country's code: {_DIGITS[0]} to {_DIGITS[-1]} digits, "
            "like 4915112345678."
        )
    return digits


def _caption(caption: str, kind: Category, fields: MessageFields) -> str:
    if not fields.caption:
        raise Misuse(f"A message of type {kind} has no caption ({fields.source}): send the text by itself.")
    if not caption.strip():
        raise Misuse("The caption is empty: leave it out.")
    if not is_storable(caption):
        raise Misuse("The caption holds half a character, or NUL, which is no text. Write it anew.")
    if len(caption) > LONGEST_CAPTION:
        raise Misuse(
            f"The caption has {len(caption):,} characters, and at most {LONGEST_CAPTION:,} are taken "
            f"({fields.source}). Shorten it."
        )
    return caption


def _file_name(name: str, kind: Category, fields: MessageFields) -> str:
    if not fields.file_name:
        raise Misuse(f"A message of type {kind} shows no name: only a document has a file_name.")
    too_long = len(name) > LONGEST_SHOWN_NAME
    if not name.strip() or too_long or printable(name) != name or {"/", "\\"} & set(name):
        raise Misuse(
            f"{name[:50]!r} is no name of a file: 1 to {LONGEST_SHOWN_NAME} printable characters, no folder."
        )
    return name


def _require_voice(kind: Category, fields: MessageFields, mime_type: str | None) -> None:
    if not fields.voice:
        raise Misuse(f"A message of type {kind} is no voice message: only audio is.")
    if mime_type is not None and _type_of_table(mime_type) != _VOICE_TYPE:
        raise Misuse(
            f"A voice message is Ogg Opus ({fields.source}), and this is {_type_of_table(mime_type)}: have "
            "it converted, or send it without voice."
        )
