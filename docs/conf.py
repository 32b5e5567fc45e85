"""How the documentation becomes a site: ``make docs``. Sphinx reads this file, and the pages as they are.

The README is the first page, and its list "Where to read on" the navigation: what is linked there is there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

from greenroom import __version__

project = "Greenroom"
version = release = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/*/*.md"]
html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["tables.css"]
html_title = f"Greenroom {__version__}"
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
# Headings are linked to as on the pages of a repository's host.
myst_heading_anchors = 4
# Links to code and folders lead nowhere on a site; tests/docs sees that they lead somewhere in a checkout.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

_LINK = re.compile(r"\[[^]]+\]\((?P<page>[\w/.-]+)\.md\)")


def navigation(readme: str) -> Iterator[str]:
    """A tree of pages for each line of the README's list, with the line's first words above it."""
    listed = readme.partition("## Where to read on")[2].partition("\n## ")[0]
    for line in re.findall(r"^- .+$", listed, re.MULTILINE):
        pages = [found["page"] for found in _LINK.finditer(line)]
        caption = line[2:].partition(":")[0] if ":" in line.partition("[")[0] else ""
        options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
        yield "\n".join(["```{toctree}", *options, "", *pages, "```"])


def add_navigation(_app: Sphinx, page: str, content: list[str]) -> None:
    """Below the README, and below the list of the decisions, stand what they lead to."""
    if page == root_doc:
        content[0] += "\n\n" + "\n\n".join(navigation(content[0]))
    elif page == "docs/decisions/README":
        content[0] += "\n\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def write_index(app: Sphinx, failure: Exception | None) -> None:
    """Beside this version's folder, a page that leads to the newest, and names all that are there."""
    if failure is not None:
        return
    folder = Path(app.outdir).parent
    found = sorted((path.parent.name for path in folder.glob("*/README.html")), key=_in_order, reverse=True)
    links = "".join(f'<li><a href="{name}/README.html">{name}</a></li>' for name in map(html.escape, found))
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Greenroom</title>'
        f'<meta http-equiv="refresh" content="0; url={html.escape(found[0])}/README.html">'
        f"<p>Greenroom's documentation, by version:</p><ul>{links}</ul></html>\n",
        encoding="utf-8",
    )


def _in_order(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", write_index)
