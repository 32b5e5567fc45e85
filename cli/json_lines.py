"""What the command prints for programs: JSON in letters, moments as ISO 8601 in UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click


def json_line(values: Mapping[str, Any]) -> str:
    """JSON in letters that people can read; what has no shape of its own is spelt out, as JSON spells it.

    Moments (aware ones) become ISO 8601 in UTC.
    """
    line = json.dumps(values, ensure_ascii=False, default=_in_utc)
    return line if line.isprintable() else "".join(map(_escaped, line))


def print_json(document: Mapping[str, Any]) -> None:
    """Print one document, in one line."""
    click.echo(json_line(document))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def _in_utc(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
