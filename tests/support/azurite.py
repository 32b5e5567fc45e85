"""Azurite, its makers' own emulator of Azure's blobs, where npm has installed it."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from tests.support.stores import until_it_listens
from tests.support.world import free_port

ACCOUNT = "greenroomtests"
ACCOUNT_KEY = base64.b64encode(b"canary-key-of-azure").decode()
WRONG_KEY = base64.b64encode(b"canary-key-of-nobody").decode()
CONTAINER = "campaigns"


def azurite_program() -> str | None:
    """Where it is, if it is."""
    return shutil.which("azurite-blob")


@dataclass(frozen=True, kw_only=True)
class AzureServer:
    """An account with one container.

    Attributes:
        endpoint: address of the account's blobs.
        port: where it listens.
        owner: the account's own client.
    """

    endpoint: str
    port: int
    owner: Any

    def put(self, key: str, content: bytes, **more: Any) -> str:
        """Write a blob; returns its address."""
        self.owner.get_blob_client(CONTAINER, key).upload_blob(content, overwrite=True, **more)
        return f"az://{CONTAINER}/{key}"

    def signature_of(self, container: str) -> str:
        """A SAS that lets a container be read for an hour, and not be listed."""
        return generate_container_sas(
            ACCOUNT,
            container,
            account_key=ACCOUNT_KEY,
            permission=ContainerSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )

    def connection_string(self, **parts: str) -> str:
        """As Azure's portal writes it."""
        whole = {"BlobEndpoint": self.endpoint, **parts}
        return ";".join(f"{name}={value}" for name, value in whole.items())


@contextmanager
def azurite(folder: Path) -> Iterator[AzureServer]:
    """The server: it checks signatures and permissions, and keeps conditions and ranges."""
    program = azurite_program()
    assert program, "no Azurite: npm install --global azurite"
    port = free_port()
    # Each start of it would be told to its makers.
    quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    accounts = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *where, *quiet], stdout=log, stderr=log, cwd=folder, env=os.environ | accounts
        )
    try:
        until_it_listens(port, process)
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        with BlobServiceClient(endpoint, {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}) as owner:
            owner.create_container(CONTAINER)
            owner.create_container("elsewhere")
            yield AzureServer(endpoint=endpoint, port=port, owner=owner)
    finally:
        process.kill()
        process.wait()
