"""Which declared types the provider takes and how many bytes each may have; nothing is decoded."""

from __future__ import annotations

from greenroom.rules import BY_MIME_TYPE, MIME_TYPE_ALIASES, size_limit
from sandbox.error_responses import ACCEPTED_TYPES, TYPE_REFUSED, Refusal

#: Bytes of a file's beginning that :func:`limit_of` may want to see.
HEAD_BYTES = 32
#: What a multipart part without a Content-Type is taken for, as Meta's answers show.
_UNDECLARED = "application/octet-stream"
#: RFC 9649, section 2.7: the byte of flags in an extended WebP header, and the flag for animation.
_FLAGS_AT = 20
_ANIMATION_FLAG = 0x02


def accepted_type(declared: str | None, *, param: str = "file") -> str:
    """The table's name of a declared type; its parameters (``; codecs=opus``) do not matter.

    Args:
        declared: a Content-Type, or None where none was given.
        param: the form field it was declared for.

    Raises:
        Refusal: the page's table of supported media types does not have it.
    """
    received = (declared or _UNDECLARED).partition(";")[0].strip().lower()
    mime_type = MIME_TYPE_ALIASES.get(received, received)
    if mime_type not in BY_MIME_TYPE:
        raise Refusal(TYPE_REFUSED, param=param, types=ACCEPTED_TYPES, received=received)
    return mime_type


def limit_of(mime_type: str, head: bytes) -> int:
    """Bytes that such a file may have. Page: "Static stickers: 100KB", "Animated stickers: 500KB".

    Args:
        mime_type: a name that :func:`accepted_type` gave.
        head: the file's first bytes, :data:`HEAD_BYTES` where it has so many.
    """
    return size_limit(mime_type, animated=is_animated_webp(head))


def is_animated_webp(head: bytes) -> bool:
    """Whether a WebP header has the extended form (VP8X) with its animation flag set."""
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return is_extended and len(head) > _FLAGS_AT and bool(head[_FLAGS_AT] & _ANIMATION_FLAG)
