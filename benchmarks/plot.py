"""The suite's figures as one image: a row for each contender, a column of bars for each figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from benchmarks.figures import BACKLOG, Results
from benchmarks.peers.contender import LIMIT_PER_SECOND
from benchmarks.peers.entries import ENTRIES, GREENROOM, REFERENCE

FONT = 'font-family="system-ui, sans-serif" font-size="13"'
TITLE = "Uploading files of 50 KB: Greenroom beside what people use instead"
LABELS, BAR, GAP, MARGIN = 196, 126, 104, 24
TOP, ROW, HEIGHT = 112, 30, 14
#: Greenroom's own rows.
OURS = {GREENROOM: "Greenroom, a cold start", BACKLOG: "Greenroom, a backlog"}
INK, PALE, GREEN, GREY, RED = "#1f2933", "#7b8794", "#0f8a5f", "#b8c2cc", "#d64545"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One figure.

    Attributes:
        figure: its name in the results.
        title: what it is.
        better: which way is better, in words.
        form: how a value is written.
        stacked: a figure that is drawn in red at the end of the bar.
        line: a value that all are compared with.
        line_title: what that is.
    """

    figure: str
    title: str
    better: str
    form: str
    stacked: str | None = None
    line: float | None = None
    line_title: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a bar begins, what one unit is worth in pixels, and whether it is Greenroom's."""

    x: float
    y: float
    scale: float
    ours: bool


def plot(results: Results) -> str:
    """An SVG."""
    reference = results.middle(REFERENCE, "cpu")
    columns = (
        Column(
            figure="cpu",
            title="CPU for one upload, ms",
            better="less is better",
            form="{:.1f}",
            line=reference,
            line_title="requests.post",
        ),
        Column(
            figure="paced",
            title="One number, uploads/s",
            better="25 is the limit; red is refused (429)",
            form="{:.1f}",
            stacked="refused",
            line=float(LIMIT_PER_SECOND),
            line_title="limit",
        ),
        Column(figure="rate", title="No pace, uploads/s", better="more is better", form="{:,.0f}"),
        Column(figure="memory", title="Memory at its peak, MB", better="less is better", form="{:,.0f}"),
    )
    names = [name for name in (*ENTRIES, BACKLOG) if name in results.figures]
    width = MARGIN * 2 + LABELS + len(columns) * (BAR + GAP)
    height = TOP + len(names) * ROW + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<g fill="{INK}"><text x="{MARGIN}" y="34" font-size="18" font-weight="600">{TITLE}</text>',
        *_rows(names, width),
    ]
    for place, column in enumerate(columns):
        x = MARGIN + LABELS + place * (BAR + GAP)
        parts += _column(results, column, names, x)
    machine = results.machine
    note = (
        f"{machine['processor']}; {machine['kernel']}; Python {machine['python']}; {machine['date']}. "
        "Bars are medians; the thin line runs from the smallest to the largest round."
    )
    parts.append(f'<text x="{MARGIN}" y="{height - 16}" font-size="11" fill="{PALE}">{escape(note)}</text>')
    return "\n".join([*parts, "</g></svg>", ""])


def _rows(names: Sequence[str], width: int) -> Iterator[str]:
    for row, name in enumerate(names):
        y = TOP + row * ROW
        if name in OURS:
            yield f'<rect x="{MARGIN / 2}" y="{y}" width="{width - MARGIN}" height="{ROW}" fill="#eef7f3"/>'
        weight = ' font-weight="600"' if name in OURS else ""
        title = OURS.get(name) or ENTRIES[name].title
        yield f'<text x="{MARGIN}" y="{y + 20}"{weight}>{escape(title)}</text>'


def _column(results: Results, column: Column, names: Sequence[str], x: float) -> Iterator[str]:
    values = {name: results.of(name, column.figure) for name in names}
    stacked = {name: results.of(name, column.stacked) if column.stacked else [] for name in names}
    ends = [
        max([*values[name], median(values[name]) + (median(stacked[name]) if stacked[name] else 0)])
        for name in names
        if values[name]
    ]
    scale = BAR / max([*ends, column.line or 0, 1e-9])
    yield f'<text x="{x}" y="66" font-weight="600">{escape(column.title)}</text>'
    yield f'<text x="{x}" y="82" font-size="11" fill="{PALE}">{escape(column.better)}</text>'
    for row, name in enumerate(names):
        if values[name]:
            y = TOP + row * ROW + (ROW - HEIGHT) / 2
            at = Place(x=x, y=y, scale=scale, ours=name in OURS)
            yield from _bar(column, values[name], stacked[name], at)
    if column.line is not None:
        compared = x + column.line * scale
        bottom = TOP + len(names) * ROW
        yield (
            f'<line x1="{compared:.1f}" x2="{compared:.1f}" y1="{TOP - 6}" y2="{bottom}" stroke="{INK}" '
            'stroke-width="1" stroke-dasharray="3 3"/>'
        )
        yield (
            f'<text x="{compared:.1f}" y="{TOP - 10}" font-size="10" text-anchor="middle">'
            f"{escape(column.line_title)}</text>"
        )


def _bar(column: Column, values: Sequence[float], stacked: Sequence[float], at: Place) -> Iterator[str]:
    x, y, scale, ours = at.x, at.y, at.scale, at.ours
    middle = median(values)
    end = x + middle * scale
    fill = GREEN if ours else GREY
    yield f'<rect x="{x}" y="{y}" width="{max(1.0, end - x):.1f}" height="{HEIGHT}" rx="2" fill="{fill}"/>'
    label = max(end, x + max(values) * scale)
    text = column.form.format(middle)
    if stacked and median(stacked) > 0:
        text += f" + {median(stacked):.0f} refused" if median(stacked) >= 1 else ""
        more = median(stacked) * scale
        yield f'<rect x="{end:.1f}" y="{y}" width="{more:.1f}" height="{HEIGHT}" fill="{RED}"/>'
        label = max(label, end + more)
    if max(values) > min(values):
        low, high, line = x + min(values) * scale, x + max(values) * scale, y + HEIGHT / 2
        yield f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{line}" y2="{line}" stroke="{INK}"/>'
    weight = ' font-weight="600"' if ours else ""
    yield (f'<text x="{label + 6:.1f}" y="{y + 11}" font-size="12"{weight}>{escape(text)}</text>')
