"""Pages of HTML from templates: one frame, style sheet and script for all of them, and what they may load.

Style sheet and script stand in the page, and its Content Security Policy names them by their digest: no other
one is used, whatever else gets into a page.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from greenroom.figures import counted
from greenroom.reasons import advice_on
from greenroom.untrusted_text import printable

#: Characters of a name or a sentence that are shown.
LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class LiveView:
    """A page as the HTTP server shows it.

    Attributes:
        who: by which token its reader came in; empty for who has not.
        refresh: seconds until it is shown anew; 0 for a page that stays.
        toggle: where it is with the refreshing turned off, or on again; empty where it never refreshes.
        files: where all files of the campaign are.
    """

    who: str = ""
    refresh: int = 0
    toggle: str = ""
    files: str = ""


def rendered(name: str, *, live: LiveView | None, zone: tzinfo | None = None, **shown: Any) -> str:
    """A page.

    Args:
        name: of its template.
        live: None for a file.
        zone: in which moments are shown; the machine's own, where none is given.
        shown: what its template asks for.
    """
    return _environment().get_template(name).render(live=live, moment=lambda at: with_zone(at, zone), **shown)


def policy_of_a_file() -> str:
    """What a page may load that is a file: nothing."""
    allowed = f"default-src 'none'; style-src {_digest('page.css')}; img-src data:"
    return f"{allowed}; base-uri 'none'; form-action 'none'"


def policy_of_a_server() -> str:
    """What a page may load that a server shows: pictures, and itself anew; forms go to the same server."""
    return (
        f"default-src 'none'; style-src {_digest('page.css')}; script-src {_digest('refresh.js')}; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def with_zone(at: datetime, zone: tzinfo | None = None) -> str:
    """A moment with its zone: ``Fri 21 Jun 2030, 09:00 CEST (UTC+02:00)``.

    Args:
        at: when.
        zone: in which it is shown; the machine's own, where none is given.
    """
    local = at.astimezone(zone)
    name, offset = local.strftime("%Z"), f"UTC{local:%z}"
    offset = f"{offset[:-2]}:{offset[-2:]}"
    named = "UTC" if name == "UTC" else f"{name} ({offset})" if name.isalpha() else offset
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {named}"


def _title(reason: str) -> str:
    return printable(reason).replace("_", " ").capitalize() or "Not said"


@cache
def _text(name: str) -> str:
    return files("greenroom").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        # Whatever is put in is escaped, but for our own style sheet and script.
        autoescape=True,
        loader=PackageLoader("greenroom"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    globals_: dict[str, Any] = {
        "css": Markup(_text("page.css")),  # noqa: S704 - our own
        "script": Markup(_text("refresh.js")),  # noqa: S704 - as above
        "policy_of_a_file": policy_of_a_file(),
        "machine": lambda at: at.isoformat(timespec="seconds"),
    }
    environment.globals |= globals_
    filters: dict[str, Any] = {
        "shown": lambda text: printable(text, longest=LONGEST),
        "advice": advice_on,
        "title": _title,
        "counted": counted,
        "files": lambda count: counted(count, "file"),
        "week": lambda day: f"{day.day} {day:%b %Y}",
    }
    environment.filters |= filters
    return environment
