"""A flame graph: how often a profiler saw each function, above the one that called it; as an SVG.

A row is a depth of calls, the outermost at the bottom. A box is as wide as the part of all samples that has
its function at that depth; its title, which a viewer shows when pointed at, says how many those are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH, MARGIN, ROW, TOP = 1_200, 10, 16, 52
#: Pixels of a letter, and of the narrowest box that is drawn.
LETTER, NARROWEST = 6.2, 8.0
FEWEST_LETTERS = 3
#: By what a box is about: its words, its colour, and its name; the first whose words are in a box's text.
COLOURS = (
    (("celery/", "kombu/", "redis/", "billiard/"), "#d8b57f", "Celery, Redis"),
    (("sqlalchemy/", "psycopg/"), "#7fa7d8", "database"),
    (("greenroom/", "tasks/", "models/", "worker/"), "#58b48c", "Greenroom"),
    (("",), "#cfd6dd", "Python, other libraries"),
)


@dataclass(kw_only=True)
class Box:
    """A function at one place in the calls, and what it called.

    Attributes:
        samples: in which it was seen there.
        calls: by function.
    """

    samples: int = 0
    calls: dict[str, Box] = field(default_factory=dict)

    def depth(self) -> int:
        """Rows that it takes, with all that it called."""
        return 1 + max((box.depth() for box in self.calls.values()), default=0)


def tree(stacks: Mapping[str, int]) -> Box:
    """All samples as one box.

    Args:
        stacks: functions, the outermost first, with semicolons between them; and in how many samples.
    """
    root = Box()
    for stack, count in stacks.items():
        root.samples += count
        box = root
        for function in stack.split(";"):
            box = box.calls.setdefault(function, Box())
            box.samples += count
    return root


def draw(stacks: Mapping[str, int], *, title: str) -> str:
    """The SVG."""
    root = tree(stacks)
    height = TOP + root.depth() * ROW + MARGIN
    page = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    heading = f'<text x="{MARGIN}" y="24" font-size="15" font-family="system-ui, sans-serif">'
    return "\n".join(
        [
            f'{page} font-family="ui-monospace, monospace" font-size="10">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f"{heading}{escape(title)}; {root.samples:,} samples</text>",
            *_legend(),
            '<g stroke="#ffffff" stroke-width="0.5">',
            *_boxes("all", root, x=MARGIN, y=height - MARGIN - ROW, all_samples=root.samples),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _boxes(name: str, box: Box, *, x: float, y: float, all_samples: int) -> Iterator[str]:
    unit = (WIDTH - 2 * MARGIN) / max(1, all_samples)
    width = box.samples * unit
    if width < NARROWEST:
        return
    said = escape(f"{name}: {box.samples:,} samples, {box.samples / all_samples:.1%}")
    yield (
        f'<g><title>{said}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{_colour(name)}"/>'
    )
    letters = int((width - 4) / LETTER)
    if letters >= FEWEST_LETTERS:
        text = name if len(name) <= letters else f"{name[: letters - 2]}.."
        yield f'<text x="{x + 2:.1f}" y="{y + 11}" stroke="none">{escape(text)}</text>'
    yield "</g>"
    for function, call in sorted(box.calls.items()):
        yield from _boxes(function, call, x=x, y=y - ROW, all_samples=all_samples)
        x += call.samples * unit


def _legend() -> Iterator[str]:
    x = float(MARGIN)
    for _, colour, name in COLOURS:
        yield f'<rect x="{x:.1f}" y="33" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 14:.1f}" y="42">{name}</text>'
        x += 34 + len(name) * LETTER


def _colour(name: str) -> str:
    return next(colour for words, colour, _ in COLOURS if any(word in name for word in words))
