"""What is fuzzed of inspection."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from greenroom.inspection import inspect_file
from greenroom.rules import Category
from greenroom.untrusted_text import is_storable
from tests.fuzz.spoiling import spoiled
from tests.fuzz.target import Target


class Files(Target):
    """Inspection: any bytes get a verdict that can be kept and shown."""

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        self._good = [(path.name.split("-", 1)[1], path.read_bytes()) for path in sorted(seeds.iterdir())]
        self._contents = [content for _, content in self._good]
        self._starts = [content[:64] for content in self._contents]

    def make(self, chance: random.Random) -> Any:
        """A file of the corpus, spoiled; or noise behind the start of one."""
        name, content = chance.choice(self._good)
        if chance.random() < 0.1:
            content = chance.choice(self._starts) + chance.randbytes(chance.randint(0, 2_000))
        kind = chance.choice((None, None, None, *Category))
        return name, kind, spoiled(chance, content, self._contents, self._starts)

    def judge(self, given: Any) -> str:
        """A verdict."""
        name, kind, content = given
        path = self.folder / "file"
        path.write_bytes(content)
        verdict = inspect_file(path, name=name, kind=kind)
        assert (verdict.reason is None) == (verdict.detail == "")
        assert verdict.accepted == (verdict.reason is None)
        assert all(map(is_storable, (verdict.label, verdict.detail)))
        return str(verdict.reason or "accepted")
