"""Conditions on a state, in the statement's own text: so partial indexes serve prepared statements, too.

With a parameter in the state's place, PostgreSQL cannot match an index to a statement that it has planned
once for all values, and takes that plan when it looks cheaper: at 130,000 assets it read every asset of a
channel to find those that are with a worker, half a second at each look.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.orm import InstrumentedAttribute


def in_state(column: InstrumentedAttribute[Any], *states: StrEnum) -> ColumnElement[bool]:
    """The column has one of these states, in the order in which the index names them."""
    named: list[ColumnElement[Any]] = [literal_column(f"'{state}'") for state in states]
    return column == named[0] if len(named) == 1 else column.in_(named)
