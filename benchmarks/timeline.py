"""Who runs, and who computes, while a command starts: looked at many times a second, and drawn as an SVG."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

#: Seconds between two looks.
EVERY = 0.02
FONT = 'font-family="system-ui, sans-serif" font-size="12"'
LABELS, WIDTH, ROW, TOP, BAR, LABEL_ROW = 150, 640, 22, 44, 14, 16
INK, PALE, LINE, BUSY = "#1f2933", "#e4e8ec", "#d64545", "#0f8a5f"
#: What is said of processes that no file names, by what their command line has.
KNOWN = {"pool_worker": "looks at the file", "alembic": "migrations", "worker.embedded": "supervisor"}


@dataclass(kw_only=True)
class Track:
    """One process.

    Attributes:
        name: what it is.
        looks: seconds since the beginning, and CPU seconds of the process by then.
    """

    name: str
    looks: list[tuple[float, float]] = field(default_factory=list)


class Recorder:
    """Looks at all that this process has started, for as long as its block runs.

    Args:
        names: the file in which an embedded stack notes its processes.
    """

    def __init__(self, names: Path) -> None:
        self.tracks: dict[int, Track] = {}
        self.began_at = time.time()
        self._began = time.monotonic()
        self._names = names
        self._tick = os.sysconf("SC_CLK_TCK")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record)

    def __enter__(self) -> Self:
        self.began_at, self._began = time.time(), time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _record(self) -> None:
        while not self._over.wait(EVERY):
            noted = self._noted()
            now = time.monotonic() - self._began
            for pid, parent, cpu in self._family(noted):
                track = self.tracks.setdefault(pid, Track(name=self._name(pid, parent)))
                track.name = noted.get(pid, track.name)
                track.looks.append((now, cpu))

    def _noted(self) -> dict[int, str]:
        try:
            rows = json.loads(self._names.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {int(row["pid"]): name for name, row in rows.items()}

    def _family(self, noted: Mapping[int, str]) -> Iterator[tuple[int, int, float]]:
        """ID, parent and CPU seconds of each process; a parent comes before its children."""
        seen = {os.getpid(), *noted, *self.tracks}
        for pid in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
            try:
                words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            except OSError:
                continue
            if words[0] != "Z" and pid != os.getpid() and (pid in seen or int(words[1]) in seen):
                seen.add(pid)
                yield pid, int(words[1]), (int(words[11]) + int(words[12])) / self._tick

    def _name(self, pid: int, parent: int) -> str:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            line = ""
        if parent == os.getpid():
            return "the command"
        return next((name for word, name in KNOWN.items() if word in line), "")


def draw(recorder: Recorder, moments: Mapping[str, float]) -> str:
    """An SVG: a bar for each process, dark where it computes; a line at each moment, in seconds."""
    tracks = [track for track in recorder.tracks.values() if len(track.looks) > 1]
    tracks.sort(key=lambda track: track.looks[0])
    end = max(track.looks[-1][0] for track in tracks)
    scale = WIDTH / end
    below = TOP + ROW * len(tracks) + 4
    height = below + LABEL_ROW * len(moments) + 6
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + WIDTH + 40}" height="{height}" {FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, track in enumerate(tracks):
        y = TOP + number * ROW
        begin, last = track.looks[0][0], track.looks[-1][0]
        lines.append(
            f'<text x="{LABELS - 8}" y="{y + 11}" text-anchor="end" fill="{INK}">{escape(track.name)}</text>'
            f'<rect x="{LABELS + begin * scale:.1f}" y="{y}" width="{(last - begin) * scale:.1f}" '
            f'height="{BAR}" fill="{PALE}"/>'
        )
        for start, stop, share in _busy(track):
            lines.append(
                f'<rect x="{LABELS + start * scale:.1f}" y="{y}" width="{(stop - start) * scale:.1f}" '
                f'height="{BAR}" fill="{BUSY}" fill-opacity="{share:.1f}"/>'
            )
    # A line of its own for each name: moments may lie close together.
    for number, (name, moment) in enumerate(moments.items()):
        x, y = LABELS + moment * scale, below + LABEL_ROW * (number + 1)
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{y}" stroke="{LINE}"/>'
            f'<text x="{x - 4:.1f}" y="{y}" text-anchor="end" fill="{LINE}">'
            f"{escape(name)} {moment:.2f} s</text>"
        )
    lines.append(
        f'<text x="{LABELS}" y="18" fill="{INK}">One file by `greenroom run --sandbox`: each process, and '
        "when it computes</text></svg>"
    )
    return "\n".join(lines) + "\n"


def _busy(track: Track) -> Iterator[tuple[float, float, float]]:
    """From when to when, and which part of that a process computed; looks that say the same are one."""
    joined: list[tuple[float, float, float]] = []
    for (start, before), (stop, after) in zip(track.looks, track.looks[1:], strict=False):
        share = round(min(1.0, (after - before) / (stop - start)), 1)
        if joined and joined[-1][2] == share:
            joined[-1] = (joined[-1][0], stop, share)
        else:
            joined.append((start, stop, share))
    return (one for one in joined if one[2])
