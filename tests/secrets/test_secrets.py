"""No secret is found in anything that a production writes, answers or shows; a planted one is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

from tests.secrets.drive import drive
from tests.secrets.places import BY_DESIGN, LIVE, files, logs, plant
from tests.secrets.seeds import OF_ADDRESSES, PLANT, PLANTED, SEEDS, Found, Piece, Search
from tests.secrets.stack import Stack, running

pytestmark = [pytest.mark.xdist_group("secrets"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Stack]:
    """A production that has been through everything."""
    folder = tmp_path_factory.mktemp("seeded")
    file = tmp_path_factory.mktemp("media") / "image.jpg"
    image = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(image, "JPEG")
    file.write_bytes(image.getvalue())
    with running(folder, file.parent, postgres_url, image.getvalue() + b"web") as stack:
        drive(stack, file)
        yield stack


def test_nothing_is_found_anywhere(stack: Stack) -> None:
    """But for addresses, in the columns and messages that have to hold them."""
    search = Search(SEEDS)
    table = Table()
    for place, look in LIVE.items():
        pieces = list(look(stack))
        allowed = OF_ADDRESSES if place in BY_DESIGN else frozenset[str]()
        table.add(place, pieces, search(pieces), allowed)
    sys.stdout.write(f"\nSeeded: {'; '.join(SEEDS)}\n\n{table}\n")
    assert table.found == []
    assert {secret for secret, _ in table.by_design} == OF_ADDRESSES, "addresses went through"


def test_a_planted_one_is_found_in_every_place(stack: Stack) -> None:
    """Each place is really searched: in the broker's files, in base64."""
    plant(stack, PLANT)
    search = Search({PLANTED: PLANT})
    missed = [place for place, look in LIVE.items() if not search(look(stack))]
    assert missed == []
    sys.stdout.write(f"\nPlanted in each of {len(LIVE)} places, and found in each.\n")


def test_nothing_is_found_after_the_end(stack: Stack) -> None:
    """Processes that end write about it, and leave their files."""
    stack.stop()
    assert Search(SEEDS)([*logs(stack), *files(stack)]) == []


class Table:
    """Where was looked, in how much, and what was found."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.by_design: set[tuple[str, str]] = set()
        self._lines = [f"{'searched':<26} {'pieces':>7} {'bytes':>11}  found"]

    def add(self, place: str, pieces: list[Piece], found: list[Found], allowed: frozenset[str]) -> None:
        """One place."""
        size = sum(len(piece.data) for piece in pieces)
        assert size, f"nothing is there: {place}"
        wrong = [each for each in found if each.secret not in allowed]
        kept = {each.secret for each in found} & allowed
        self.found += wrong
        self.by_design |= {(secret, place) for secret in kept}
        told = "; ".join(f"{each.secret} in {each.where}" for each in wrong[:9]) or "nothing"
        by_design = f", by design: {', '.join(sorted(kept))}" if kept else ""
        self._lines.append(f"{place:<26} {len(pieces):>7,} {size:>11,}  {told}{by_design}")

    def __str__(self) -> str:
        return "\n".join(self._lines)
