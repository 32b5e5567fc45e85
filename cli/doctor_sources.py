"""What `greenroom doctor` says of sources: which files and addresses campaigns may name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

from greenroom.settings import Settings
from greenroom.sources.stores import Stores

NOTHING = (
    "Campaigns can name no files and no addresses. Set GREENROOM_MEDIA_ROOTS to the folders of their files, "
    "GREENROOM_SOURCE_HOSTS to the web servers, or GREENROOM_SOURCE_STORES to the stores."
)


def allowed_sources(settings: Settings) -> str:
    """A sentence for each sort of source."""
    roots, hosts = settings.media_roots or (), settings.source_hosts or ()
    files = f"Files below {', '.join(map(str, roots))}." if roots else "No files."
    web = f"Addresses at {', '.join(map(str, hosts))}." if hosts else "No addresses."
    stores = [f"Stores: {', '.join(map(str, settings.source_stores))}."] if settings.source_stores else []
    return " ".join([files, web, *stores])


def warnings_about_sources(settings: Settings) -> Iterator[str]:
    """What an operator may not have meant."""
    for root in settings.media_roots or ():
        if str(root) == "/":
            yield "GREENROOM_MEDIA_ROOTS allows every file that Greenroom's user may read."
        elif not os.access(root, os.R_OK | os.X_OK if root.is_dir() else os.R_OK):
            yield f"{root} is not there, or not to be read, on this machine."
    for host in settings.source_hosts or ():
        if host.is_everything:
            where = "at any IP address" if host.network else "on the Internet"
            yield f"GREENROOM_SOURCE_HOSTS allows every web server {where}, by {host}."


def troubles_with_stores(settings: Settings) -> Iterator[str]:
    """Each allowed store is asked for a file that is not there; what comes of it, where that is not said."""
    stores = Stores(settings.source_stores or ())
    with closing(stores):
        for store in settings.source_stores or ():
            if trouble := stores.trouble(store):
                yield trouble
