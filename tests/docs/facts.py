"""Figures that pages state of the code: where each stands, with the value that the code has now.

A page's phrase is written with a placeholder for the figure, so that the code and all the pages that repeat
it cannot part. Figures that were measured (docs/explanation/speed.md), but for those of the wheel, and the
provider's own rules where no code follows from them, are none of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.manifest_body import LARGEST_JSON
from api.services import ApiLimits
from cli import doctor, serve
from greenroom import client, contract, manifest, messages, task_calls
from greenroom.rate_limit import ownership
from greenroom.rules import MIB
from greenroom.settings import Settings
from greenroom.task_names import TICK_SECONDS
from models import lookups
from sandbox import links, phone_numbers, rate_limits
from tasks.runtime import backoff
from tasks.uploading import completion, turn
from tests.docs.tables import DOCS
from worker import schedule
from worker.checkout import CHECKOUT
from worker.embedded.programs import UPLOADER_THREADS

_WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 7: "seven", 10: "ten", 30: "thirty"}
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def default(name: str) -> Any:
    """A setting's."""
    return Settings.model_fields[name].default


def number(value: float) -> str:
    """As prose has it: small ones in words."""
    return _WORDS.get(int(value), f"{value:,.0f}")


def span(seconds: float) -> str:
    """``two minutes``, ``an hour``."""
    name, size = next((name, size) for name, size in _UNITS if seconds >= size and seconds % size == 0)
    many = int(seconds // size)
    if many == 1:
        return f"an {name}" if name == "hour" else f"a {name}"
    return f"{number(many)} {name}s"


def every(seconds: float) -> str:
    """``every minute``, ``every 10 s``: as tables have it."""
    if seconds < 60:
        return f"every {seconds:g} s"
    name, size = ("hour", 3_600) if seconds >= 3_600 else ("minute", 60)
    return f"every {name}" if seconds == size else f"every {seconds / size:g} {name[:3]}"


def digits(value: float) -> str:
    """``2,000``."""
    return f"{value:,.0f}"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One figure.

    Attributes:
        page: below docs/, without its ending.
        phrase: how the page says it, with ``{}`` for the figure.
        figure: what stands there.
    """

    page: str
    phrase: str
    figure: str

    @property
    def text(self) -> str:
        """The phrase as the page has to have it."""
        return self.phrase.format(self.figure)

    def holds(self) -> bool:
        """Whether the page says so."""
        return self.text in (DOCS / f"{self.page}.md").read_text(encoding="utf-8")


def _facts(value: float, written: Callable[[float], str], *phrases: tuple[str, str]) -> list[Fact]:
    return [Fact(page=page, phrase=phrase, figure=written(value)) for page, phrase in phrases]


_BEAT = {
    "dispatch": default("dispatch_every"),
    "sweep": TICK_SECONDS,
    "start_uploads": TICK_SECONDS,
    "note_ready": TICK_SECONDS,
    "foresee": schedule.FORESEE_EVERY,
    "refresh": schedule.REFRESH_EVERY,
    "retire": schedule.RETIRE_EVERY,
    "verify": schedule.VERIFY_EVERY,
    "prune": schedule.PRUNE_EVERY,
}

_WHEEL = (CHECKOUT / "benchmarks" / "results" / "installed_wheel.md").read_text(encoding="utf-8")


def _measured(row: str, phrase: str) -> Fact:
    """What the page on installing says of the wheel, with the figures of a row of its results."""
    found = re.search(row, _WHEEL)
    assert found, f"no row {row} in installed_wheel.md"
    return Fact(page="how-to/install", phrase=phrase.format(*found.groups()), figure="")


FACTS = [
    _measured(r"The wheel itself: ([\d.]+) MB", "a file of {} MB"),
    _measured(r"\| `greenroom` \| (\d+) \| (\d+) \|", "the wheel brings {} packages of {} MB in all"),
    _measured(r"\| `greenroom\[app\]`.* \| (\d+) \| (\d+) \|", "({} packages, {} MB before Python compiles"),
    _measured(r"greenroom\.client` \|.*\| ([\d.]+) \(", "`greenroom.client` is imported in {} s of CPU"),
    _measured(r"greenroom\.aio` \|.*\| ([\d.]+) \(", "`greenroom.aio` in {} s"),
    _measured(
        r"`examples/celery_scheduler.py` .*: (?=Success)", "`mypy --strict` finds nothing in the examples"
    ),
    _measured(r"`examples/django_shop`: (?=Success)", "in Celery, asyncio and Django"),
    *_facts(serve.REQUESTS_A_MINUTE, digits, ("how-to/http", "each token may make {} requests a minute")),
    *_facts(serve.MANIFEST_MIB, digits, ("how-to/http", "`--largest-manifest` is {} MiB")),
    *_facts(ApiLimits.largest_body / MIB, digits, ("how-to/http", "any other body {} MiB")),
    *_facts(LARGEST_JSON / MIB, digits, ("how-to/http", "up to {} MiB of them may come as one JSON object")),
    *_facts(
        ApiLimits.manifests,
        number,
        ("explanation/security", "a manifest lies on disk meanwhile, {} at a time"),
    ),
    *_facts(contract.MOST_ROWS, digits, ("how-to/http", "up to {} may come in one request")),
    *(
        Fact(page=page, phrase=f"| `media.{name}` | {before}{{}}", figure=every(seconds))
        for name, seconds in _BEAT.items()
        for page, before in (("how-to/watch", ""), ("reference/tasks", "beat "))
    ),
    *_facts(
        default("dispatch_every"),
        number,
        ("explanation/the-database-is-the-backlog", "and every {} seconds besides"),
    ),
    *_facts(
        default("inspect_batch_size"),
        digits,
        ("how-to/watch", "| `media.inspect` | for each 1 to {} files, and what waits besides |"),
        ("reference/tasks", "judges up to {} claimed items"),
    ),
    *_facts(
        default("batch_size"),
        digits,
        ("how-to/watch", "| `media.upload` | for each 1 to {} files on each"),
        ("reference/tasks", "uploads up to {} claimed assets on each"),
    ),
    *_facts(
        client.ITEMS_A_MESSAGE,
        digits,
        ("how-to/watch", "| `media.prepare`, `media.submit` | for each {} lines of a manifest |"),
    ),
    *_facts(contract.MOST_ROWS, digits, ("reference/tasks", "at most {} items, refs or reports, and 16 MB")),
    *_facts(
        contract.LARGEST_MESSAGE / 2**20, digits, ("reference/tasks", "items, refs or reports, and {} MB")
    ),
    *_facts(
        task_calls.MOST_ATTEMPTS,
        digits,
        ("how-to/scheduler", "`timeout` of 30 seconds ({} for a broker that"),
    ),
    *_facts(manifest.LONGEST_REF, digits, ("how-to/manifest", "1 to {} characters, each once in a manifest")),
    *_facts(
        schedule.SHORTEST_EXPIRY,
        span,
        ("reference/tasks", "longer than its interval (at least {}) is dropped"),
    ),
    *_facts(
        ownership.OWNERSHIP_SECONDS,
        number,
        ("explanation/pace", "An owner that dies is owner until {} seconds after its last heartbeat"),
        ("explanation/pace", "an owner continues until its {} seconds are over"),
        ("explanation/when-something-dies", "channels are uploaded on for {} more seconds"),
    ),
    *_facts(
        turn.UPLOAD_TURN_SECONDS,
        span,
        ("explanation/pace", "A turn lasts {} while there is something to upload"),
    ),
    *_facts(
        turn.SHORT_TURN_SECONDS, span, ("explanation/pace", "and {} while channels wait for a worker that")
    ),
    *_facts(
        completion.RECORD_PATIENCE_SECONDS,
        span,
        ("explanation/when-something-dies", "keeps trying to record them for {};"),
    ),
    *_facts(
        backoff.LONGEST_SECONDS,
        span,
        ("explanation/when-something-dies", "twice as long after each failure, up to {},"),
        ("reference/errors", "twice as long each time, at most {},"),
    ),
    *_facts(
        backoff.LONGEST_ASKED_SECONDS,
        span,
        ("explanation/when-something-dies", "or as long as it asks for, up to {}"),
    ),
    *_facts(default("max_attempts"), number, ("how-to/watch", "given up after {} failures of the moment")),
    *_facts(
        default("max_hold_seconds"),
        digits,
        ("explanation/the-database-is-the-backlog", "`GREENROOM_MAX_HOLD_SECONDS` ({} seconds)"),
    ),
    *_facts(
        default("refresh_margin_days"),
        number,
        ("explanation/keeping-ids-alive", "less a margin of {} days, less a share of two more"),
    ),
    *_facts(
        default("refresh_spread_days"),
        number,
        ("explanation/keeping-ids-alive", "less a margin of three days, less a share of {} more"),
    ),
    *_facts(
        default("media_life_days"),
        digits,
        ("explanation/life-of-a-file", "`expires_at` is {} days from upload"),
        ("reference/tables", "the life that the provider gives ({} days)"),
    ),
    *_facts(
        lookups.FAILURES_ALLOWED, number, ("explanation/keeping-ids-alive", "Greenroom stays at {} for each")
    ),
    *_facts(
        rate_limits.UPLOADS_PER_SECOND,
        digits,
        ("how-to/rehearse", "counts {} uploads in any second"),
        ("reference/sandbox", "{} in any second, then refused"),
    ),
    *_facts(
        links.INBOUND_LIFETIME_SECONDS / 86_400,
        digits,
        ("reference/sandbox", "whose `url` is valid for {} days"),
        ("decisions/0009-the-sandbox-where-the-page-is-silent", "for the page's {} days"),
    ),
    *_facts(
        phone_numbers.FAILED_REMEMBERED,
        digits,
        ("reference/sandbox", "objects of a webhook's `statuses`, the last {}"),
    ),
    *_facts(
        messages.LONGEST_CAPTION, digits, ("how-to/scheduler", "or one of more than {} characters, a name")
    ),
    *_facts(links.LINK_LIFETIME_SECONDS, span, ("reference/sandbox", "answers the media URL, valid for {};")),
    *_facts(doctor.REPLY_SECONDS, span, ("how-to/watch", "none answers within {}, or a queue has nobody")),
    *_facts(doctor.LATE_TICKS, number, ("how-to/watch", "its last tick is more than {} intervals old")),
    *_facts(
        UPLOADER_THREADS,
        digits,
        ("how-to/production", "in threads: {} numbers at the same time"),
        ("how-to/production", "`--pool threads --concurrency {}`"),
    ),
]
