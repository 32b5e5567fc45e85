"""`greenroom campaign submit --dry-run`: what would become of a campaign, as workers say; nothing changes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from cli.formats import counted, moment, say
from cli.handing_over import Others, in_words
from cli.when_ready import show_estimate
from greenroom.answers import CampaignState, CampaignStatus, SubmissionChanges
from greenroom.client import Greenroom
from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan, ManifestItem


def show_dry_run(
    client: Greenroom,
    plan: CampaignPlan,
    items: Collection[ManifestItem],
    others: Others,
    *,
    allowed: float,
) -> None:
    """Say whether the campaign is known, what of it would change, and when it would be ready.

    Args:
        client: by which workers are asked.
        plan: the campaign as it would be handed over.
        items: with which it would be handed over.
        others: what would become of others that it has.
        allowed: uploads a second that the settings allow.

    Raises:
        Misuse: as if it was handed over: the campaign is another channel's, was cancelled or is over, or its
            call-backs are not allowed.
        UnknownName: there is no such channel.
        BrokerUnavailable: nobody answers.
    """
    if plan.keep_until <= datetime.now(UTC):
        raise Misuse(f"Campaign {plan.id} is over since {plan.keep_until.isoformat()}. Give later dates.")
    files, changes = counted(len(items), "file"), SubmissionChanges()
    try:
        status = client.status(plan.id)
    except UnknownName:
        # It is this that says whether the channel is known.
        estimate = client.estimate(plan, len(items))
        say(f"Campaign {plan.id} is not known yet, and would be sent at {moment(plan.send_at)}.")
        show_estimate(estimate, allowed=allowed)
    else:
        _require_open(plan, status)
        say(f"Campaign {plan.id} is known with {counted(status.total, 'file')}, and {_moves(plan, status)}.")
        if status.state is CampaignState.PAUSED:
            say(f"Its channel is paused: {status.paused_reason}")
        changes = client.compare(plan.id, items)
        show_estimate(client.estimate(plan, changes.added + changes.changed), allowed=allowed)
    say(f"{files} would be handed over{in_words(changes)}. This is a dry run: nothing was.")
    if changes.removed:
        say(f"{counted(changes.removed, 'file')} that the campaign has besides {_FATE[others]}.")


#: What would become of other files of the campaign.
_FATE = {
    Others.ASKED: "would stay in it, or be removed if you say so (--remove)",
    Others.REMOVED: "would be removed",
    Others.KEPT: "would stay in it",
}


def _require_open(plan: CampaignPlan, status: CampaignStatus) -> None:
    if status.state is CampaignState.CANCELLED:
        raise Misuse(f"Campaign {plan.id} was cancelled. Submit it anew under another ID.")
    if not set(_channels(status)) & set(plan.channels):
        raise Misuse(
            f"Campaign {plan.id} belongs to channel {', '.join(_channels(status))}; it cannot be sent on "
            f"{plan.channel} too. Give the second one an ID of its own."
        )


def _channels(status: CampaignStatus) -> list[str]:
    return [one.channel for one in status.channels] or [status.channel]


def _moves(plan: CampaignPlan, status: CampaignStatus) -> str:
    """Which of its dates would change; a campaign whose uploads have begun does not begin again."""
    dates = [
        ("sent at", status.send_at, plan.send_at),
        ("kept until", status.keep_until, plan.keep_until),
    ]
    if plan.upload_from and status.upload_from:
        dates.append(("uploaded from", status.upload_from, plan.upload_from))
    moves = [f"{what} {moment(new)}, not {moment(old)}" for what, old, new in dates if new != old]
    moved = f"would be moved: {'; '.join(moves)}" if moves else "keeps its dates"
    has = _channels(status)
    added = [channel for channel in plan.channels if channel not in has]
    gone = [channel for channel in has if channel not in plan.channels]
    changes = [(added, "would be sent on {} too"), (gone, "no more on {}")]
    return "; ".join([moved, *(said.format(", ".join(names)) for names, said in changes if names)])
