"""Blobs of Azure through adlfs: of the server that the operator named, and each piece of the version begun.

adlfs by itself follows redirects, waits for minutes, asks for no version, and has no way to an emulator.
"""

from __future__ import annotations

from typing import Any, Final, Self

from adlfs import AzureBlobFileSystem
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.core.utils import parse_connection_string
from azure.storage.blob.aio import BlobServiceClient
from fsspec.asyn import sync

from greenroom.stores.error_ends import FileExpired

#: What alone tokens are had for: https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-azure-active-directory
TOKENS_FOR: Final = "https://storage.azure.com/.default"
#: Pages of a listing, of one blob each, that are looked at.
_MOST_PAGES: Final = 5
#: Ways to log in that start programs of a developer or read what they have left.
_OF_DEVELOPERS: Final = ("cli", "developer_cli", "powershell", "shared_token_cache", "visual_studio_code")


class NoAccount(Exception):
    """The environment names no account, or in a way that cannot be read."""


class StorageTokens:
    """A credential that gives tokens for storage alone, whatever a server asks for.

    The client would follow a 401 that names another resource and another tenant, and send it their token.
    """

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token of the operator's tenant.

        Raises:
            ClientAuthenticationError: there is none, or it is for something else.
        """
        if scopes != (TOKENS_FOR,):
            raise ClientAuthenticationError("asks for a token of something else")
        token: AccessToken = await self._credential.get_token(*scopes)
        return token

    async def close(self) -> None:
        """Of the protocol; what it stands for is closed by adlfs."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AzureBlobs(AzureBlobFileSystem):  # type: ignore[misc]  # it has no types
    """The blobs of one account; who reads them, adlfs finds in the environment."""

    #: By fsspec, for all that ask for the same; here each has its own.
    cachable = False

    def __init__(self, *, endpoint: str, connect_seconds: float, read_seconds: float) -> None:
        """Log in, without asking anybody yet.

        Args:
            endpoint: address of the account's blobs; empty for what the environment says.
            connect_seconds: after which a connection is given up.
            read_seconds: without a byte.

        Raises:
            NoAccount: the environment says neither who nor where.
        """
        self._endpoint = endpoint
        self._options: dict[str, Any] = {
            "permit_redirects": False,
            # Whoever asks here tries again by himself; the client would wait 15 seconds first.
            "retry_total": 0,
            "connection_timeout": connect_seconds,
            "read_timeout": read_seconds,
        }
        excluded = {f"exclude_{way}_credential": True for way in _OF_DEVELOPERS}
        super().__init__(use_listings_cache=False, **excluded)

    def do_connect(self) -> None:
        """As adlfs has it, to the operator's server and with bounds."""
        try:
            if self.connection_string and not self._endpoint:
                self.service_client = BlobServiceClient.from_connection_string(
                    self.connection_string, **self._options
                )
                return
            self.service_client = BlobServiceClient(
                self._endpoint or self._address(), credential=self._login(), **self._options
            )
        except ValueError:
            # Its text may quote the environment.
            raise NoAccount from None

    def _address(self) -> str:
        if not self.account_name:
            raise NoAccount
        return f"https://{self.account_name}.blob.core.windows.net"

    def _login(self) -> Any:
        """Who reads: a key, a signature, a token, or nobody."""
        named = parse_connection_string(self.connection_string) if self.connection_string else {}
        account = named.get("accountname") or self.account_name
        if key := named.get("accountkey") or self.account_key:
            if not account:
                raise NoAccount
            return AzureNamedKeyCredential(account, key)
        if self._endpoint.startswith("http://"):
            # A key signs and stays here; what travels never does so without TLS.
            return None
        if signature := named.get("sharedaccesssignature") or self.sas_token:
            return AzureSasCredential(signature)
        return StorageTokens(self.credential) if self.credential else None

    async def _info(self, path: str, **options: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await super()._info(path, **options)
        except FileNotFoundError:
            # adlfs keeps to itself whether there is such a container; this says so.
            await self._piece(path, "", 0, 1)
            raise
        return found

    async def _dir_exists(self, container: str, path: str) -> bool:
        """Whether something lies below it, as far as the first pages say: each of them may be empty."""
        async with self.service_client.get_container_client(container) as of_container:
            pages = of_container.list_blobs(name_starts_with=f"{path}/", results_per_page=1).by_page()
            try:
                for _ in range(_MOST_PAGES):
                    async for _ in await anext(pages):
                        return True
            except (ResourceNotFoundError, StopAsyncIteration):
                pass
        return False

    def piece(self, path: str, version: str, at: int, length: int) -> bytes:
        """Bytes of a blob from a place on, as they are kept, if it still has a version (``If-Match``).

        Raises:
            HttpResponseError: it has another one, or whatever else the store says.
            FileExpired: what came is of another one, whatever was asked for.
        """
        piece: bytes = sync(self.loop, self._piece, path, version, at, length)
        return piece

    async def _piece(self, path: str, version: str, at: int, length: int) -> bytes:
        container, key, _ = self.split_path(path)
        condition: dict[str, Any] = {}
        if version:
            condition = {"etag": version, "match_condition": MatchConditions.IfNotModified}
        async with self.service_client.get_blob_client(container, key) as blob:
            stream = await blob.download_blob(offset=at, length=length, decompress=False, **condition)
            if version and stream.properties.etag != version:
                raise FileExpired
            read: bytes = await stream.readall()
            return read
