"""fsspec's file systems, made as Greenroom needs them: no cached listings, bounded waits, known hosts alone.

Credentials are found by each library where its makers' documentation says: in the environment and in the
standard files of this machine. None of them is ever named by a campaign.
"""

from __future__ import annotations

import errno
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from greenroom.stores.orders import StoreOrder

STORE_CONNECT_SECONDS: Final = 10
#: Seconds without a byte.
STORE_READ_SECONDS: Final = 30
#: Bytes that are asked for at a time. What was read up to a break is not read again.
PIECE: Final = 8 * 1024 * 1024
#: Bytes of one answer: a piece, and what one read of the network may bring beyond it.
MOST_OF_AN_ANSWER: Final = PIECE + 1024 * 1024
#: More than clocks differ by.
SETTLED_SECONDS: Final = 60
#: Of one request, by the library itself; a piece that fails is tried again by `reader`.
_TRIES: Final = 2


def filesystem_of(order: StoreOrder) -> Any:
    """The file system that an order's file lies in.

    Raises:
        ImportError: its library is not installed.
    """
    return {"az": _az, "gs": _gs, "s3": _s3, "sftp": _sftp}[order.scheme](order)


def _az(order: StoreOrder) -> Any:
    from greenroom.stores.azure_blobs import AzureBlobs  # noqa: PLC0415 - only where one is needed

    _confine_aiohttp()
    return AzureBlobs(
        endpoint=order.endpoint,
        connect_seconds=STORE_CONNECT_SECONDS,
        read_seconds=STORE_READ_SECONDS,
    )


def _s3(order: StoreOrder) -> Any:
    from s3fs import S3FileSystem  # noqa: PLC0415 - as above

    _confine_aiohttp()
    store = S3FileSystem(
        endpoint_url=order.endpoint or None,
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={
            "connect_timeout": STORE_CONNECT_SECONDS,
            "read_timeout": STORE_READ_SECONDS,
            "retries": {"total_max_attempts": _TRIES, "mode": "standard"},
            # Not each store that speaks S3 has them; what is sent has the inspected hash in any case.
            "response_checksum_validation": "when_required",
        },
    )
    store.retries = _TRIES
    return store


def _gs(order: StoreOrder) -> Any:
    from gcsfs import GCSFileSystem  # noqa: PLC0415 - as above

    _confine_aiohttp()
    # A token never travels without TLS; what is reached so is somebody's emulator.
    token = "anon" if order.endpoint.startswith("http://") else None
    return GCSFileSystem(
        token=token,
        endpoint_url=order.endpoint or None,
        skip_instance_cache=True,
        use_listings_cache=False,
        requests_timeout=STORE_READ_SECONDS,
    )


def _sftp(order: StoreOrder) -> Any:
    from sshfs import SSHFileSystem  # noqa: PLC0415 - as above

    host, _, port = order.place.rpartition(":")
    user = {"username": order.user} if order.user else {}
    return SSHFileSystem(
        host.strip("[]"),
        port=int(port),
        # What ~/.ssh/known_hosts says, as ssh does; sshfs by itself would believe any host.
        known_hosts=(),
        connect_timeout=STORE_CONNECT_SECONDS,
        login_timeout=STORE_CONNECT_SECONDS,
        keepalive_interval=STORE_READ_SECONDS,
        skip_instance_cache=True,
        **user,
    )


@cache
def _confine_aiohttp() -> None:
    """Have aiohttp ask the operator's server and no other, and read no more than was asked for.

    It follows redirects unless a request says otherwise, and reads an answer whole, however long that is; the
    requests of aiobotocore and gcsfs leave it at that; azure-core reads in small parts, without an end, too.
    This process has no other use for it. A bucket's
    region is another matter: botocore finds its server by itself.
    """
    import aiohttp  # noqa: PLC0415 - as above

    ask = aiohttp.ClientSession._request  # noqa: SLF001 - all go through it
    read, read_part = aiohttp.StreamReader.readany, aiohttp.StreamReader.read

    async def asked(session: Any, method: str, url: Any, **options: Any) -> Any:
        return await ask(session, method, url, **{**options, "allow_redirects": False})

    def require_bound(content: Any) -> None:
        if content.total_bytes > MOST_OF_AN_ANSWER:
            raise OSError(errno.EMSGSIZE, "more than was asked for")

    async def bounded(content: Any) -> bytes:
        require_bound(content)
        return await read(content)

    async def bounded_part(content: Any, n: int = -1) -> bytes:
        require_bound(content)
        return await read_part(content, n)

    patched: Any = aiohttp.ClientSession
    patched._request = asked  # noqa: SLF001 - as above
    patched = aiohttp.StreamReader
    patched.readany, patched.read = bounded, bounded_part


def path_of(order: StoreOrder) -> str:
    """The file's path in its file system."""
    return f"/{order.key}" if order.scheme == "sftp" else f"{order.place}/{order.key}"


def is_settled(order: StoreOrder, info: dict[str, Any], *, now: float) -> bool:
    """Whether what changes from now on will have another version.

    SFTP's moments are whole seconds, by the server's clock: a file that is as new as that may be written once
    more, and look as before.
    """
    if order.scheme != "sftp":
        return True
    return bool(info.get("mtime")) and info["mtime"].timestamp() < now - SETTLED_SECONDS


def version_of(order: StoreOrder, info: dict[str, Any]) -> str:
    """What tells a file's content from the next one: its ETag or generation, or its size and moment."""
    named = {"az": "etag", "gs": "generation", "s3": "ETag"}.get(order.scheme)
    if named is not None:
        return str(info.get(named) or "")
    return f"{info['size']}-{info['mtime'].timestamp():.0f}" if info.get("mtime") else ""
