"""Files in stores, read from real servers: what is allowed is read whole, each trouble told by its type."""

from __future__ import annotations

import hashlib
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

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
from tests.support.relay import Relay
from tests.support.stores import (
    BUCKET,
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    SECRET,
    S3Server,
    SftpServer,
    cloud_storage,
    sftp_server,
)

pytestmark = pytest.mark.xdist_group("stores")

SMALL = b"a campaign's image"
#: Two pieces and a bit.
LARGE = random.Random(5).randbytes(2 * PIECE + 1000)


@pytest.fixture(scope="module")
def process() -> Iterator[StoreProcess]:
    """One for all tests, with the environment of the first: its libraries take a second to load."""
    one = StoreProcess(idle_seconds=600, grace_seconds=30)
    yield one
    one.close()


@pytest.fixture
def fresh_process() -> Iterator[StoreProcess]:
    """One with the environment of its test."""
    one = StoreProcess(grace_seconds=30)
    yield one
    one.close()


def sources_of(entry: str, process: StoreProcess) -> Sources:
    """What an installation with this setting may open."""
    return Sources(stores=Stores(parse_stores(entry), process=process))


def trouble_of(entry: str, process: StoreProcess) -> str:
    """What `greenroom doctor` says of it."""
    (store,) = parse_stores(entry)
    return Stores([store], process=process).trouble(store)


@pytest.fixture
def of_s3(s3: S3Server, process: StoreProcess) -> Sources:
    """All of the S3 server's bucket."""
    return sources_of(f"s3://{BUCKET}/={s3.endpoint}", process)


@pytest.fixture
def relay(s3: S3Server) -> Iterator[Relay]:
    """The way to the S3 server."""
    with Relay(urlsplit(s3.endpoint).port or 0).running() as one:
        yield one


@pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["small", "large", "empty"])
def test_a_file_in_s3_is_a_local_file_for_a_while(s3: S3Server, of_s3: Sources, content: bytes) -> None:
    """Whole, however many pieces it comes in."""
    with of_s3.copy(s3.put("spring/hero.jpg", content)) as path:
        assert path.read_bytes() == content
    assert not path.exists()


@pytest.mark.parametrize("key", ["a b/ü+%41&=.jpg", "*[x]!'()~,;:@$.jpg", "文/" + "a" * 200])
def test_a_key_is_taken_as_it_is(s3: S3Server, of_s3: Sources, key: str) -> None:
    """Nothing of it is unquoted, or read as a pattern."""
    with of_s3.copy(s3.put(key, SMALL)) as path:
        assert path.read_bytes() == SMALL


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        (f"s3://{BUCKET}/none.jpg", SourceMissing, "There is no file at s3://campaigns/none.jpg"),
        (f"s3://{BUCKET}/spring", SourceMissing, "is a folder"),
        ("s3://elsewhere/hero.jpg", SourceRefused, "GREENROOM_SOURCE_STORES has no such place"),
        ("gs://campaigns/hero.jpg", SourceRefused, "GREENROOM_SOURCE_STORES has no such place"),
        (f"s3://{BUCKET}.evil.example/hero.jpg", SourceRefused, "GREENROOM_SOURCE_STORES"),
    ],
)
def test_what_is_not_there_is_told_by_its_type(
    s3: S3Server, of_s3: Sources, source: str, error: type[GreenroomError], says: str
) -> None:
    """And what is not allowed is never asked for."""
    s3.put("spring/hero.jpg", SMALL)
    with pytest.raises(error, match=says), of_s3.copy(source):
        pass


def test_what_did_not_change_is_not_read_twice(
    s3: S3Server, relay: Relay, process: StoreProcess, tmp_path: Path
) -> None:
    """By its ETag; a changed one is read, and what was inspected is had without asking."""
    source = s3.put("often.bin", LARGE)
    allowed = parse_stores(f"s3://{BUCKET}/={relay.address}")
    kept = FetchedFiles(tmp_path)
    sources = Sources(stores=Stores(allowed, process=process), fetched_files=kept)
    for _ in range(3):
        with sources.copy(source) as path:
            assert path.read_bytes() == LARGE
    assert len(LARGE) < relay.answered < len(LARGE) + 100_000
    s3.put("often.bin", SMALL)
    with sources.copy(source) as path:
        assert path.read_bytes() == SMALL
    answered = relay.answered
    with sources.copy(source, sha256=hashlib.sha256(LARGE).hexdigest()) as path:
        assert path.read_bytes() == LARGE
    assert relay.answered == answered


def test_what_is_replaced_while_it_is_read_is_told(s3: S3Server, relay: Relay, process: StoreProcess) -> None:
    """S3 itself is asked for the version that was begun; the file is read anew later."""
    source = s3.put("changing.bin", LARGE)
    sources = sources_of(f"s3://{BUCKET}/={relay.address}", process)
    relay.breaks, relay.cut_after = 1, PIECE + 100_000
    relay.at_break = lambda: s3.put("changing.bin", LARGE[::-1])
    with pytest.raises(SourceUnavailable, match="replaced while it was read"), sources.copy(source):
        pass


