"""The stable reason codes of a rejection, each with the remedy that a campaign manager can do."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a file cannot be sent; values never change once published."""

    EMPTY = "empty"
    MISSING = "missing"
    NOT_ALLOWED = "not_allowed"
    NOT_AN_ADDRESS = "not_an_address"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    TYPE_NOT_SUPPORTED = "type_not_supported"
    CODEC_NOT_SUPPORTED = "codec_not_supported"
    TOO_MANY_AUDIO_STREAMS = "too_many_audio_streams"
    COLOUR_NOT_SUPPORTED = "colour_not_supported"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    NOT_TEXT = "not_text"
    WRONG_KIND = "wrong_kind"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    UPLOAD_FAILED = "upload_failed"


#: What to do about each reason, in words for a campaign manager.
ADVICE: dict[Reason, str] = {
    Reason.EMPTY: "Export the file again; this one has no content.",
    Reason.MISSING: "Put the file where the manifest says, or correct the manifest.",
    Reason.NOT_ALLOWED: "Put the file where Greenroom's operator allows it, or have its place allowed.",
    Reason.NOT_AN_ADDRESS: "Correct the address in the manifest.",
    Reason.UNREADABLE: "Give Greenroom's user the right to read the file.",
    Reason.TOO_LARGE: "Compress or shorten it until it is under the limit.",
    Reason.TYPE_NOT_SUPPORTED: "Save it as a type that WhatsApp takes; renaming it is not enough.",
    Reason.CODEC_NOT_SUPPORTED: "Export it anew: audio as AAC, MP3 or Opus; video as H.264 with AAC.",
    Reason.TOO_MANY_AUDIO_STREAMS: "Export the video with a single audio track.",
    Reason.COLOUR_NOT_SUPPORTED: "Save the image as 8-bit RGB.",
    Reason.ENCRYPTED: "Remove the password and save it again.",
    Reason.BROKEN: "Export the file again; this copy is damaged or cut short.",
    Reason.NOT_TEXT: "Save it as UTF-8 text, or as the document type that it really is.",
    Reason.WRONG_KIND: "Change the kind in the manifest, or give a file of that kind.",
    Reason.REFUSED_BY_PROVIDER: "Ask the provider's support, naming the answer shown here.",
    Reason.UPLOAD_FAILED: "Look at the channel with `greenroom doctor`, then retry the campaign.",
}


#: What may be otherwise now though nobody has touched the file: its place, rights, allowances, the channel.
PASSING = frozenset({Reason.MISSING, Reason.NOT_ALLOWED, Reason.UNREADABLE, Reason.UPLOAD_FAILED})


def may_have_passed(reason: str | None) -> bool:
    """Whether a file that was rejected or given up for this may be taken now, as it is."""
    return reason in PASSING


def advice_on(reason: str | None) -> str:
    """What to do about a reason; nothing for one of another version's."""
    try:
        return ADVICE[Reason(reason)] if reason else ""
    except (ValueError, KeyError):
        return ""
