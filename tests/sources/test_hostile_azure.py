"""What says that it is Azure and lies, leads elsewhere, asks for other tokens or never ends."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from greenroom.errors import GreenroomError, SourceMissing, SourceUnavailable
from greenroom.rules import MIB
from greenroom.sources import Sources
from greenroom.sources.allowed_stores import parse_stores
from greenroom.sources.stores import Stores
from greenroom.stores.azure_blobs import TOKENS_FOR, StorageTokens
from greenroom.stores.process import StoreProcess
from tests.sources.test_hostile_servers import Recorder, running, say
from tests.sources.test_hostile_stores import TAKEN, Answer, WithHead, far_too_long

pytestmark = pytest.mark.xdist_group("stores")

KEY = base64.b64encode(b"canary-key-of-azure").decode()
HERO = "az://campaigns/hero.jpg"
TEN_BYTES = say(b"", ETag='"1"', Content_Length="10")


@pytest.fixture(scope="module")
def process() -> Iterator[StoreProcess]:
    """One for all tests, with the environment of the first."""
    one = StoreProcess(idle_seconds=600)
    yield one
    one.close()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """What says that it is Azure."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "campaigns")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sig=canary-signature")
    with running(Recorder()) as one:
        one.RequestHandlerClass = WithHead
        yield one


def read(store: Recorder, process: StoreProcess) -> bytes:
    """Its file."""
    allowed = parse_stores(f"az://campaigns/=http://127.0.0.1:{store.server_port}/campaigns")
    with Sources(stores=Stores(allowed, process=process)).copy(HERO) as path:
        return path.read_bytes()


def after_head(answer: Answer) -> Answer:
    """A blob of ten bytes, of which the store then says something."""
    return lambda handler: TEN_BYTES(handler) if handler.command == "HEAD" else answer(handler)


def test_each_piece_is_asked_for_with_its_version(store: Recorder, process: StoreProcess) -> None:
    """And with a signature in place of a key."""
    store.answer = after_head(say(b"0123456789", 206, ETag='"1"', Content_Range="bytes 0-9/10"))
    assert read(store, process) == b"0123456789"
    (piece,) = [asked for asked in store.asked if "if-match" in asked]
    assert piece["if-match"] == '"1"'
    assert piece.get("x-ms-range") == "bytes=0-9"
    assert "canary" not in str(store.asked)
    assert KEY not in str(store.asked)


def test_a_redirect_is_not_followed(store: Recorder, process: StoreProcess) -> None:
    """Neither at once nor for a piece."""
    with running(Recorder()) as inside:
        lead = say(b"", 302, Location=f"http://127.0.0.1:{inside.server_port}/hero.jpg")
        for answer in (lead, after_head(lead)):
            store.answer = answer
            with pytest.raises(GreenroomError):
                read(store, process)
        assert inside.connections == 0


def test_an_answer_without_an_end_is_left(store: Recorder, process: StoreProcess) -> None:
    """When there is more of it than was asked for."""
    sent: list[int] = []
    store.answer = after_head(far_too_long(sent, Content_Range="bytes 0-9/10"))
    with pytest.raises(SourceUnavailable):
        read(store, process)
    assert sum(sent) < TAKEN * MIB


def test_a_listing_without_an_end_is_left(store: Recorder, process: StoreProcess) -> None:
    """A folder is looked for where there is no blob: pages that are empty, and name a next one each."""
    none = say(b"", 404, x_ms_error_code="BlobNotFound")
    page = say(
        b'<?xml version="1.0"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="campaigns">'
        b"<Blobs></Blobs><NextMarker>more</NextMarker></EnumerationResults>",
        Content_Type="application/xml",
    )
    store.answer = lambda handler: page(handler) if "comp=list" in handler.path else none(handler)
    with pytest.raises(SourceMissing):
        read(store, process)
    assert len(store.asked) < 10


def test_a_piece_of_another_version_is_not_taken(store: Recorder, process: StoreProcess) -> None:
    """Of a server that does not mind which one is asked for."""
    store.answer = after_head(say(b"0123456789", 206, ETag='"2"', Content_Range="bytes 0-9/10"))
    with pytest.raises(SourceUnavailable, match="replaced while it was read"):
        read(store, process)


@pytest.mark.parametrize(
    "answer",
    [
        say(b"x" * 20, 206, ETag='"1"', Content_Range="bytes 0-19/20"),
        say(b"", 206, ETag='"1"', Content_Range="bytes 0-9/10"),
        say(b"0123456789", 206, ETag='"1"'),
        say(b"", 503, x_ms_error_code="ServerBusy"),
        say(b"<Error><Code>canary secret text</Code></Error>", 500),
    ],
    ids=["more", "nothing", "no range", "busy", "nonsense"],
)
def test_what_cannot_be_is_away_for_now(store: Recorder, process: StoreProcess, answer: Answer) -> None:
    """It is read again later, and none of it is quoted."""
    store.answer = after_head(answer)
    with pytest.raises(SourceUnavailable) as caught:
        read(store, process)
    assert "canary" not in str(caught.value)


class Vault:
    """Gives a token for whatever it is asked."""

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """One that says what it is for."""
        return AccessToken(f"for {scopes}", int(time.time()) + 60)


def test_no_server_gets_a_token_of_something_else() -> None:
    """Its challenge may name another resource and another tenant."""
    tokens = StorageTokens(Vault())
    assert TOKENS_FOR in asyncio.run(tokens.get_token(TOKENS_FOR, tenant_id="elsewhere")).token
    with pytest.raises(ClientAuthenticationError):
        asyncio.run(tokens.get_token("https://management.azure.com/.default"))
