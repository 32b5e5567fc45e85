"""All regular expressions of some packages: compiled ones by looking at modules, others by their source."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

#: Methods that look at one place only.
_ANCHORED: Final = frozenset({"match", "fullmatch"})
_METHODS: Final = frozenset({"search", "findall", "finditer", "sub", "subn", "split"}) | _ANCHORED


@dataclass(frozen=True, kw_only=True)
class Found:
    """One pattern: where it stands, and whether it is looked for anywhere in a text."""

    where: str
    pattern: re.Pattern[Any]
    searched: bool


def modules_of(*packages: str) -> Iterator[str]:
    """The names of packages and of all modules in them."""
    for package in packages:
        yield package
        path = getattr(importlib.import_module(package), "__path__", None)
        for module in pkgutil.walk_packages(path, f"{package}.") if path else ():
            yield module.name


def patterns_of(*packages: str) -> list[Found]:
    """Every pattern in the modules of these packages, each once."""
    names = list(modules_of(*packages))
    nodes = {name: list(ast.walk(_tree(name))) for name in names}
    searched = {name: _searched(those) for name, those in nodes.items()}
    # Names without an underscore may be used by any module.
    everywhere = {name for names in searched.values() for name in names if not name.startswith("_")}
    found: dict[tuple[Any, int], Found] = {}
    for module, those in nodes.items():
        for name, pattern in _compiled(vars(importlib.import_module(module))):
            one = Found(
                where=f"{module}.{name}", pattern=pattern, searched=name in searched[module] | everywhere
            )
            found.setdefault((pattern.pattern, pattern.flags), one)
        for line, method, pattern in _written(those):
            one = Found(where=f"{module}:{line}", pattern=pattern, searched=method not in _ANCHORED)
            found.setdefault((pattern.pattern, pattern.flags), one)
    return list(found.values())


def _tree(module: str) -> ast.Module:
    path = importlib.import_module(module).__file__
    return ast.parse(Path(path or "").read_text(encoding="utf-8"))


def _searched(nodes: Sequence[ast.AST]) -> set[str]:
    """Names that a method is called on which searches; and names that are used in any other way."""
    called = set()
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if isinstance(value, ast.Name) and node.func.attr in _ANCHORED:
                called.add(value)
    return {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in called
    }


def _compiled(names: Mapping[str, Any]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for name, value in names.items():
        if not name.startswith("__"):
            for pattern in _inside(value, 0):
                yield name, pattern


def _inside(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    """Patterns in tables, and in the rows of tables."""
    deepest = 4
    if isinstance(value, re.Pattern):
        yield value
    elif depth < deepest:
        parts: list[object] = []
        if isinstance(value, list | tuple | set | frozenset):
            parts = list(value)
        elif isinstance(value, dict):
            parts = [*value.keys(), *value.values()]
        elif is_dataclass(value) and not isinstance(value, type):
            parts = [getattr(value, field.name, None) for field in fields(value)]
        for part in parts:
            yield from _inside(part, depth + 1)


def _written(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str, re.Pattern[Any]]]:
    """Patterns that stand in a call of `re.search` and its like."""
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        called = node.func
        if not (isinstance(called.value, ast.Name) and called.value.id == "re" and called.attr in _METHODS):
            continue
        if isinstance(node.args[0], ast.Constant):
            flags = 0
            for flag in re.findall(r"re\.([A-Z]+)", ast.unparse(node)):
                flags |= re.RegexFlag[flag]
            yield node.lineno, called.attr, re.compile(node.args[0].value, flags)
