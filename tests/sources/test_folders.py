"""Files: only those below the operator's folders are opened, wherever links lead and whatever changes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greenroom.errors import SourceMissing, SourceRefused, SourceUnavailable, SourceUnreadable
from greenroom.settings_loader import load_settings
from greenroom.sources import Sources, beneath
from greenroom.sources.folders import parse_roots
from greenroom.vault import new_secret_key

SECRET = b"canary: nobody's image"
OURS = b"a campaign's image"


@pytest.fixture(params=["openat2", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to open below a folder: at once, and where the system has no such call."""
    if request.param == "openat2" and not beneath.has_openat2():
        pytest.skip("this system has no openat2")
    monkeypatch.setattr(beneath, "has_openat2", lambda: request.param == "openat2")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two folders that are allowed, and one that is not."""
    for name in ("media/deep", "more", "private"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "media" / "hero.jpg").write_bytes(OURS)
    (tmp_path / "media" / "deep" / "hero.jpg").write_bytes(OURS)
    (tmp_path / "more" / "hero.jpg").write_bytes(OURS)
    (tmp_path / "private" / "key").write_bytes(SECRET)
    return tmp_path


def sources(place: Path, **more: object) -> Sources:
    """What is allowed there."""
    return Sources(roots=[place / "media", place / "more"], **more)  # type: ignore[arg-type] # as Sources has it


def content(allowed: Sources, path: Path | str) -> bytes:
    """What is opened."""
    with allowed.open(str(path)) as file:
        return file.read()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("link", "target", "source"),
    [
        (None, None, "media/hero.jpg"),
        (None, None, "media/deep/hero.jpg"),
        (None, None, "media/deep/../hero.jpg"),
        (None, None, "media//./hero.jpg"),
        (None, None, "private/../media/hero.jpg"),
        ("media/beside.jpg", "hero.jpg", "media/beside.jpg"),
        ("media/deep/up.jpg", "../hero.jpg", "media/deep/up.jpg"),
        ("media/whole.jpg", "{place}/media/hero.jpg", "media/whole.jpg"),
        ("media/other.jpg", "{place}/more/hero.jpg", "media/other.jpg"),
        ("media/folder", "{place}/more", "media/folder/hero.jpg"),
        ("current", "{place}/media", "current/hero.jpg"),
    ],
)
def test_what_lies_in_the_folders_is_opened(
    place: Path, link: str | None, target: str | None, source: str
) -> None:
    """Over links and steps back, too, if they lead to such a folder in the end."""
    if link and target:
        (place / link).symlink_to(target.format(place=place))
    assert content(sources(place), f"{place}/{source}") == OURS
    assert sources(place).refusal(f"{place}/{source}") is None


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("link", "target", "source"),
    [
        (None, None, "private/key"),
        (None, None, "media/../private/key"),
        (None, None, "media/deep/../../private/key"),
        ("media/key.jpg", "{place}/private/key", "media/key.jpg"),
        ("media/key.jpg", "../private/key", "media/key.jpg"),
        ("media/folder", "../private", "media/folder/key"),
        ("media/folder", "/", "media/folder/etc/passwd"),
        ("media/self", "/proc/self", "media/self/environ"),
        ("media/root", "/proc/self/root", "media/root/etc/passwd"),
        # What is not there is refused all the same: nobody finds out what there is.
        (None, None, "private/nothing"),
        ("media/nothing.jpg", "../private/nothing", "media/nothing.jpg"),
    ],
)
def test_what_lies_elsewhere_is_refused(
    place: Path, link: str | None, target: str | None, source: str
) -> None:
    """With a sentence; and before it is opened, where the path says it."""
    if link and target:
        (place / link).symlink_to(target.format(place=place))
    with pytest.raises(SourceRefused, match="does not lie in the folders that GREENROOM_MEDIA_ROOTS allows"):
        content(sources(place), f"{place}/{source}")
    if link is None:
        assert sources(place).refusal(f"{place}/{source}") is not None


@pytest.mark.usefixtures("way")
def test_a_root_that_is_a_file_is_that_file_alone(place: Path) -> None:
    """And not what somebody puts a link to in its place."""
    hero = place / "media" / "hero.jpg"
    allowed = Sources(roots=[hero])
    assert content(allowed, hero) == OURS
    with pytest.raises(SourceRefused):
        content(allowed, place / "media" / "deep" / "hero.jpg")
    assert Sources(roots=[hero]).refusal(str(hero.parent)) is not None
    content(allowed, hero)
    hero.unlink()
    hero.symlink_to(place / "private" / "key")
    with pytest.raises((SourceRefused, SourceUnavailable)):
        content(allowed, hero)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "source", ["/proc/self/environ", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_nothing_of_the_system_is_opened_even_where_everything_is_allowed(source: str) -> None:
    """Files there are the kernel's words: this process's environment with all its secrets, for one."""
    if not Path(source).exists():
        pytest.skip("this system has no such file")
    with pytest.raises(SourceRefused, match="part of the system"):
        content(Sources(roots=[Path("/")]), source)


def make_socket(path: Path) -> None:
    """Bound, and closed again: the name stays."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)  # in the folder that we are in: an address may have 107 characters


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "a pipe"),
        (os.mkdir, "a folder"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
def test_only_files_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], what: str
) -> None:
    """A pipe that nobody writes to would be waited for, a device would never end."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "odd.jpg")
    with pytest.raises(SourceMissing, match=f"is {what}, not a file"):
        content(Sources(roots=[Path("/")]), tmp_path / "odd.jpg")


def test_a_pipe_is_not_even_touched(tmp_path: Path) -> None:
    """Whoever waits to write into it keeps waiting: being opened would wake him, to no avail."""
    if not beneath.has_openat2():
        pytest.skip("this system has no openat2")
    pipe = tmp_path / "odd.jpg"
    os.mkfifo(pipe)
    with pytest.raises(SourceMissing):
        content(Sources(roots=[tmp_path]), pipe)
    # Nobody ever read from it: it still cannot be opened for writing without waiting.
    with pytest.raises(OSError, match="No such device"):
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "name", ["gone.jpg", "hero.jpg/beside.jpg", "a\0b", "x" * 300, "/".join(["x" * 200] * 30)]
)
def test_what_cannot_be_there_is_missing_and_not_tried_again(place: Path, name: str) -> None:
    """No such file, a path through a file, NUL, a name or a path that is too long for any system."""
    with pytest.raises(SourceMissing, match="There is no file at"):
        content(sources(place), f"{place}/media/{name}")


@pytest.mark.usefixtures("way")
def test_links_that_go_round_are_missing(place: Path) -> None:
    """They lead nowhere, now and later."""
    (place / "media" / "a").symlink_to("b")
    (place / "media" / "b").symlink_to("a")
    with pytest.raises(SourceMissing):
        content(sources(place), place / "media" / "a")


@pytest.mark.usefixtures("way")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_it_is_unreadable(place: Path) -> None:
    """A person has to change that; while it is uploaded, it may still come right."""
    (place / "media" / "hero.jpg").chmod(0)
    with pytest.raises(SourceUnreadable):
        content(sources(place), place / "media" / "hero.jpg")


@pytest.mark.usefixtures("way")
def test_nothing_is_allowed_where_nothing_is_said(place: Path) -> None:
    """And the sentence says what to set."""
    hero = str(place / "media" / "hero.jpg")
    with pytest.raises(SourceRefused, match="GREENROOM_MEDIA_ROOTS is not set"):
        content(Sources(), hero)
    assert "GREENROOM_MEDIA_ROOTS is not set" in str(Sources().refusal(hero))


def swapped_in_a_loop(links: list[tuple[Path, list[str]]], stop: threading.Event) -> None:
    """Let links lead now here and now there, each time in one step."""
    count = 0
    while not stop.is_set():
        count += 1
        for link, targets in links:
            draft = link.with_name(f"{link.name}.draft")
            draft.symlink_to(targets[count % len(targets)])
            draft.replace(link)


@pytest.fixture
def swapping(place: Path) -> Iterator[None]:
    """Somebody who changes links all the time: of a file, and of a folder on the way."""
    stop = threading.Event()
    links = [
        (place / "media" / "swapped.jpg", ["hero.jpg", "../private/key", str(place / "private" / "key")]),
        (place / "media" / "way", ["deep", "../private", str(place / "more"), "/proc/self"]),
    ]
    (place / "private" / "hero.jpg").write_bytes(SECRET)
    (place / "media" / "swapped.jpg").symlink_to("hero.jpg")
    (place / "media" / "way").symlink_to("deep")
    thread = threading.Thread(target=swapped_in_a_loop, args=(links, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("way", "swapping")
def test_whoever_changes_links_meanwhile_gets_nothing_by_it(place: Path) -> None:
    """The file that was checked is the file that is opened: a race that is run many times."""
    allowed = sources(place)
    found: set[bytes | type[Exception]] = set()
    for number in range(100_000):
        # A race, until both ends of it were seen.
        if number >= 1_500 and {OURS, SourceRefused} <= found:
            break
        try:
            found.add(content(allowed, f"{place}/media/{('swapped.jpg', 'way/hero.jpg')[number % 2]}"))
        except (SourceRefused, SourceMissing, SourceUnavailable) as error:
            found.add(type(error))
    assert SECRET not in found
    assert {OURS, SourceRefused} <= found


@pytest.mark.usefixtures("way")
def test_a_copy_is_of_the_file_that_was_opened(place: Path) -> None:
    """Whatever is put in its place while it is judged; for processes that judge it, too."""
    hero = place / "media" / "hero.jpg"
    with sources(place).copy(str(hero)) as path:
        hero.unlink()
        hero.symlink_to(place / "private" / "key")
        assert path.read_bytes() == OURS
        code = "import pathlib, sys; sys.stdout.buffer.write(pathlib.Path(sys.argv[1]).read_bytes())"
        child = subprocess.run([sys.executable, "-S", "-c", code, str(path)], capture_output=True, check=True)
        assert child.stdout == OURS
    assert not path.exists()


def test_what_greenroom_keeps_for_itself_stays_closed(place: Path) -> None:
    """Though it lie in a folder that is allowed: settings, keys, database, state, and links to them."""
    media = place / "media"
    key = media / "secret.key"
    key.write_text(new_secret_key().get_secret_value())
    (media / "state").mkdir()
    for name in (".env", "greenroom.db", "greenroom.db-wal", "state/logs"):
        (media / name).write_bytes(SECRET)
    os.link(key, media / "hard.jpg")
    (media / "soft.jpg").symlink_to("secret.key")
    (media / ".env").write_text("GREENROOM_DISPATCH_EVERY=5\n")
    settings = load_settings(
        {
            "GREENROOM_DATABASE_URL": f"sqlite:///{media / 'greenroom.db'}",
            "GREENROOM_REDIS_URL": "redis://localhost/0",
            "GREENROOM_SECRET_KEY_FILE": str(key),
            "GREENROOM_STATE_FOLDER": str(media / "state"),
            "GREENROOM_MEDIA_ROOTS": str(media),
        },
        dotenv=media / ".env",
    )
    allowed = Sources.of(settings)
    assert content(allowed, media / "hero.jpg") == OURS
    named = (".env", "secret.key", "greenroom.db", "greenroom.db-wal", "state/logs")
    for name in (*named, "hard.jpg", "soft.jpg", "deep/../secret.key"):
        with pytest.raises(SourceRefused, match="belongs to Greenroom itself"):
            content(allowed, media / name)
    for name in named:
        assert "belongs to Greenroom itself" in str(allowed.refusal(str(media / name)))


def test_fixed_copies_are_opened_for_greenroom_alone(place: Path) -> None:
    """By the record beside them; not because somebody names one, or puts a file where one could be."""
    folder = place / "media" / "fixed"
    copy = folder / "ab" / f"ab{'0' * 62}-image"
    copy.mkdir(parents=True)
    (copy / "hero.jpg").write_bytes(OURS)
    (copy / "more.jpg").write_bytes(SECRET)
    (copy / "fixed.json").write_text('{"file": "hero.jpg", "steps": []}')
    (folder / "beside.jpg").write_bytes(OURS)
    allowed = sources(place, fixed_folder=folder)
    with allowed.open(str(copy / "hero.jpg"), own=True) as file:
        assert file.read() == OURS
    for name in ("hero.jpg", "fixed.json"):
        with pytest.raises(SourceRefused, match="belongs to Greenroom itself"):
            content(allowed, copy / name)
        assert allowed.refusal(str(copy / name)) is not None
    # What others keep in that folder is theirs.
    assert content(allowed, folder / "beside.jpg") == OURS
    with pytest.raises(SourceMissing):
        allowed.open(str(copy / "more.jpg"), own=True)
    (copy / "hero.jpg").unlink()
    (copy / "hero.jpg").symlink_to(place / "private" / "key")
    with pytest.raises(SourceMissing):
        allowed.open(str(copy / "hero.jpg"), own=True)


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("/media-in", ["/media-in"]),
        ("/media-in/:/srv/../srv/media:", ["/media-in", "/srv/media"]),
        ('["/srv/sale: spring", "/media"]', ["/srv/sale: spring", "/media"]),
        ("/", ["/"]),
        ("//media", ["/media"]),
    ],
)
def test_roots_are_written_like_a_search_path(text: str, roots: list[str]) -> None:
    """Or as a list in JSON, for names that hold a colon."""
    assert [str(root) for root in parse_roots(text)] == roots


@pytest.mark.parametrize(
    "text", ["media", "/media:media", "[1]", "[", '{"a": 1}', '["media"]', "[" * 100_000]
)
def test_roots_that_are_none_stop_the_start_with_a_sentence(text: str) -> None:
    """Which says how to write them."""
    with pytest.raises(ValueError, match="folder"):
        parse_roots(text)
