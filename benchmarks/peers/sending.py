"""How all peers send a file: by `requests` and its `files=`, with one session for each thread."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import requests

_local = threading.local()


def send(session: requests.Session, endpoint: str, path: str, key: str) -> int:
    """Upload a file; returns the status."""
    with Path(path).open("rb") as file:
        answer = session.post(
            f"{endpoint}/media",
            headers={"D360-API-KEY": key},
            data={"messaging_product": "whatsapp"},
            files={"file": (Path(path).name, file, "image/jpeg")},
            timeout=60,
        )
    answer.content  # noqa: B018 - read, so that the connection can be used again
    return answer.status_code


def kept_session() -> requests.Session:
    """This thread's session; a forked child makes one of its own."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.session, _local.pid = requests.Session(), os.getpid()
    session: requests.Session = _local.session
    return session
