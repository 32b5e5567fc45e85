"""The environment of a process that handles strangers' bytes: what it needs, and no setting of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import greenroom

#: How to find programs and libraries. Whoever got hold of such a process by a file would find no key here.
_NEEDED: Final = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH"})
_NEEDED_PREFIXES: Final = ("LC_", "PYTHON", "DYLD_")


def child_environment(names: Iterable[str] = (), prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    """Ours, of which all is left out but what every such process needs.

    Args:
        names: what else it is given.
        prefixes: the same, by how a name begins.
    """
    needed = _NEEDED.union(names)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in needed or name.startswith((*_NEEDED_PREFIXES, *prefixes))
    }
    # With -P, and our own folder by name: nothing is ever imported from the folder that the command runs in.
    paths = (str(Path(greenroom.__file__).parents[1]), kept.get("PYTHONPATH"))
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
