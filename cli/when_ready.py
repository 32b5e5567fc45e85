"""When a campaign will be ready, for a terminal: what is left, how long it takes, and what helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.formats import console, counted, plain, span
from greenroom.answers import ChannelEstimate, Estimate
from greenroom.readiness import Readiness, UploadRate

#: Shorter times are shown in seconds.
_SHORT = timedelta(minutes=3)


def show_readiness(readiness: Readiness, *, now: datetime, channel: str = "") -> None:
    """Print one sentence, and what can be done about a risk; and on which channel, where it is named."""
    if not readiness.left:
        return
    colour = "red" if readiness.at_risk else "green"
    sentence = in_a_sentence(readiness, now=now)
    if channel:
        sentence = f"On channel {channel}: {sentence}"
    console.print(f"\n[{colour}]{plain(sentence)}[/{colour}]", soft_wrap=True)
    for sentence in readiness.what_helps(now=now):
        console.print(f"  {plain(sentence)}", soft_wrap=True)


def show_estimate(estimate: Estimate, *, allowed: float) -> None:
    """Print what a worker said of a campaign that was just handed over, on each channel if on several."""
    now = datetime.now(UTC)
    for channel in estimate.channels:
        show_readiness(_readiness(channel, estimate, allowed), now=now, channel=channel.channel)
    if not estimate.channels:
        show_readiness(_readiness(estimate, estimate, allowed), now=now)


def estimate_as_json(estimate: Estimate, *, allowed: float) -> dict[str, Any]:
    """The same for programs, by the keys of `campaign status --json`."""
    now = datetime.now(UTC)
    by_channel = [
        {
            "channel": one.channel,
            "readiness": readiness_as_json(_readiness(one, estimate, allowed), now=now),
        }
        for one in estimate.channels
    ]
    return {
        "readiness": readiness_as_json(_readiness(estimate, estimate, allowed), now=now),
        **({"by_channel": by_channel} if by_channel else {}),
    }


def _readiness(one: Estimate | ChannelEstimate, estimate: Estimate, allowed: float) -> Readiness:
    rate = UploadRate(per_second=one.uploads_per_second, allowed=allowed, observed=one.observed)
    return Readiness(
        left=one.left, rate=rate, start=estimate.start, send_at=estimate.send_at, ready_at=one.ready_at
    )


def readiness_as_json(readiness: Readiness, *, now: datetime) -> dict[str, Any]:
    """The same for programs."""
    return {
        "left": readiness.left,
        "uploads_per_second": readiness.rate.per_second,
        "allowed_per_second": readiness.rate.allowed,
        "rate_observed": readiness.rate.observed,
        "ready_at": readiness.ready_at,
        "at_risk": readiness.at_risk,
        "what_helps": readiness.what_helps(now=now),
    }


def in_a_sentence(readiness: Readiness, *, now: datetime) -> str:
    """What is left, at which rate, until when, and how that stands to the send time."""
    left = f"{counted(readiness.left, 'upload')} left"
    if readiness.ready_at is None:
        return f"At risk: {left}, and its channel is paused."
    rate = readiness.rate
    pace = f"{rate.per_second:.1f} a second" if rate.observed else f"the {rate.allowed:g} a second allowed"
    when = f"{left}, at {pace}: ready at {_at(readiness.ready_at, now)}"
    apart = readiness.send_at - readiness.ready_at
    if readiness.at_risk:
        return f"At risk: {when}, {length(-apart)} after it is sent."
    return f"{when}, {length(apart)} before it is sent."


def length(time: timedelta) -> str:
    """A length of time, in seconds where it is short."""
    return counted(round(time.total_seconds()), "second") if time < _SHORT else span(time)


def _at(moment: datetime, now: datetime) -> str:
    """A moment in the reader's own time zone, and which that is: the time alone within a day."""
    within_a_day = moment - now < timedelta(days=1)
    return f"{moment.astimezone():{'%H:%M:%S %Z' if within_a_day else '%Y-%m-%d %H:%M %Z'}}"
