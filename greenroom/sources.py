"""Sources: where a file comes from, a path on this machine or an http(s) address, opened as a local file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

import requests

from greenroom.errors import FileRejected, SourceMissing, SourceUnavailable
from greenroom.provider.failures import BROKEN_EXCHANGE
from greenroom.reasons import Reason
from greenroom.resources import out_of_resources
from greenroom.rules import LARGEST_FILE, MIB

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
#: A web source that takes longer altogether is given up for now: it would keep a worker from everything else.
FETCH_SECONDS = 600.0
_CHUNK = 256 * 1024


def is_url(source: str) -> bool:
    """Whether the source is an http(s) address and not a path."""
    return urlsplit(source).scheme in ("http", "https")


def source_name(source: str) -> str:
    """The file name that a source goes by."""
    if is_url(source):
        return unquote(PurePosixPath(urlsplit(source).path).name) or urlsplit(source).hostname or "file"
    return source.rstrip("/").rpartition("/")[2]


def shown(source: str) -> str:
    """The source as it may be shown: a signed address without what signs it."""
    if not is_url(source):
        return source
    parts = urlsplit(source)
    # Neither the query nor a user's name and password.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def local_copy(source: str) -> AbstractContextManager[Path]:
    """The source as a file on this machine, for as long as the block runs.

    Raises:
        SourceMissing: there is no such file, or its server says so.
        SourceUnavailable: it cannot be read just now.
        FileRejected: the server sends more than WhatsApp ever takes.
    """
    if is_url(source):
        return _fetched(source)
    path = Path(source)
    try:
        regular = path.is_file()
    except OSError as error:
        raise SourceUnavailable(f"{source} cannot be read just now: {error.strerror}") from error
    if not regular:
        raise SourceMissing(f"There is no file at {source}.")
    return nullcontext(path)


@contextmanager
def _fetched(source: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="greenroom-") as file:
        _fetch(source, file)
        file.flush()
        yield Path(file.name)


def _fetch(source: str, into: IO[bytes]) -> None:
    """Fetch a web source; errors name the address without its query, which may be what signs it."""
    name = shown(source)
    give_up_at = time.monotonic() + FETCH_SECONDS
    try:
        with requests.get(source, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            if answer.status_code >= requests.codes.server_error or answer.status_code in (408, 429):
                raise SourceUnavailable(f"{name} answered {answer.status_code}.")
            if not answer.ok:
                raise SourceMissing(f"{name} answered {answer.status_code}.")
            # What has come in so far, and not a full chunk: a trickle must not hide from the clock.
            while chunk := answer.raw.read1(_CHUNK, decode_content=True):
                into.write(chunk)
                if time.monotonic() > give_up_at:
                    raise SourceUnavailable(f"{name} sends too slowly: not done in {FETCH_SECONDS:.0f} s.")
                if into.tell() > LARGEST_FILE:
                    raise FileRejected(
                        Reason.TOO_LARGE,
                        f"The file is larger than {LARGEST_FILE // MIB} MB, the most that WhatsApp takes of "
                        "any file.",
                    )
    except (*BROKEN_EXCHANGE, OSError, ValueError) as error:
        # A redirect to nonsense is a ValueError. Not `from error`: its text has the
        # whole address.
        if (short := out_of_resources(error)) is not None:
            raise short from None
        raise SourceUnavailable(f"{name} could not be fetched ({type(error).__name__}).") from None
