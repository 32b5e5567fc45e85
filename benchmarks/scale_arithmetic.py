"""How many numbers a core, a Redis and a PostgreSQL carry, and what so many numbers need: plain division."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.scale_costs import UnitCosts
from greenroom.rate_limit.sliding_log import PROVIDER_LIMIT_PER_SECOND
from greenroom.settings import Settings

#: Uploads a second on one number, at its fullest.
PACE = float(PROVIDER_LIMIT_PER_SECOND)
#: Seconds between two ticks of the dispatcher.
TICK_SECONDS = float(Settings.model_fields["dispatch_every"].default)
#: Share of a core, a Redis or a PostgreSQL that is planned for; the rest is for peaks and for what fails.
TARGET = 0.7
#: More numbers than are planned for upload at once in this share of all moments.
RARELY = 0.001
#: The same, for what is compared with a simulation, which sees few rare moments.
SOMETIMES = 0.01


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What is to be carried.

    Attributes:
        numbers: phone numbers.
        duty: the share of time for which a number uploads.
        postgres_cores: of one PostgreSQL server.
    """

    numbers: int
    duty: float
    postgres_cores: int

    @property
    def active(self) -> float:
        """Numbers that upload at a moment, on average."""
        return self.numbers * self.duty

    @property
    def most_active(self) -> int:
        """Numbers that upload at a moment, of which there are rarely more."""
        return self.at_most(RARELY)

    def at_most(self, share: float) -> int:
        """Numbers that upload at a moment, of which there are more in this share of all moments alone."""
        below = 0.0
        for count in range(self.numbers + 1):
            below += _binomial(count, self.numbers, self.duty)
            if below >= 1 - share:
                return count
        return self.numbers


@dataclass(frozen=True, kw_only=True)
class Load:
    """CPU that is used, in cores.

    Attributes:
        uploads: a second.
        upload: in upload processes, of which each can use one core.
        inspection: in inspection processes, likewise.
        dispatcher: in the process that runs the tick.
        redis: in Redis, of which each server can use one core.
        postgres: in PostgreSQL.
    """

    uploads: float
    upload: float
    inspection: float
    dispatcher: float
    redis: float
    postgres: float


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What has to be there."""

    upload_processes: int
    inspection_processes: int
    redis_servers: int
    postgres_cores: int
    postgres_servers: int
    cores: int


@dataclass(frozen=True, kw_only=True)
class Carries:
    """Numbers at their full pace that one of each carries."""

    core: float
    redis: float
    postgres: float
    dispatcher: float


def carries(costs: UnitCosts, *, postgres_cores: int) -> Carries:
    """How far one of each goes; a core does all the work of Greenroom's own processes for its numbers."""
    own = PACE * (costs.upload_ms + costs.inspection_ms)
    ticks = costs.postgres_tick_channel_ms / TICK_SECONDS
    return Carries(
        core=_divided(1000 * TARGET, own + costs.tick_channel_ms / TICK_SECONDS),
        redis=_divided(1000 * TARGET, PACE * costs.redis_ms),
        postgres=_divided(1000 * TARGET * postgres_cores, PACE * costs.postgres_ms + ticks),
        # A tick that takes as long as its interval is one dispatcher's end.
        dispatcher=_divided(1000 * TARGET * TICK_SECONDS - costs.tick_ms, costs.tick_channel_ms),
    )


def load(costs: UnitCosts, active: float) -> Load:
    """What so many numbers use while they upload at their full pace."""
    uploads = active * PACE
    return Load(
        uploads=uploads,
        upload=uploads * costs.upload_ms / 1000,
        inspection=uploads * costs.inspection_ms / 1000,
        dispatcher=(costs.tick_ms + active * costs.tick_channel_ms) / TICK_SECONDS / 1000,
        redis=uploads * costs.redis_ms / 1000,
        postgres=uploads * costs.postgres_ms / 1000
        + (costs.postgres_tick_ms + active * costs.postgres_tick_channel_ms) / TICK_SECONDS / 1000,
    )


def needs(costs: UnitCosts, fleet: Fleet) -> Needs:
    """Enough for the moments at which rarely more numbers upload."""
    peak = load(costs, fleet.most_active)
    upload = _at_least_one(peak.upload)
    inspection = _at_least_one(peak.inspection + peak.dispatcher)
    redis = _at_least_one(peak.redis)
    postgres = _at_least_one(peak.postgres)
    return Needs(
        upload_processes=upload,
        inspection_processes=inspection,
        redis_servers=redis,
        postgres_cores=postgres,
        postgres_servers=math.ceil(postgres / fleet.postgres_cores),
        cores=upload + inspection + redis + postgres,
    )


def _at_least_one(cores: float) -> int:
    return max(1, math.ceil(cores / TARGET))


def _divided(what: float, by: float) -> float:
    return what / by if by else math.inf


def _binomial(count: int, of: int, chance: float) -> float:
    if chance in (0.0, 1.0):
        return float(count == of * chance)
    ways = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
    return math.exp(ways + count * math.log(chance) + (of - count) * math.log1p(-chance))
