"""What the pages hold: fenced blocks with the remarks before them, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.checkout import CHECKOUT

_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<remark>[^\n]*?) -->\n)?^(?P<indent>[ ]*)```(?P<language>\w*)\n(?P<text>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands, from the checkout's root.
        line: the line of its fence.
        language: what its fence says.
        remark: the HTML comment right before it, without its marks; empty where there is none.
        text: what it holds, without the fence and its indentation.
    """

    page: str
    line: int
    language: str
    remark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def remarked(self, what: str) -> str | None:
        """What the remark says after ``what:``; None where it is about something else."""
        found, colon, rest = self.remark.partition(":")
        return rest.strip() if colon and found == what else None


def pages() -> list[Path]:
    """Every page that is for people."""
    top = [CHECKOUT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*top, *sorted((CHECKOUT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """A page's path from the checkout's root."""
    return page.relative_to(CHECKOUT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        indent = len(match["indent"])
        yield Block(
            page=name_of(page),
            line=text.count("\n", 0, match.start("language")) + 1,
            language=match["language"],
            remark=match["remark"] or "",
            text="".join(line[indent:] or "\n" for line in match["text"].splitlines(keepends=True)),
        )


def links(page: Path) -> list[str]:
    """Where a page's links and images lead."""
    return _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make, as GitHub and GitLab name them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {_anchor(heading) for heading in _HEADING.findall(text)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
