"""How a source is shown, in every log, error, report and table: one way, and a safe one."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from greenroom.is_url import is_remote, is_store, is_url
from greenroom.sources.address import Address, NotAnAddress, parse_address
from greenroom.sources.store_address import StoreAddress, parse_store_address
from greenroom.untrusted_text import printable

#: Up to what no address holds. An apostrophe may be part of one, and a backslash of one in JSON or in
#: Python's own spelling: what follows it is part of the query, too.
_ADDRESS_IN_TEXT = re.compile(r"\b(?:https?:|(?:az|gs|s3|sftp)://)[^\s\"<>]*", re.IGNORECASE)


def shown(source: str) -> str:
    """The source as people are shown it: :func:`unsigned`, and as a terminal may have it."""
    return printable(unsigned(source))


def unsigned(source: str) -> str:
    """The source as programs are given it: a path as it is, an address without what signs it.

    Neither user and password nor query; of one that is none, its scheme alone.
    """
    if not is_remote(source):
        return source
    try:
        return _parsed(source).shown
    except NotAnAddress:
        return source.partition(":")[0].lower() + ":..."


def source_name(source: str) -> str:
    """The file name that a source goes by."""
    if not is_url(source):
        return source.rstrip("/").rpartition("/")[2] or "file"
    try:
        address = parse_address(source)
    except NotAnAddress:
        return "file"
    return unquote(PurePosixPath(address.target.partition("?")[0]).name) or address.host


def without_secrets(text: str) -> str:
    """A text with each address in it as it may be shown; linear in its length."""
    return _ADDRESS_IN_TEXT.sub(_shown_match, text) if ":" in text else text


def _parsed(source: str) -> Address | StoreAddress:
    return parse_store_address(source) if is_store(source) else parse_address(source)


def _shown_match(found: re.Match[str]) -> str:
    try:
        return _parsed(found[0]).shown
    except NotAnAddress:
        return found[0].partition(":")[0] + ":..."
