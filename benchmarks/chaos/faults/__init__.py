"""Every fault, by what it breaks; importing this puts all of them into `benchmarks.chaos.run.FAULTS`."""

from benchmarks.chaos.faults import broker, database, process, provider, scheduler, worker

__all__ = ["broker", "database", "process", "provider", "scheduler", "worker"]
