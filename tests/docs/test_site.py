"""The site is built from the pages as they lie there, without a warning, and asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from greenroom import __version__
from tests.support.markdown import pages
from worker.checkout import CHECKOUT


def test_the_site_has_every_page_and_needs_no_other_server(tmp_path: Path) -> None:
    """Each page is in the navigation (Sphinx warns where one is not), and the search knows its words."""
    folder = tmp_path / __version__
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "read"), "-c", "docs", ".", str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for page in pages():
        assert (folder / page.relative_to(CHECKOUT)).with_suffix(".html").is_file(), page
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'(?:src|<link[^>]* href)="(?:https?:)?//', text), f"{page} loads from elsewhere"
    assert "fencing" in (folder / "searchindex.js").read_text(encoding="utf-8")
    assert f"{__version__}/README.html" in (tmp_path / "index.html").read_text(encoding="utf-8")
