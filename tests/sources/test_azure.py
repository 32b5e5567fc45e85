"""Files in Azure's blobs, read from its makers' own emulator; skipped where npm has not installed it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import (
    FileRejected,
    GreenroomError,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLoginRefused,
)
from greenroom.sources import Sources, stores
from greenroom.sources.allowed_stores import parse_stores
from greenroom.sources.fetched_files import FetchedFiles
from greenroom.sources.stores import Stores
from greenroom.stores.filesystems import PIECE
from greenroom.stores.process import StoreProcess
from tests.sources.test_stores import LARGE, SMALL, sources_of, trouble_of
from tests.support.azurite import (
    ACCOUNT,
    ACCOUNT_KEY,
    CONTAINER,
    WRONG_KEY,
    AzureServer,
    azurite,
    azurite_program,
)
from tests.support.relay import Relay

pytestmark = [
    pytest.mark.xdist_group("azure"),
    pytest.mark.skipif(azurite_program() is None, reason="azurite-blob is not installed"),
]

OF_ACCOUNT = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """One for all tests."""
    with azurite(tmp_path_factory.mktemp("azurite")) as one:
        yield one


@pytest.fixture(scope="module")
def process(server: AzureServer) -> Iterator[StoreProcess]:
    """One for all tests, started with the account's key in its environment."""
    one = StoreProcess(idle_seconds=600, grace_seconds=30)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in OF_ACCOUNT.items():
            environment.setenv(name, value)
        with pytest.raises(SourceMissing), of_all(server, one).copy(f"az://{CONTAINER}/first"):
            pass
    yield one
    one.close()


@pytest.fixture
def fresh_process() -> Iterator[StoreProcess]:
    """One with the environment of its test."""
    one = StoreProcess(grace_seconds=30)
    yield one
    one.close()


@pytest.fixture
def relay(server: AzureServer) -> Iterator[Relay]:
    """The way to the server."""
    with Relay(server.port).running() as one:
        yield one


def of_all(server: AzureServer, process: StoreProcess) -> Sources:
    """All of the server's container."""
    return sources_of(f"az://{CONTAINER}/={server.endpoint}", process)


def by_way_of(relay: Relay) -> str:
    """An entry that leads through it."""
    return f"az://{CONTAINER}/={relay.address}/{ACCOUNT}"


@pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["small", "large", "empty"])
def test_a_blob_is_a_local_file_for_a_while(
    server: AzureServer, process: StoreProcess, content: bytes
) -> None:
    """Whole, however many pieces it comes in."""
    with of_all(server, process).copy(server.put("spring/hero.jpg", content)) as path:
        assert path.read_bytes() == content
    assert not path.exists()


@pytest.mark.parametrize("key", ["a b/ü+%41&=.jpg", "*[x]!'()~,;:@$.jpg", "文/" + "a" * 200])
def test_a_key_is_taken_as_it_is(server: AzureServer, process: StoreProcess, key: str) -> None:
    """Nothing of it is unquoted, or read as a pattern."""
    with of_all(server, process).copy(server.put(key, SMALL)) as path:
        assert path.read_bytes() == SMALL


def test_what_is_kept_packed_comes_packed(server: AzureServer, process: StoreProcess) -> None:
    """Its client would unpack it, however long that is."""
    from azure.storage.blob import ContentSettings  # noqa: PLC0415 - it takes a while, and few need it

    packed = gzip.compress(SMALL)
    source = server.put("packed.jpg", packed, content_settings=ContentSettings(content_encoding="gzip"))
    with of_all(server, process).copy(source) as path:
        assert path.read_bytes() == packed


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        (f"az://{CONTAINER}/none.jpg", SourceMissing, "There is no file at az://campaigns/none.jpg"),
        (f"az://{CONTAINER}/spring", SourceMissing, "is a folder"),
        ("az://elsewhere/hero.jpg", SourceRefused, "GREENROOM_SOURCE_STORES has no such place"),
    ],
)
def test_what_is_not_there_is_told_by_its_type(
    server: AzureServer, process: StoreProcess, source: str, error: type[GreenroomError], says: str
) -> None:
    """And what is not allowed is never asked for."""
    server.put("spring/hero.jpg", SMALL)
    with pytest.raises(error, match=says), of_all(server, process).copy(source):
        pass


