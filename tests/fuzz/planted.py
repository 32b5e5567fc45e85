"""Not code of ours: proof that the fuzzer notices what it is there for."""

from __future__ import annotations

import os
import random
from typing import Any

from tests.fuzz.target import Target


class Planted(Target):
    """A target that fails in each of the ways that there are."""

    def make(self, chance: random.Random) -> Any:
        """A number."""
        return chance.randrange(8)

    def judge(self, given: Any) -> str:
        """Fail, die, hang or grow."""
        if given == 1:
            raise ValueError("a fault of the code's")
        if given == 2:
            os._exit(9)
        if given == 3:
            while True:
                pass
        if given == 4:
            return str(len(bytearray(8 << 30)))
        return "fine"
