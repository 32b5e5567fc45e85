"""A reader of docker-compose.yml: as much of YAML, and of Compose's interpolation, as that file uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_ENTRY = re.compile(r"""(?P<key>[^\s:"']+):(?:\s+(?P<value>.*))?""")
_ANCHOR = re.compile(r"&(\S+)\s*(.*)")
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<word>[^}]*))?\}")


class VariableMissing(Exception):
    """What Compose stops with: the sentence that the file has for a variable without a value."""


class Reader:
    """Reads mappings, block and flow lists, block scalars, anchors, aliases and merges.

    Attributes:
        lines: indentation and text of each line that says something.
    """

    def __init__(self, text: str) -> None:
        told = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        self.lines = [(len(line) - len(line.lstrip()), line.strip()) for line in told]
        self._at = 0
        self._anchors: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The whole file."""
        return self._mapping(0)

    def _next(self) -> tuple[int, str]:
        return self.lines[self._at] if self._at < len(self.lines) else (-1, "")

    def _mapping(self, indent: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        while self._next()[0] == indent:
            entry = _ENTRY.fullmatch(self._next()[1])
            assert entry, f"not read: {self._next()[1]}"
            self._at += 1
            value = self._value(entry["value"] or "", indent)
            if entry["key"] == "<<":
                merged = value
            else:
                own[entry["key"]] = value
        return {**merged, **own}

    def _value(self, text: str, indent: int) -> Any:
        if anchor := _ANCHOR.fullmatch(text):
            value = self._value(anchor[2], indent)
            self._anchors[anchor[1]] = value
            return value
        if text.startswith("*"):
            return self._anchors[text[1:]]
        if text == "|":
            return self._block(indent)
        if text:
            return scalar(text)
        deeper, first = self._next()
        if deeper <= indent:
            return None
        return self._list(deeper) if first.startswith("- ") else self._mapping(deeper)

    def _list(self, indent: int) -> list[Any]:
        items = []
        while self._next()[0] == indent and self._next()[1].startswith("- "):
            text = self._next()[1][2:]
            self._at += 1
            items.append(self._value(text, indent))
        return items

    def _block(self, indent: int) -> str:
        block = []
        while self._next()[0] > indent:
            block.append(self._next()[1])
            self._at += 1
        return "\n".join(block)


#: Of a flow list: in quotes of either kind, or without.
_WORDS = re.compile(r"""\"([^\"]*)\"|'([^']*)'|([^\s,\[\]]+)""")


def scalar(text: str) -> Any:
    """A value on its line: a flow list, an empty mapping, or a word in or without quotes."""
    if text == "{}":
        return {}
    if text.startswith("["):
        return ["".join(word) for word in _WORDS.findall(text)]
    return text.strip('"') if text.startswith('"') else text


def variables(text: str) -> set[str]:
    """The names that a file asks its environment for by ``${...}``."""
    return {match["name"] for match in _VARIABLE.finditer(text)}


def _replacement(environment: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        value = environment.get(match["name"], "")
        if not value and match["how"] == "?":
            raise VariableMissing(match["word"])
        return value or (match["word"] if match["how"] == "-" else "")

    return replace


def rendered(value: Any, environment: Mapping[str, str]) -> Any:
    """A value as Compose makes it of the environment.

    Raises:
        VariableMissing: a variable has no value without which the file is not to be used.
    """
    if isinstance(value, str):
        return _VARIABLE.sub(_replacement(environment), value).replace("$$", "$")
    if isinstance(value, list):
        return [rendered(one, environment) for one in value]
    if isinstance(value, dict):
        return {key: rendered(one, environment) for key, one in value.items()}
    return value


def services(path: Path, environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services of a file, with what each finds in its environment.

    Raises:
        VariableMissing: as :func:`rendered`.
    """
    file: dict[str, Any] = rendered(Reader(path.read_text(encoding="utf-8")).read(), environment)
    return {
        name: {**service, "environment": _handed_on(service.get("environment") or {}, environment)}
        for name, service in file["services"].items()
    }


def _handed_on(given: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """A name without a value is handed on as it is, or is not set at all."""
    every = {name: environment.get(name) if value is None else value for name, value in given.items()}
    return {name: value for name, value in every.items() if value is not None}
