"""What a target of the fuzzer is."""

from __future__ import annotations

import random
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any


class Target(ABC):
    """One door.

    Args:
        seeds: a folder of good files, for those that begin with such.
    """

    def __init__(self, seeds: Path) -> None:
        self.seeds = seeds
        self.folder = Path(tempfile.mkdtemp(prefix="greenroom-fuzz-", dir=seeds.parent))

    @abstractmethod
    def make(self, chance: random.Random) -> Any:
        """An input."""

    @abstractmethod
    def judge(self, given: Any) -> str:
        """What came of it, in a word or two.

        Raises:
            Exception: it was dealt with wrongly.
        """
