"""What one upload task did, for whoever looks at it in Flower."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from greenroom.errors import ChannelError
from greenroom.figures import counted, listed
from greenroom.sources import without_secrets
from greenroom.untrusted_text import one_line
from tasks.runtime.reporting_task import TaskReport
from tasks.uploading.sender import UploadOutcome

#: Files that a report names: of those that failed, and of those that were uploaded; and reasons it counts.
MOST_LISTED = 25
#: Reasons that its sentence gives, and campaigns that it names.
MOST_REASONS = 2
MOST_CAMPAIGNS = 2


@dataclass(kw_only=True)
class UploadReport:
    """What came of the files of one task, or of one of its channels.

    Attributes:
        counts: of ``uploaded``, ``postponed`` and ``failed``.
        reasons: why files were not uploaded, and how many for each.
        uploaded: lines on files that were, a few.
        others: the same of those that were not.
        assets: a few that were sent, or were to be.
        refusal: of the channel's key or account, which its operator has to see to.
    """

    counts: Counter[str] = field(default_factory=lambda: Counter(uploaded=0, postponed=0, failed=0))
    reasons: Counter[str] = field(default_factory=Counter)
    uploaded: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    assets: list[int] = field(default_factory=list)
    refusal: str = ""

    def note(self, outcomes: Sequence[UploadOutcome], counts: Mapping[str, int]) -> None:
        """Take in what came of these, which was written down as these counts."""
        self.counts.update(counts)
        for one in outcomes:
            if len(self.assets) < MOST_LISTED:
                self.assets.append(one.asset.claim.id)
            if one.error is not None:
                why = _sentence(str(one.error))
                self._count(why, 1)
                line = f"{one.asset.file_name}: {type(one.error).__name__}: {why}"
                self._keep(self.others, line)
                if isinstance(one.error, ChannelError):
                    self.refusal = f"{type(one.error).__name__}: {why}"
            elif len(self.uploaded) < MOST_LISTED:
                self._keep(self.uploaded, f"{one.asset.file_name}: media ID {one.media_id}")

    def note_postponed(self, count: int, why: str) -> None:
        """So many files went back to the backlog, unsent."""
        if count:
            self.counts["postponed"] += count
            self._count(_sentence(why), count)

    def add(self, other: UploadReport) -> None:
        """Take in what another one says."""
        self.counts.update(other.counts)
        self.refusal = self.refusal or other.refusal
        for why, count in other.reasons.items():
            self._count(why, count)
        for line in other.uploaded:
            self._keep(self.uploaded, line)
        for line in other.others:
            self._keep(self.others, line)
        self.assets += other.assets[: MOST_LISTED - len(self.assets)]

    def _count(self, why: str, count: int) -> None:
        if why in self.reasons or len(self.reasons) < MOST_LISTED:
            self.reasons[why] += count

    @staticmethod
    def _keep(lines: list[str], line: str) -> None:
        if len(lines) < MOST_LISTED:
            lines.append(one_line(line))

    def report(self, channels: Sequence[str], campaigns: Sequence[str]) -> TaskReport:
        """The sentence, and the files below it.

        Args:
            channels: of the task.
            campaigns: that the files are of, as far as that is known.
        """
        where = channels[0] if len(channels) == 1 else counted(len(channels), "channel")
        uploaded, postponed, failed = (self.counts[end] for end in ("uploaded", "postponed", "failed"))
        if not uploaded + postponed + failed:
            return TaskReport(sentence=f"nothing was left to upload on {where}")
        of = f" of {_campaigns(campaigns)}" if campaigns else ""
        parts = [f"uploaded {counted(uploaded, 'file')}{of} on {where}"]
        parts += [f"{postponed:,} postponed"] * bool(postponed) + [f"{failed:,} given up"] * bool(failed)
        # What an operator has to see to, before what follows from it.
        refused = self.refusal.partition(": ")[2]
        why = sorted(self.reasons, key=lambda reason: (reason != refused, -self.reasons[reason]))
        why = [reason.rstrip(".") for reason in why[:MOST_REASONS]]
        sentence = ", ".join(parts) + (f": {'; '.join(why)}" if why else "")
        lines = [*self.others, *self.uploaded]
        more = uploaded + postponed + failed - len(lines)
        if more and lines:
            lines.append(f"and {more:,} more")
        return TaskReport(sentence=sentence, lines=lines, failure=self.refusal)


def _campaigns(names: Sequence[str]) -> str:
    """Their names, as many as a sentence bears."""
    if len(names) <= MOST_CAMPAIGNS:
        return listed(names)
    return f"{names[0]} and {len(names) - 1} other campaigns"


def _sentence(text: str) -> str:
    return one_line(without_secrets(text))
