"""What the processes of a running stack use, by kind: memory, and CPU since each began."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil

from worker.embedded.state_dir import StateDir

MB = 1_000_000
#: The stack's own processes by the names under which its home notes them, and what is said of them here.
KINDS = {"worker-inspection": "inspection", "beat": "beat", "broker": "Valkey", "worker-": "upload"}
POSTGRES = "PostgreSQL"


@dataclass(frozen=True, kw_only=True)
class Use:
    """Of all processes of one kind.

    Attributes:
        memory: bytes; what processes share is counted once, where the system can tell (PSS).
        cpu: seconds, with those of processes that have ended.
        processes: how many.
        threads: of all of them.
    """

    memory: int
    cpu: float
    processes: int
    threads: int


def uses(state_dir: StateDir, *, postgres: int) -> dict[str, Use]:
    """By kind.

    Args:
        state_dir: of the stack.
        postgres: the ID of the database's first process.
    """
    by_kind: dict[str, list[psutil.Process]] = {}
    noted = json.loads(state_dir.processes.read_text(encoding="utf-8"))
    pids = {name: int(row["pid"]) for name, row in noted.items()}
    for name, pid in {**pids, POSTGRES: postgres}.items():
        kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), name)
        by_kind.setdefault(kind, []).extend(_family(pid))
    return {kind: _use(processes) for kind, processes in by_kind.items()}


def cpu_between(before: Mapping[str, Use], after: Mapping[str, Use]) -> dict[str, float]:
    """Seconds of CPU by kind."""
    return {kind: use.cpu - before[kind].cpu for kind, use in after.items() if kind in before}


def _family(pid: int) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def _use(processes: list[psutil.Process]) -> Use:
    memory, cpu, count, threads = 0, 0.0, 0, 0
    for process in processes:
        try:
            full = process.memory_full_info()
            times = process.cpu_times()
            threads += process.num_threads()
        except psutil.Error:
            continue
        memory += getattr(full, "pss", 0) or full.rss
        cpu += times.user + times.system + getattr(times, "children_user", 0.0)
        cpu += getattr(times, "children_system", 0.0)
        count += 1
    return Use(memory=memory, cpu=cpu, processes=count, threads=threads)
