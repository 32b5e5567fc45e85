"""A campaign as one page of HTML, for the people who plan it: is it ready, what is to be done, what comes.

A pure function of what is to be shown. As a file, the page has no scripts and refers to nothing outside
itself, so that it opens from a mail; the HTTP server shows the same page, live. What others wrote (names,
sentences) is text in it and nothing else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from greenroom.figures import counted
from greenroom.page_templates import LiveView, rendered, with_zone
from greenroom.readiness import Readiness


@dataclass(frozen=True, kw_only=True)
class ShownFile:
    """A file of a campaign.

    Attributes:
        ref: the manifest's own reference.
        name: the file's name, where it is another one.
        detail: why it cannot be sent; empty of one that can.
        thumbnail: where a thumbnail of it is, see :func:`data_uri`; empty of one that has none.
    """

    ref: str
    name: str = ""
    detail: str = ""
    thumbnail: str = ""


@dataclass(frozen=True, kw_only=True)
class BadGroup:
    """Files that cannot be sent for one reason.

    Attributes:
        reason: its code.
        files: the first of them.
        count: how many they are.
    """

    reason: str
    files: Sequence[ShownFile]
    count: int


@dataclass(frozen=True, kw_only=True)
class WeekAhead:
    """How many media IDs are renewed in a week; its first day is a Monday, UTC."""

    monday: date
    files: int


@dataclass(frozen=True, kw_only=True)
class EndingFile:
    """A file whose media ID ends, and could not be renewed yet."""

    ref: str
    ends_at: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class FileCounts:
    """How many files of a campaign stand where."""

    ready: int = 0
    on_their_way: int = 0
    scheduled: int = 0
    checking: int = 0
    bad: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.ready + self.to_go + self.checking + self.bad

    @property
    def to_go(self) -> int:
        """Those that are uploaded now or later."""
        return self.on_their_way + self.scheduled

    def parts(self) -> Iterator[tuple[str, float, float]]:
        """The parts of a bar: of what kind, where it begins, and how wide it is, in hundredths."""
        begin = 0.0
        for kind, count in (
            ("ready", self.ready),
            ("going", self.to_go),
            ("bad", self.bad),
        ):
            if count:
                # One of a million can be seen, too.
                width = max(100 * count / self.total, 0.5)
                yield kind, round(begin, 2), round(width, 2)
                begin += width


@dataclass(frozen=True, kw_only=True)
class ShownChannel:
    """One of several channels of a campaign, and how many of its files stand where on it."""

    name: str
    counts: FileCounts


@dataclass(frozen=True, kw_only=True)
class CampaignGlance:
    """What is said of a campaign at a glance.

    Attributes:
        channel_id: the name of its channel; of several, their names.
        made_at: when it was so.
        readiness: when it will be ready; None of a campaign that is cancelled.
        hindrance: why some file has to wait; empty if none has to.
        zone: in which moments are shown.
    """

    campaign_id: str
    channel_id: str
    made_at: datetime
    send_at: datetime
    is_cancelled: bool
    counts: FileCounts
    readiness: Readiness | None
    hindrance: str
    zone: tzinfo | None = None

    @property
    def is_going_on(self) -> bool:
        """Whether files of it are being worked on."""
        return not self.is_cancelled and bool(self.counts.on_their_way + self.counts.checking)


@dataclass(frozen=True, kw_only=True)
class CampaignPage(CampaignGlance):
    """All that the page shows.

    Attributes:
        upload_from: when its uploads begin; None if they have.
        channels: each of several; none where it has one.
        paused: which of its channels is paused, and why, in a sentence; empty if none is.
        bad: groups, that of most files first.
        images: of files that are ready, some.
        weeks: all of the coming ones, also those without a renewal.
        ending: files at risk, some.
        more_ending: how many there are besides.
    """

    upload_from: datetime | None
    keep_until: datetime
    paused: str
    bad: Sequence[BadGroup]
    images: Sequence[ShownFile]
    weeks: Sequence[WeekAhead]
    ending: Sequence[EndingFile]
    more_ending: int
    channels: Sequence[ShownChannel] = ()


def render(page: CampaignPage, live: LiveView | None = None) -> str:
    """The page, as HTML: a file of its own; or as the HTTP server shows it."""
    return rendered(
        "campaign.html",
        live=live,
        zone=page.zone,
        page=page,
        verdict=verdict_on(page),
        most_in_a_week=max((week.files for week in page.weeks), default=0),
        helps=page.readiness.what_helps(now=page.made_at) if page.readiness else (),
    )


@dataclass(frozen=True, kw_only=True)
class PageVerdict:
    """Whether all is well, in a sentence; the mark says the same to who sees no colours."""

    tone: str
    mark: str
    headline: str
    sentence: str


def verdict_on(page: CampaignGlance) -> PageVerdict:
    """What is said first."""
    counts = page.counts
    sent = "is" if page.send_at > page.made_at else "was"
    if page.is_cancelled:
        return PageVerdict(
            tone="quiet",
            mark="\N{EM DASH}",
            headline="Cancelled",
            sentence="Nothing of it is needed any more.",
        )
    if not counts.total:
        return PageVerdict(
            tone="quiet", mark="\N{EM DASH}", headline="No files", sentence="It has no files yet."
        )
    late = page.readiness is not None and page.readiness.at_risk
    left = counts.total - counts.ready - counts.bad
    said = [f"{_files(counts.ready)} of {counts.total:,} can be sent."]
    if page.readiness is not None and page.readiness.left:
        said.append(_when(page.readiness, page.zone, sent=sent))
    if counts.bad:
        said.append(f"{_files(counts.bad)} cannot be sent as {'it is' if counts.bad == 1 else 'they are'}.")
    sentence = " ".join(said)
    if late:
        return PageVerdict(tone="bad", mark="!", headline="At risk", sentence=sentence)
    if counts.bad:
        return PageVerdict(tone="warn", mark="!", headline="Needs your attention", sentence=sentence)
    if left:
        return PageVerdict(tone="going", mark="…", headline="On its way", sentence=sentence)
    every = f"All {counts.total:,} files" if counts.total > 1 else "Its one file"
    return PageVerdict(tone="good", mark="✓", headline="Ready", sentence=f"{every} can be sent.")


def _when(readiness: Readiness, zone: tzinfo | None, *, sent: str) -> str:
    left = _files(readiness.left)
    if readiness.ready_at is None:
        return f"{left} wait{'s' if readiness.left == 1 else ''}, because the channel is paused."
    apart = readiness.send_at - readiness.ready_at
    side = "before" if apart >= timedelta(0) else "after"
    ready, how_long = with_zone(readiness.ready_at, zone), _length(abs(apart))
    return f"{left} to go: ready {ready}, {how_long} {side} the campaign {sent} sent."


def _files(count: int) -> str:
    return counted(count, "file")


def _length(time: timedelta) -> str:
    """A length of time as people say it."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if time.total_seconds() >= 2 * seconds:
            return f"{round(time.total_seconds() / seconds):,} {unit}s"
    return f"{round(time.total_seconds())} seconds"


def data_uri(image: bytes) -> str:
    """A thumbnail in WebP, in a page itself; empty for an empty one."""
    return f"data:image/webp;base64,{b64encode(image).decode()}" if image else ""
