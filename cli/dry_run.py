"""`greenroom campaign submit --dry-run`: what would become of a campaign, as workers say; nothing changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.formats import counted, moment, say
from cli.handing_over import Others, changes_as_json, in_words
from cli.when_ready import estimate_as_json, show_estimate
from greenroom.answers import CampaignState, CampaignStatus, Estimate, SubmissionChanges
from greenroom.client import Greenroom
from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan, ManifestItem


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What would become of a campaign.

    Attributes:
        plan: as it would be handed over.
        files: with how many files.
        status: how far it is; None where it is not known yet.
        changes: what of its items would change, and how many it has besides.
        estimate: when it would be ready.
    """

    plan: CampaignPlan
    files: int
    status: CampaignStatus | None
    changes: SubmissionChanges
    estimate: Estimate


def ask_what_would_happen(client: Greenroom, plan: CampaignPlan, items: Collection[ManifestItem]) -> DryRun:
    """Ask workers whether the campaign is known, what of it would change, and when it would be ready.

    Raises:
        Misuse: as if it was handed over: the campaign is another channel's, was cancelled or is over, or its
            call-backs are not allowed.
        UnknownName: there is no such channel.
        BrokerUnavailable: nobody answers.
    """
    if plan.keep_until <= datetime.now(UTC):
        raise Misuse(f"Campaign {plan.id} is over since {plan.keep_until.isoformat()}. Give later dates.")
    files, status, changes = len(items), None, SubmissionChanges(added=len(items))
    try:
        status = client.status(plan.id)
    except UnknownName:
        # What follows says whether the channel is known.
        pass
    else:
        _require_open(plan, status)
        changes = client.compare(plan.id, items)
    estimate = client.estimate(plan, changes.added + changes.changed)
    return DryRun(plan=plan, files=files, status=status, changes=changes, estimate=estimate)


def show_dry_run(run: DryRun, others: Others, *, allowed: float) -> None:
    """Print it.

    Args:
        run: what workers said.
        others: what would become of other files that the campaign has.
        allowed: uploads a second that the settings allow.
    """
    plan, status = run.plan, run.status
    if status is None:
        say(f"Campaign {plan.id} is not known yet, and would be sent at {moment(plan.send_at)}.")
    else:
        say(f"Campaign {plan.id} is known with {counted(status.total, 'file')}, and {_moves(plan, status)}.")
        if status.state is CampaignState.PAUSED:
            say(f"Its channel is paused: {status.paused_reason}")
    show_estimate(run.estimate, allowed=allowed)
    files = counted(run.files, "file")
    say(f"{files} would be handed over{in_words(run.changes)}. This is a dry run: nothing was.")
    if run.changes.removed:
        say(f"{counted(run.changes.removed, 'file')} that the campaign has besides {_FATE[others]}.")


def dry_run_as_json(run: DryRun, others: Others, *, allowed: float) -> dict[str, Any]:
    """The same for programs."""
    removed = run.changes.removed if others is Others.REMOVED else 0
    return {
        "known": run.status is not None,
        "besides": run.changes.removed,
        **changes_as_json(run.changes),
        "removed": removed,
        **estimate_as_json(run.estimate, allowed=allowed),
    }


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
