"""``python -m tests.support.sftp_server FOLDER PORT HOST_KEY AUTHORIZED_KEYS``: shows a folder by SFTP."""

from __future__ import annotations

import asyncio
import sys

import asyncssh


async def _serve(folder: str, port: str, host_key: str, authorized: str) -> None:
    await asyncssh.listen(
        "127.0.0.1",
        int(port),
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