def test_a_bucket_that_is_not_there_has_no_files(s3: S3Server, process: StoreProcess) -> None:
    """Its entry is the operator's, its file the campaign's."""
    sources = sources_of(f"s3://none-such/={s3.endpoint}", process)
    with pytest.raises(SourceMissing), sources.copy("s3://none-such/hero.jpg"):
        pass


@pytest.mark.parametrize(
    ("who", "error", "says"),
    [
        ((KEY, "wrong" * 8), StoreLoginRefused, r"SignatureDoesNotMatch.*AWS_ACCESS_KEY_ID"),
        (("AKIANOBODY", SECRET), StoreLoginRefused, r"InvalidAccessKeyId.*AWS_ACCESS_KEY_ID"),
        ((), StoreLoginRefused, r"NoCredentialsError.*AWS_ACCESS_KEY_ID"),
        ((OTHER_KEY, OTHER_SECRET), SourceUnreadable, "credentials do not allow"),
    ],
    ids=["wrong secret", "unknown", "none", "of another bucket"],
)
def test_credentials_that_do_not_serve_are_told_apart(  # noqa: PLR0917 - three are of the table above
    s3: S3Server,
    fresh_process: StoreProcess,
    monkeypatch: pytest.MonkeyPatch,
    who: tuple[str, ...],
    error: type[GreenroomError],
    says: str,
) -> None:
    """Those that are none make files wait, and name what to set; no secret is ever said."""
    source = s3.put("hero.jpg", SMALL)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for at, name in enumerate(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")):
        monkeypatch.setenv(name, who[at]) if who else monkeypatch.delenv(name)
    sources = sources_of(f"s3://{BUCKET}/={s3.endpoint}", fresh_process)
    with pytest.raises(error, match=says) as caught, sources.copy(source):
        pass
    assert not any(secret in str(caught.value) for secret in who[1:])


def test_the_doctor_asks_each_store(s3: S3Server, process: StoreProcess, fresh_process: StoreProcess) -> None:
    """One that is there, one that is not, one that is away; and one that does not know us."""
    at = f"={s3.endpoint}"
    assert trouble_of(f"s3://{BUCKET}/spring/{at}", process) == ""
    assert trouble_of(f"s3://none-such/{at}", process) == f"s3://none-such/{at} is not there."
    assert "could not be read" in trouble_of(f"s3://{BUCKET}/=http://127.0.0.1:9", process)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert "SignatureDoesNotMatch" in trouble_of(f"s3://{BUCKET}/{at}", fresh_process)


def test_what_broke_is_taken_up_where_it_broke(s3: S3Server, relay: Relay, process: StoreProcess) -> None:
    """A piece is read anew, and the pieces before it are not."""
    source = s3.put("large.bin", LARGE)
    sources = sources_of(f"s3://{BUCKET}/={relay.address}", process)
    relay.breaks, relay.cut_after = 1, PIECE + 100_000
    with sources.copy(source) as path:
        assert path.read_bytes() == LARGE
    assert relay.breaks == 0
    assert relay.answered < len(LARGE) + PIECE


def test_a_store_that_falls_silent_is_given_up(
    s3: S3Server, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is ended, and the next file has a new one."""
    process = StoreProcess(grace_seconds=0.5)
    source = s3.put("hero.jpg", SMALL)
    sources = sources_of(f"s3://{BUCKET}/={relay.address}", process)
    with sources.copy(source):
        pass
    relay.silent = True
    monkeypatch.setattr(stores, "STORE_SECONDS", 0.5)
    with pytest.raises(SourceUnavailable, match="too long"), sources.copy(source):
        pass
    relay.silent = False
    monkeypatch.setattr(stores, "STORE_SECONDS", 60.0)
    with sources.copy(source) as path:
        assert path.read_bytes() == SMALL
    process.close()


@pytest.mark.usefixtures("s3")
def test_a_store_that_is_away_is_away_for_now(process: StoreProcess) -> None:
    """Nobody listens there."""
    sources = sources_of(f"s3://{BUCKET}/=http://127.0.0.1:9", process)
    with pytest.raises(SourceUnavailable, match="could not be read"), sources.copy(f"s3://{BUCKET}/a.jpg"):
        pass


def test_a_file_that_is_too_large_is_not_read(
    s3: S3Server, relay: Relay, process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's own word for its size is enough to leave it."""
    monkeypatch.setattr(stores, "LARGEST_FILE", len(LARGE) - 1)
    source = s3.put("video.mp4", LARGE)
    sources = sources_of(f"s3://{BUCKET}/={relay.address}", process)
    with pytest.raises(FileRejected), sources.copy(source):
        pass
    assert relay.answered < 100_000


def test_the_process_ends_when_it_is_idle_and_with_its_owner(s3: S3Server) -> None:
    """What it has loaded is not kept; and a worker that is killed leaves none behind."""
    source = s3.put("hero.jpg", SMALL)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from greenroom.sources.allowed_stores import parse_stores\n"
        "from greenroom.sources.stores import Stores\n"
        "stores = Stores(parse_stores(sys.argv[1]))\n"
        "stores.fetch(sys.argv[2], Path(sys.argv[3]))\n"
        "print(stores._process._running._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    into = Path(os.devnull)
    with subprocess.Popen(
        [sys.executable, "-c", script, f"s3://{BUCKET}/={s3.endpoint}", source, str(into)],
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        reader = int(owner.stdout.readline())
        watch = os.pidfd_open(reader) if hasattr(os, "pidfd_open") else None
        owner.send_signal(signal.SIGKILL)
    if watch is not None:
        assert select.select([watch], [], [], 30)[0], "the process that reads stores outlived its owner"
        os.close(watch)


def test_a_file_in_google_cloud_storage(process: StoreProcess) -> None:
    """By its own API; generations are its versions."""
    with cloud_storage() as endpoint:
        requests.post(f"{endpoint}/storage/v1/b", json={"name": "spring"}, timeout=30).raise_for_status()
        for name, content in (("deep/hero.jpg", SMALL), ("large.bin", LARGE)):
            requests.post(
                f"{endpoint}/upload/storage/v1/b/spring/o",
                params={"uploadType": "media", "name": name},
                data=content,
                timeout=30,
            ).raise_for_status()
        sources = sources_of(f"gs://spring/={endpoint}", process)
        with sources.copy("gs://spring/deep/hero.jpg") as path:
            assert path.read_bytes() == SMALL
        with sources.copy("gs://spring/large.bin") as path:
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(LARGE).digest()
        with pytest.raises(SourceMissing), sources.copy("gs://spring/none.jpg"):
            pass


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    """An SFTP server, for a user with a key."""
    home, shown = tmp_path / "home", tmp_path / "shown"
    home.mkdir()
    (shown / "out").mkdir(parents=True)
    (shown / "out" / "hero.jpg").write_bytes(SMALL)
    (shown / "out" / "large.bin").write_bytes(LARGE)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sftp_server(shown, home) as server:
        yield server


def test_a_file_of_an_sftp_server(sftp: SftpServer, fresh_process: StoreProcess) -> None:
    """As the user that the operator names, with the key of this machine."""
    sources = sources_of(f"sftp://greenroom@127.0.0.1:{sftp.port}/out/", fresh_process)
    for name, content in (("hero.jpg", SMALL), ("large.bin", LARGE)):
        with sources.copy(f"sftp://127.0.0.1:{sftp.port}/out/{name}") as path:
            assert path.read_bytes() == content
    with pytest.raises(SourceMissing), sources.copy(f"sftp://127.0.0.1:{sftp.port}/out/none.jpg"):
        pass
    with pytest.raises(SourceRefused), sources.copy(f"sftp://127.0.0.1:{sftp.port}/etc/passwd"):
        pass


def test_a_new_file_of_an_sftp_server_is_read_again(
    sftp: SftpServer, fresh_process: StoreProcess, tmp_path: Path
) -> None:
    """Written twice in one second, it has size and moment of before; what is older is known by them."""
    allowed = parse_stores(f"sftp://greenroom@127.0.0.1:{sftp.port}/out/")
    kept = FetchedFiles(tmp_path / "kept")
    sources = Sources(stores=Stores(allowed, process=fresh_process), fetched_files=kept)
    source, path = f"sftp://127.0.0.1:{sftp.port}/out/hero.jpg", tmp_path / "shown" / "out" / "hero.jpg"
    moment = int(path.stat().st_mtime)
    for content in (SMALL, SMALL[::-1]):
        path.write_bytes(content)
        os.utime(path, (moment, moment))
        with sources.copy(source) as fetched, kept.last_of(source) as last:
            assert fetched.read_bytes() == content
            assert last is None
    os.utime(path, (moment - 3600, moment - 3600))
    with sources.copy(source), kept.last_of(source) as last:
        assert last is not None


def test_a_host_that_nobody_knows_is_not_believed(sftp: SftpServer, fresh_process: StoreProcess) -> None:
    """What it sends could be anybody's."""
    sftp.known_hosts.write_text("", encoding="utf-8")
    sources = sources_of(f"sftp://greenroom@127.0.0.1:{sftp.port}/", fresh_process)
    with (
        pytest.raises(StoreLoginRefused, match=r"HostKeyNotVerifiable.*known_hosts"),
        sources.copy(f"sftp://127.0.0.1:{sftp.port}/out/hero.jpg"),
    ):
        pass
