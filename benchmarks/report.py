"""The suite's figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from benchmarks.figures import BACKLOG, BACKLOG_WHOLE, Results
from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.entries import CELERY, ENTRIES, GREENROOM

Row = Sequence[str]
MS_A_SECOND = 1000
HOW_TO_READ = (
    "[what is measured, and how to read it](../../docs/explanation/speed.md). "
    "Each figure is a median, with the smallest and the largest of all rounds behind it."
)


def report(results: Results, *, image: str, quick: bool) -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Greenroom beside what people use instead",
            "",
            f"Written by `make {'bench-quick' if quick else 'bench'}`; {HOW_TO_READ}",
            "",
            f"![The figures of each contender side by side]({image})",
            "",
            *_section("The machine", _machine(results)),
            *_section("Without a pace: what an upload costs", _flat_out(results)),
            *_section(f"One number, {LIMIT_PER_SECOND} uploads a second", _paced(results)),
            *_section("The limits", _limits(results)),
            *_section("What limits each of Greenroom's figures", _limited_by(results)),
            *_section("Handing a manifest over", _manifests(results)),
            *_section("The same campaign again", _again(results)),
            *_section("How each is set up", _tunings(results)),
        ]
    )


def _section(title: str, lines: Iterator[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _cell(values: Sequence[float], form: Callable[[float], str]) -> str:
    """A median and its spread, as far as there is one."""
    if not values:
        return ""
    middle, least, most = (form(value) for value in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _tenth(value: float) -> str:
    return f"{value:,.1f}"


def _hundredth(value: float) -> str:
    return f"{value:.2f}"


def _milliseconds(value: float) -> str:
    return f"{value * MS_A_SECOND:,.0f} ms"


def _machine(results: Results) -> Iterator[str]:
    for name, value in results.machine.items():
        yield f"- {name}: {value}"
    sizes = results.sizes
    yield (
        f"- rounds without a pace: {sizes.passes * sizes.rounds} of {sizes.files:,} files of 50 KB; "
        f"one number's pace: {sizes.passes} times {sizes.paced_seconds} s"
    )


def _flat_out(results: Results) -> Iterator[str]:
    yield (
        f"All files as fast as it goes, over {results.sizes.numbers} numbers, at an endpoint that answers at "
        "once. Greenroom keeps each number's pace all the same; nobody else keeps any. CPU is that of all "
        "processes of a contender, its broker and database among them; the endpoint's has its own column. "
        "Greenroom's first line is mostly what beginning and ending on so many numbers costs."
    )
    if results.of(BACKLOG, "cpu"):
        yield ""
        upload, whole = (_cell(results.of(name, "beside"), _hundredth) for name in (BACKLOG, BACKLOG_WHOLE))
        yield (
            "Under a backlog all numbers are at their full pace, at an endpoint that answers after 100 to "
            "150 ms, and their files were looked at before. A `requests.post` in the same seconds, with "
            f"cores and caches shared, is the other measure: an upload {upload} times that, with looking at "
            f"its file {whole} times. More of it by `make bench-backlog`."
        )
    yield ""
    head = (
        *("", "CPU ms an upload", "times `requests.post`", "times a kept session", "uploads/s"),
        *("cores busy", "endpoint's cores", "first upload after", "memory, all", "largest process"),
    )
    rows: list[Row] = []
    for name, entry in ENTRIES.items():
        if not results.of(name, "cpu"):
            continue
        rows.append(
            (
                f"**{entry.title}**" if name == GREENROOM else entry.title,
                _cell(results.of(name, "cpu"), _hundredth),
                _cell(results.of(name, "ratio"), _hundredth),
                _cell(results.of(name, "ratio_kept"), _hundredth),
                _cell(results.of(name, "rate"), _whole),
                _cell(results.of(name, "cores"), _hundredth),
                _cell(results.of(name, "endpoint_cores"), _hundredth),
                _cell(results.of(name, "first"), _milliseconds),
                _cell(results.of(name, "memory"), lambda value: f"{value:.0f} MB"),
                _cell(results.of(name, "largest"), lambda value: f"{value:.0f} MB"),
            )
        )
    titles = {
        BACKLOG: "**Greenroom under a backlog**",
        BACKLOG_WHOLE: "**the same, and looking at the file before**",
    }
    for name, title in titles.items():
        if results.of(name, "cpu"):
            figures = {figure: results.of(name, figure) for figure in ("cpu", "ratio", "rate", "cores")}
            rows.append(
                (
                    title,
                    _cell(figures["cpu"], _hundredth),
                    _cell(figures["ratio"], _hundredth),
                    "",
                    _cell(figures["rate"], _whole),
                    _cell(figures["cores"], _hundredth),
                    *[""] * 4,
                )
            )
    yield from _table(head, rows)


def _paced(results: Results) -> Iterator[str]:
    yield (
        "A backlog on one number, answers after 100 to 150 ms, and an endpoint that refuses the 26th request "
        "within any second, not counting those that it refused (the gentler reading). The first second "
        "is not judged, except for the most in a second, which counts all arrivals."
    )
    yield ""
    head = ("", "uploads/s", "of the allowance", "refused a second", "refused in all", "most in a second")
    rows = [
        (
            f"**{entry.title}**" if name == GREENROOM else entry.title,
            _cell(results.of(name, "paced"), _tenth),
            _cell(results.of(name, "use"), lambda value: f"{value:.0f} %"),
            _cell(results.of(name, "refused"), _tenth),
            _cell(results.of(name, "refused_in_all"), _whole),
            _cell(results.of(name, "peak"), _whole),
        )
        for name, entry in ENTRIES.items()
        if results.of(name, "paced")
    ]
    yield from _table(head, rows)


def _limits(results: Results) -> Iterator[str]:
    names = {
        "wrk": "`wrk`, 8 connections: the endpoint's own ceiling",
        "socket": "a loop over one bare socket in Python",
        "hash": "SHA-256 and libmagic alone, nothing sent",
    }
    rows = [
        (
            title,
            _cell(results.of(name, "rate"), _whole),
            _cell(results.of(name, "cpu"), _hundredth),
            _cell(results.of(name, "endpoint_cpu"), _hundredth),
        )
        for name, title in names.items()
        if results.of(name, "rate")
    ]
    yield from _table(("", "files/s", "CPU ms a file", "endpoint's CPU ms"), rows)
    if not results.of("wrk", "rate"):
        yield ""
        yield "`wrk` is not installed: the bare socket stands for the endpoint's ceiling, which lies higher."


def _limited_by(results: Results) -> Iterator[str]:
    """Each figure, and what it would have to get past to be better."""
    numbers = results.sizes.numbers
    pace = f"{LIMIT_PER_SECOND * numbers:,} uploads/s are the allowance of {numbers} numbers"
    socket = _cell(results.of("socket", "cpu"), _hundredth)
    copied = _cell(results.of(GREENROOM, "copy"), _whole)
    rows = [
        (
            "CPU ms an upload, without a pace",
            _cell(results.of(GREENROOM, "cpu"), _hundredth),
            f"Python; by a bare socket it is {socket} ms, without beginning and ending on so many numbers",
        ),
        (
            "uploads/s, without a pace",
            _cell(results.of(GREENROOM, "rate"), _whole),
            f"{pace}; where fewer are reached, the messages and transactions before a number's first upload",
        ),
        (
            "first upload after",
            _cell(results.of(GREENROOM, "first"), _milliseconds),
            "three messages through the broker and five transactions, one after the other",
        ),
        (
            "one number, uploads/s",
            _cell(results.of(GREENROOM, "paced"), _tenth),
            f"the allowance, {LIMIT_PER_SECOND}; windows are 5 ms longer than a second, or more",
        ),
        (
            "handing over, files/s",
            _cell(results.of(GREENROOM, "enqueue"), _whole),
            f"the cores: PostgreSQL, whose part is that of one `COPY`, {copied} a second; JSON; inspection",
        ),
        (
            "memory, all",
            _cell(results.of(GREENROOM, "memory"), lambda value: f"{value:.0f} MB"),
            "the libraries that each process that was not forked from another has loaded for itself",
        ),
    ]
    yield from _table(("", "Greenroom", "limited by"), [row for row in rows if row[1]])


def _manifests(results: Results) -> Iterator[str]:
    rows = [
        (
            "one raw `COPY` into a table of the same columns alone",
            _cell(results.of(GREENROOM, "bare"), _whole),
        ),
        (
            "one raw `COPY` into a table like `items`, with its indexes and foreign keys",
            _cell(results.of(GREENROOM, "copy"), _whole),
        ),
        (
            "Greenroom: one thread checks and writes, part after part",
            _cell(results.of(GREENROOM, "save"), _whole),
        ),
        (
            "Greenroom: one process does, several parts at a time, as a worker has them",
            _cell(results.of(GREENROOM, "save_together"), _whole),
        ),
        (
            "**Greenroom: client, broker and workers, until every row is acknowledged**",
            _cell(results.of(GREENROOM, "enqueue"), _whole),
        ),
        ("Celery: a task a file, `delay` in a loop", _cell(results.of(CELERY, "enqueue"), _whole)),
    ]
    yield (
        f"{results.sizes.manifest:,} files into PostgreSQL; {results.sizes.celery_manifest:,} Celery tasks. "
        "Inspection begins meanwhile, as it always does."
    )
    yield ""
    yield from _table(("", "files/s"), rows)


def _again(results: Results) -> Iterator[str]:
    uploads = _cell(results.of(GREENROOM, "again_uploads"), _whole)
    seconds = _cell(results.of(GREENROOM, "again"), _hundredth)
    sizes = results.sizes
    yield (
        f"{sizes.files:,} files in {sizes.numbers} campaigns, handed over once more, until every media ID is "
        f"answered: {seconds} s, {uploads} uploads. Every other contender uploads them all again."
    )


def _tunings(results: Results) -> Iterator[str]:
    for name, entry in ENTRIES.items():
        if name in results.figures:
            yield f"- {entry.title}: {entry.tuning()}"