def test_what_did_not_change_is_not_read_twice(
    server: AzureServer, relay: Relay, process: StoreProcess, tmp_path: Path
) -> None:
    """By its ETag; a changed one is read, and what was inspected is had without asking."""
    source = server.put("often.bin", LARGE)
    allowed = Stores(parse_stores(by_way_of(relay)), process=process)
    sources = Sources(stores=allowed, fetched_files=FetchedFiles(tmp_path))
    for _ in range(3):
        with sources.copy(source) as path:
            assert path.read_bytes() == LARGE
    assert len(LARGE) < relay.answered < len(LARGE) + 100_000
    server.put("often.bin", SMALL)
    with sources.copy(source) as path:
        assert path.read_bytes() == SMALL
    answered = relay.answered
    with sources.copy(source, sha256=hashlib.sha256(LARGE).hexdigest()) as path:
        assert path.read_bytes() == LARGE
    assert relay.answered == answered


def test_what_is_replaced_while_it_is_read_is_told(
    server: AzureServer, relay: Relay, process: StoreProcess
) -> None:
    """Each piece is asked for with the version that was begun."""
    source = server.put("changing.bin", LARGE)
    relay.breaks, relay.cut_after = 1, PIECE + 100_000
    relay.at_break = lambda: server.put("changing.bin", LARGE[::-1])
    with (
        pytest.raises(SourceUnavailable, match="replaced while it was read"),
        sources_of(by_way_of(relay), process).copy(source),
    ):
        pass


def test_what_broke_is_taken_up_where_it_broke(
    server: AzureServer, relay: Relay, process: StoreProcess
) -> None:
    """A piece is read anew, and the pieces before it are not."""
    source = server.put("large.bin", LARGE)
    relay.breaks, relay.cut_after = 1, PIECE + 100_000
    with sources_of(by_way_of(relay), process).copy(source) as path:
        assert path.read_bytes() == LARGE
    assert relay.breaks == 0
    assert relay.answered < len(LARGE) + PIECE


def test_a_blob_that_is_too_large_is_not_read(
    server: AzureServer, relay: Relay, process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's own word for its size is enough to leave it."""
    monkeypatch.setattr(stores, "LARGEST_FILE", len(LARGE) - 1)
    source = server.put("video.mp4", LARGE)
    with pytest.raises(FileRejected), sources_of(by_way_of(relay), process).copy(source):
        pass
    assert relay.answered < 100_000


@pytest.mark.parametrize(
    ("who", "error", "says"),
    [
        (OF_ACCOUNT | {"AZURE_STORAGE_ACCOUNT_KEY": WRONG_KEY}, StoreLoginRefused, "Auth[a-zA-Z]*Fail"),
        (OF_ACCOUNT | {"AZURE_STORAGE_ACCOUNT_KEY": "canary!"}, StoreLoginRefused, "AzureSigningError"),
        ({"AZURE_STORAGE_CONNECTION_STRING": "canary"}, StoreLoginRefused, "NoAccount"),
        ({"AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY}, StoreLoginRefused, "NoAccount"),
    ],
    ids=["wrong key", "no key", "no connection string", "no account"],
)
def test_credentials_that_are_none_make_files_wait(  # noqa: PLR0917 - three are of the table above
    server: AzureServer,
    fresh_process: StoreProcess,
    monkeypatch: pytest.MonkeyPatch,
    who: dict[str, str],
    error: type[GreenroomError],
    says: str,
) -> None:
    """They name what to set; no secret is ever said."""
    source = server.put("hero.jpg", SMALL)
    for name, value in who.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(error, match=rf"{says}.*AZURE_STORAGE_ACCOUNT_NAME") as caught,
        of_all(server, fresh_process).copy(source),
    ):
        pass
    assert "canary" not in str(caught.value)
    assert WRONG_KEY not in str(caught.value)


def test_a_signature_reads_its_container_and_no_other(
    server: AzureServer, fresh_process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named by the environment, with the server that it is for."""
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        server.connection_string(SharedAccessSignature=server.signature_of(CONTAINER)),
    )
    source = server.put("hero.jpg", SMALL)
    server.owner.get_blob_client("elsewhere", "hero.jpg").upload_blob(SMALL, overwrite=True)
    with sources_of(f"az://{CONTAINER}/", fresh_process).copy(source) as path:
        assert path.read_bytes() == SMALL
    with (
        pytest.raises((SourceUnreadable, StoreLoginRefused)) as caught,
        sources_of("az://elsewhere/", fresh_process).copy("az://elsewhere/hero.jpg"),
    ):
        pass
    assert "sig=" not in str(caught.value)


def test_the_doctor_asks_each_store(server: AzureServer, process: StoreProcess) -> None:
    """One that is there, one that is not, one that is away."""
    at = f"={server.endpoint}"
    assert trouble_of(f"az://{CONTAINER}/spring/{at}", process) == ""
    assert trouble_of(f"az://none-such/{at}", process) == f"az://none-such/{at} is not there."
    assert "could not be read" in trouble_of(f"az://{CONTAINER}/=http://127.0.0.1:9/{ACCOUNT}", process)
