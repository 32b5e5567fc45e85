"""What the exporter knows by having looked before: which processes live, and since when a file waits."""

from __future__ import annotations

from collections.abc import Mapping


class LivingProcesses:
    """Tells by their heartbeats which processes live: a number that stands still is that of a dead one."""

    def __init__(self) -> None:
        self._numbers: Mapping[str, int] = {}

    def count(self, numbers: Mapping[str, int]) -> int:
        """How many live.

        Args:
            numbers: by process, as they are now; longer after the last call than between two heartbeats.
                Whoever was not there then is taken to live.
        """
        before, self._numbers = self._numbers, dict(numbers)
        return sum(number != before.get(name) for name, number in numbers.items())


class FirstFiles:
    """Remembers when the file that came first was first seen waiting."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}

    def since(self, first_ids: Mapping[tuple[str, str], int], *, now: float) -> dict[tuple[str, str], float]:
        """Since when each of these files waits, as far as was seen.

        Args:
            first_ids: the lowest row ID of what waits, by channel and sort of work.
            now: the present, a timestamp.
        """
        self._seen = {
            key: seen if (seen := self._seen.get(key)) and seen[0] == row_id else (row_id, now)
            for key, row_id in first_ids.items()
        }
        return {key: at for key, (_, at) in self._seen.items()}
