"""Every way in which Greenroom can fail, told apart by whose fault it is and whether to try again.

An error says by its type what is to be done:

==========================  ======================================================
type                        what the caller does
==========================  ======================================================
:class:`FileRejected`       gives up on this file; a person must change it
:class:`RequestRefused`     gives up on this request; asking again answers the same
:class:`TransientError`     waits ``retry_after`` (or its own back-off), tries again
:class:`ChannelError`       pauses the channel; burns no retries of its files
:class:`MediaGone`          forgets this media ID; the asset needs a new one
:class:`Misuse`             tells the operator what to change
==========================  ======================================================

No message ever holds an API key or a media download URL.
"""

from __future__ import annotations

from typing import ClassVar


class GreenroomError(Exception):
    """The root of all of Greenroom's errors; its text is a sentence for a person.

    Attributes:
        answered_by: the provider's endpoint that answered so (a value of
            :class:`greenroom.provider.error_table.Endpoint`); empty where no answer was involved.
    """

    answered_by: str = ""


class Misuse(GreenroomError):
    """What was asked cannot be done as asked: a wrong setting, manifest, path or command."""


class SettingsError(Misuse):
    """A setting is missing or wrong; the text names the setting and what to write instead."""


class MessageRefused(Misuse):
    """A message does not keep to the contract; nothing was done."""


class ManifestError(Misuse):
    """A manifest cannot be read; the text names the file, the line and the remedy."""


class EmptyManifest(ManifestError):
    """A manifest has no items, and it was not said that this is meant."""


class SubmissionSuperseded(Misuse):
    """Another submission of the same campaign began before this one had come in."""


class UnknownName(Misuse):
    """A channel, a campaign or an asset that is not in the database was named."""


class FileRejected(GreenroomError):
    """The file's fault, and final: WhatsApp will not take it as it is.

    Attributes:
        reason: the stable reason code, a value of :class:`greenroom.reasons.Reason`.
        detail: a sentence with the figures: what was found and what is allowed.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class CannotFix(GreenroomError):
    """This file cannot be made into one that WhatsApp takes; the text says why, for a campaign manager."""


class RequestRefused(GreenroomError):
    """The request's fault, and final: the provider understood it and said no.

    Attributes:
        status: HTTP status of the answer, or None where no answer was involved.
        code: the provider's own error code, or None where it gave none.
    """

    def __init__(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class RedirectRefused(RequestRefused):
    """The answer pointed to another host, which must never see the API key (not of an upload)."""


class MediaGone(RequestRefused):
    """The provider does not have this media ID (any more), or it is another number's."""


class TransientError(GreenroomError):
    """The moment's fault: the same request may well succeed later.

    Attributes:
        retry_after: seconds that the other side asked us to wait, or None for our own back-off.
    """

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class DatabaseUnavailable(TransientError):
    """The database could not be reached, or gave up on a transaction that may be tried again."""


class Throttled(TransientError):
    """The provider said that the channel asks too often: the channel slows down, nobody else."""


class LookupBlocked(TransientError):
    """The provider blocks ``GET /{media-id}`` for this number after failed look-ups; uploads continue."""


class ProviderUnavailable(TransientError):
    """The provider could not be reached, or answered that it is away; nothing was stored."""


class ProviderAway(ProviderUnavailable):
    """The provider says that it is away, or no connection can be made: no file would fare better."""


class UploadRedirected(ProviderAway):
    """An upload was pointed to another host: by a captive portal, a proxy or a wrong base URL."""


class AnswerLost(TransientError):
    """The request was sent whole and no answer came: an upload may have succeeded unseen."""


class SourceUnavailable(TransientError):
    """The place a file comes from could not be read just now (a share or a web server away)."""


class SourceUnreadable(SourceUnavailable):
    """The file is there, but Greenroom's user has no right to read it."""


class StoreLoginRefused(SourceUnavailable):
    """A store does not let workers in, or they cannot speak to it at all: for the operator to put right.

    Its files wait and are tried again, as if it were away: nothing is wrong with them, and once it is put
    right, nobody has to do more.
    """


class OutOfResources(TransientError):
    """This machine has no more memory, open files, threads or room on a disk: no fault of the file's."""


class LimiterUnavailable(TransientError):
    """Redis, which holds the pace of every channel, is away: nothing may be sent unmetered."""


class NoSlotInTime(TransientError):
    """The channel's next free upload slot lies beyond the time that the caller can wait."""


class ChannelError(GreenroomError):
    """The channel's fault: nothing can be sent on it until an operator acts; it is paused.

    Attributes:
        status: HTTP status of the answer, or None.
        code: the provider's own error code, or None.
    """

    advice: ClassVar[str] = ""

    def __init__(self, text: str, *, status: int | None = None, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code

    def __str__(self) -> str:
        """What happened, and what to do: this is the reason of the channel's pause."""
        return f"{super().__str__().rstrip('.')}. {self.advice}" if self.advice else super().__str__()


class KeyRefused(ChannelError):
    """The API key is wrong, revoked, or lacks a permission."""

    advice = "Give the channel a valid key: GREENROOM_API_KEY, or `greenroom channel add` again."


class AccountRestricted(ChannelError):
    """The number or its account is restricted, disabled or unpaid: an alert for the operator."""

    advice = "Put it right with the provider, then: greenroom channel resume."


class SourceMissing(GreenroomError):
    """The source is not there (no such file, 404): final until a person puts it back."""


class SourceRefused(SourceMissing):
    """The source is never opened: the operator does not allow its place, or its address can be none.

    Attributes:
        reason: the stable reason code, a value of :class:`greenroom.reasons.Reason`.
    """

    def __init__(self, text: str, *, reason: str = "not_allowed") -> None:
        super().__init__(text)
        self.reason = reason


class SourceChanged(GreenroomError):
    """The bytes about to be sent are not the bytes that were inspected: inspect again."""


class WorkerFailed(GreenroomError):
    """A worker failed in a way that has no type here, or answered what cannot be read; its log says more."""


class CallbackFailed(TransientError):
    """A call-back could not be delivered just now: its receiver is away, says no, or is not allowed."""


class CallbackUnwanted(GreenroomError):
    """The receiver of a call-back says that it wants none any more (410): it is given up."""


class CallbackNotAuthentic(GreenroomError):
    """What came to a receiver is no call-back of Greenroom's, was altered, or is too old to be believed."""


class ClaimLost(GreenroomError):
    """Somebody else holds this claim now; whatever was being done for it must not be recorded."""
