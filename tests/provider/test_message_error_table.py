"""What a failed message means for its file: by code and text together, and nothing by chance."""

from __future__ import annotations

import pytest

from greenroom.provider.message_error_table import MESSAGE_ERRORS, MessageError, MessageFault, fault_of

VOICE = (
    "Media upload error: Unsupported Voice mime type audio/opus. Please use one of audio/ogg; codecs=opus, "
    "audio/mpeg, audio/amr, audio/mp4, audio/aac."
)
#: Codes and texts as they are quoted in public, or as Meta's page on error codes has them.
CASES = [
    (
        100,
        "(#100) Param image['id'] is not a valid whatsapp business account media attachment ID",
        MessageFault.ID,
    ),
    (100, "Unsupported get request. Object with ID '1' does not exist", MessageFault.ID),
    (100, "(#100) Invalid parameter", MessageFault.OTHER),
    (131053, VOICE, MessageFault.FILE),
    (131053, "Unsupported Image mime type image/webp. Please use one of image/jpeg.", MessageFault.FILE),
    (131053, "Media upload error", MessageFault.ID_OR_FILE),
    (131052, "Media download error", MessageFault.ID_OR_FILE),
    (
        131053,
        "Media upload error: Downloading media from weblink failed with http code 503",
        MessageFault.OTHER,
    ),
    (131026, "Receiver is incapable of receiving this message", MessageFault.OTHER),
    (131051, "Unsupported message type", MessageFault.OTHER),
    (130472, "User's number is part of an experiment", MessageFault.OTHER),
    (131049, "This message was not delivered to maintain healthy ecosystem engagement.", MessageFault.OTHER),
    (None, "", MessageFault.OTHER),
]


@pytest.mark.parametrize(("code", "text", "fault"), CASES)
def test_what_is_at_fault(code: int | None, text: str, fault: MessageFault) -> None:
    """Whatever the case of its letters."""
    for written in (text, text.upper()):
        assert fault_of(MessageError(code=code, text=written)) is fault


def test_every_row_is_met_and_has_a_source() -> None:
    """A row that nothing reaches would be a guess."""
    errors = [MessageError(code=code, text=text) for code, text, _ in CASES]
    met = {next(number for number, row in enumerate(MESSAGE_ERRORS) if row.fits(error)) for error in errors}
    assert met == set(range(len(MESSAGE_ERRORS)))
    assert all(row.source for row in MESSAGE_ERRORS)


def test_what_a_file_was_sent_as() -> None:
    """In the words of the error, where it says so."""
    assert MessageError(code=131053, text=VOICE).sent_as == "voice"
    assert MessageError(code=131053, text="Media upload error").sent_as is None
    assert str(MessageError(code=131053, text="Media upload error")) == "code 131053: Media upload error"
