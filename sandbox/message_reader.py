"""Reading a message: the JSON of ``POST /messages``, as far as it is about media.

The page says no more of it than "you can send a message using the media ID". What is refused here, and how,
follows Meta's pages on message types; nothing of it is taken from the module by which Greenroom writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from greenroom.rules import Category
from sandbox.error_responses import (
    CAPTION_TOO_LONG,
    KEY_UNEXPECTED,
    MESSAGE_MALFORMED,
    MESSAGE_TYPE_UNKNOWN,
    PARAMETER_MISSING,
    PRODUCT_MISSING,
    PRODUCT_WRONG,
    RECIPIENT_WRONG,
    Refusal,
)

# "Maximum 1024 characters." (Meta: Image messages, Video messages, Document messages)
_LONGEST_CAPTION = 1024
_TEMPLATE = "template"
#: Beside ``id`` and ``link``, which all have. (Meta: the page of each type of message)
_KEYS: dict[str, frozenset[str]] = {
    Category.IMAGE: frozenset({"caption"}),
    Category.VIDEO: frozenset({"caption"}),
    Category.DOCUMENT: frozenset({"caption", "filename"}),
    Category.AUDIO: frozenset({"voice"}),
    Category.STICKER: frozenset(),
}
#: "Plus signs (+), hyphens (-), parenthesis ((,)), and spaces are supported" (Meta: Phone number formatting)
_PHONE = re.compile(r"[+0-9() -]{5,40}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class SentMedia:
    """A media ID in a message.

    Attributes:
        media_id: the ID, whatever it is worth.
        kind: what it is sent as: image, video, audio, document or sticker.
        param: where it stands, as Meta's errors write it.
    """

    media_id: str
    kind: str
    param: str


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """A message that is of the right form.

    Attributes:
        to: the recipient, as it was written.
        wa_id: the recipient's digits.
        media: the IDs in it: one, none with a link, or those of a template's components.
        callback_data: what its status is to give back, or None.
    """

    to: str
    wa_id: str
    media: tuple[SentMedia, ...]
    callback_data: str | None


async def read_message(request: web.Request) -> OutgoingMessage:
    """Read a request's message.

    Raises:
        Refusal: it is not as Meta's pages want it.
    """
    try:
        body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(MESSAGE_MALFORMED, why="it is too large") from error
    except (ValueError, RecursionError) as error:
        raise Refusal(MESSAGE_MALFORMED, why="it is not JSON") from error
    if not isinstance(body, dict):
        raise Refusal(MESSAGE_MALFORMED, why="it is no object")
    product = body.get("messaging_product")
    if product is None:
        raise Refusal(PRODUCT_MISSING)
    if product != "whatsapp":
        raise Refusal(PRODUCT_WRONG, value=product)
    to = _text(body, "to", param="to")
    if not _PHONE.fullmatch(to):
        raise Refusal(RECIPIENT_WRONG)
    kind = _text(body, "type", param="type")
    if kind not in _KEYS and kind != _TEMPLATE:
        raise Refusal(MESSAGE_TYPE_UNKNOWN, received=kind)
    content = body.get(kind)
    if not isinstance(content, dict):
        raise Refusal(PARAMETER_MISSING, param=kind)
    found = _of_template(content) if kind == _TEMPLATE else _of_media(content, kind, param=kind)
    callback_data = body.get("biz_opaque_callback_data")
    return OutgoingMessage(
        to=to,
        wa_id=re.sub(r"\D", "", to),
        media=tuple(found),
        callback_data=callback_data if isinstance(callback_data, str) else None,
    )


def _text(body: Mapping[str, Any], name: str, *, param: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(PARAMETER_MISSING, param=param)
    return value


def _of_media(content: Mapping[str, Any], kind: str, *, param: str) -> Iterator[SentMedia]:
    for key in content:
        if key not in _KEYS[kind] | {"id", "link"}:
            raise Refusal(KEY_UNEXPECTED, key=key, param=param)
    caption = content.get("caption")
    if isinstance(caption, str) and len(caption) > _LONGEST_CAPTION:
        raise Refusal(CAPTION_TOO_LONG, param=f"{param}['caption']", limit=_LONGEST_CAPTION)
    if "link" in content and "id" not in content:
        return  # fetched by the provider, from wherever it is: nothing of ours
    media_id = _text(content, "id", param=f"{param}['id']")
    yield SentMedia(media_id=media_id, kind=kind, param=f"{param}['id']")


def _of_template(content: Mapping[str, Any]) -> Iterator[SentMedia]:
    _text(content, "name", param="template['name']")
    for place, component in enumerate(_objects(content.get("components"))):
        for number, parameter in enumerate(_objects(component.get("parameters"))):
            kind = parameter.get("type")
            inner = parameter.get(kind) if isinstance(kind, str) and kind in _KEYS else None
            if isinstance(inner, dict):
                param = f"template['components'][{place}]['parameters'][{number}]['{kind}']"
                yield from _of_media(inner, str(kind), param=param)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
