"""Small plots as SVG: a bar for each name, and how counts grow over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

FONT = 'font-family="system-ui, sans-serif" font-size="12"'
INK, PALE, GREEN, GREY, RED = "#1f2933", "#7b8794", "#0f8a5f", "#b8c2cc", "#d64545"
LEFT, TOP, ROW, WIDTH = 110, 64, 16, 480
HEIGHT, SPAN = 260, 620


def _page(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    )
    return "\n".join(
        [
            head,
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="20" y="30" {FONT} font-weight="600" fill="{INK}">{escape(title)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {FONT} text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'


def polyline(points: Iterable[tuple[float, float]], colour: str) -> str:
    """A line through these points; to the pixel, and each pixel once."""
    places = " ".join(dict.fromkeys(f"{x:.0f},{y:.0f}" for x, y in points))
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'


def bars(title: str, values: Mapping[str, float], *, limit: float) -> str:
    """A row for each name, and a line at the limit.

    Args:
        title: stands above it.
        values: one for each name, not above the limit by much.
        limit: what all are compared with.
    """
    scale = WIDTH / limit
    parts = []
    for place, (name, value) in enumerate(values.items()):
        y = TOP + place * ROW
        fill = GREEN if value >= limit / 2 else GREY
        parts.append(_text(LEFT - 8, y + 11, name, anchor="end"))
        parts.append(
            f'<rect x="{LEFT}" y="{y + 2}" width="{value * scale:.1f}" height="{ROW - 5}" fill="{fill}"/>'
        )
        parts.append(_text(LEFT + value * scale + 6, y + 11, f"{value:.2f}", fill=PALE))
    bottom = TOP + len(values) * ROW
    x = LEFT + limit * scale
    parts.append(
        f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" stroke="{RED}" stroke-dasharray="3 3"/>'
    )
    parts.append(_text(x, TOP - 12, f"limit: {limit:g}", anchor="middle", fill=RED))
    return _page(LEFT + WIDTH + 70, bottom + 20, title, parts)


def curves(title: str, moments: Mapping[str, Sequence[float]], *, mark: tuple[str, float]) -> str:
    """How many had happened, over time.

    Args:
        title: stands above it.
        moments: for each name, the seconds at which something happened, in order.
        mark: a moment to be shown, and what it is.
    """
    longest = max(at for ats in moments.values() for at in ats)
    most = max(map(len, moments.values()))
    across, up = SPAN / longest, HEIGHT / most
    bottom = TOP + HEIGHT
    parts = [
        f'<line x1="{LEFT}" y1="{bottom}" x2="{LEFT + SPAN}" y2="{bottom}" stroke="{PALE}"/>',
        f'<line x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{bottom}" stroke="{PALE}"/>',
        _text(LEFT - 8, TOP + 8, f"{most:,} files", anchor="end", fill=PALE),
        _text(LEFT - 8, bottom, "0", anchor="end", fill=PALE),
        _text(LEFT + SPAN, bottom + 18, f"{longest:.0f} s", anchor="end", fill=PALE),
    ]
    for (name, ats), colour in zip(moments.items(), (GREY, GREEN), strict=False):
        points = [(LEFT + at * across, bottom - count * up) for count, at in enumerate([ats[0], *ats])]
        parts.append(polyline(points, colour))
        parts.append(_text(LEFT + ats[-1] * across, bottom - len(ats) * up - 6, name, anchor="end", fill=INK))
    name, at = mark
    x = LEFT + at * across
    parts.append(
        f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{RED}" stroke-dasharray="3 3"/>'
    )
    parts.append(_text(x + 5, TOP + 8, name, fill=RED))
    return _page(LEFT + SPAN + 40, bottom + 40, title, parts)
