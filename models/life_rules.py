"""The rules by which channels' media IDs live: whose they are, and when an ID ends by them, said in SQL.

:meth:`greenroom.lifecycle.LifeRules.end` says the same of one ID in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, false, or_, select

from greenroom.lifecycle import LifeRules
from models.channel import Channel, lives
from models.media import Media

#: How a channel's rules are had, given its own life.
RulesOf = Callable[[timedelta | None], LifeRules]


def rules_by_channel(
    connection: Connection, channel_ids: Collection[str], rules_of: RulesOf
) -> dict[str, LifeRules]:
    """The rules of these channels, by ID."""
    return {channel_id: rules_of(life) for channel_id, life in lives(connection, channel_ids).items()}


def rules_by_life(connection: Connection, rules_of: RulesOf) -> dict[int | None, LifeRules]:
    """The rules of all channels, by what ``Channel.media_life_seconds`` says: a few, of many channels."""
    found = connection.execute(select(Channel.media_life_seconds).distinct()).scalars()
    return {seconds: rules_of(None if seconds is None else timedelta(seconds=seconds)) for seconds in found}


def ends_by(moment: datetime, rules: LifeRules) -> ColumnElement[bool]:
    """A condition on :class:`Media`: by these rules, the ID is relied on until this moment at the longest."""
    # The moment goes back by a life, and not each row forward: SQLite does not reckon with moments.
    since = moment - rules.life
    if not rules.trust_last_use:
        return Media.uploaded_at <= since
    return (Media.uploaded_at <= since) & (Media.last_used_at.is_(None) | (Media.last_used_at <= since))


def ends_by_own_rules(moment: datetime, rules: Mapping[int | None, LifeRules]) -> ColumnElement[bool]:
    """A condition on :class:`Media` and its :class:`Channel`: as :func:`ends_by`, by the channel's rules.

    Args:
        moment: which.
        rules: from :func:`rules_by_life`.
    """
    of_each = (
        (Channel.media_life_seconds == seconds) & ends_by(moment, each) for seconds, each in rules.items()
    )
    return or_(false(), *of_each)
