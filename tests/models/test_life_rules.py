"""When an ID ends: the condition in SQL, and the rule in Python."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from greenroom.lifecycle import LifeRules
from models import Channel, Media
from models.life_rules import ends_by, ends_by_own_rules, rules_by_life
from tests.support.rows import ready_item
from tests.support.world import CHANNEL, NOON, World

MOMENT = timedelta(microseconds=1)
#: Around a life of 30 days, at its boundary and anywhere.
SPANS = st.one_of(
    st.sampled_from([timedelta(0), MOMENT, -MOMENT, timedelta(days=30), timedelta(days=30) - MOMENT]),
    st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=80)),
)
LIVES = st.one_of(
    st.sampled_from([timedelta(days=30), timedelta(hours=4)]),
    st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=60)),
)


def rules(life: timedelta, *, trust_last_use: bool) -> LifeRules:
    """Rules with this life; what concerns renewals and look-ups is the same in all."""
    day = timedelta(days=1)
    return LifeRules(
        life=life,
        margin=3 * day,
        spread=2 * day,
        trust_last_use=trust_last_use,
        verify_after=7 * day,
        verify_every=2 * day,
    )


@pytest.fixture
def asset_id(world: World) -> int:
    """Of the one media ID that there is."""
    return ready_item(world, "one", media_id="1")


def put(connection: Connection, *, used: timedelta | None) -> None:
    """An ID that was uploaded at noon, and used so much later, or never."""
    last_used_at = None if used is None else NOON + used
    connection.execute(update(Media).values(uploaded_at=NOON, last_used_at=last_used_at))


@pytest.mark.usefixtures("asset_id")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(used=st.none() | SPANS, life=LIVES, trust=st.booleans(), asked=SPANS)
def test_sql_and_python_agree(
    world: World, used: timedelta | None, life: timedelta, *, trust: bool, asked: timedelta
) -> None:
    """At the end itself, a moment before, and anywhere else, on both databases."""
    it = rules(life, trust_last_use=trust)
    end = it.end(NOON, None if used is None else NOON + used)
    with world.database.write() as connection:
        put(connection, used=used)
        for moment in (end, end - MOMENT, end + MOMENT, NOON + asked):
            found = connection.execute(select(Media.id).where(ends_by(moment, it))).all()
            assert bool(found) == (end <= moment)


@pytest.mark.usefixtures("asset_id")
@pytest.mark.parametrize("own", [None, timedelta(days=4)], ids=["as-set-for-all", "of-its-own"])
@pytest.mark.parametrize("trust", [False, True], ids=["from-the-upload", "from-the-last-use"])
def test_each_channel_has_its_own_rules(world: World, own: timedelta | None, *, trust: bool) -> None:
    """Other channels' lives count for nothing."""
    world.add_channel("4930", "another-key")
    world.add_channel("4931", "yet-another-key")

    def rules_of(life: timedelta | None) -> LifeRules:
        return rules(life or timedelta(days=30), trust_last_use=trust)

    used = timedelta(days=1)
    end = rules_of(own).end(NOON, NOON + used)
    with world.database.write() as connection:
        put(connection, used=used)
        for channel_id, life in ((CHANNEL, own), ("4930", timedelta(hours=1)), ("4931", timedelta(days=90))):
            seconds = None if life is None else int(life.total_seconds())
            connection.execute(
                update(Channel).where(Channel.id == channel_id).values(media_life_seconds=seconds)
            )
        known = rules_by_life(connection, rules_of)
        for moment in (end, end - MOMENT):
            statement = select(Media.id).join(Channel, Channel.id == Media.channel_id)
            found = connection.execute(statement.where(ends_by_own_rules(moment, known))).all()
            assert bool(found) == (end <= moment)
