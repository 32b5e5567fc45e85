"""How inputs are made: good ones are spoiled, and values that fit a JSON Schema are made or missed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Numbers at the edges of what fields of 1, 2, 4 and 8 bytes hold.
EDGES = (
    *(b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"\0\0\0\0", b"\0\0\0\x01", b"\xff\xff\xff\xff"),
    *(
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\xff\xff\xff\x7f",
        b"\0\0\0\x80",
        b"\xff" * 8,
        b"\x7f" + b"\xff" * 7,
    ),
)
#: Texts that programs stumble over.
ODD_TEXTS = (
    *(
        "",
        " ",
        "\0",
        "\x1b[2J",
        "\u202egpj.exe",
        "\u2028",
        "\x85",
        "\ud800",
        "\U0010ffff",
        "..",
        "/",
        "//",
        "=1+1",
    ),
    *(
        "http://",
        "http://[",
        "http://[::1]:99999/",
        "file:///etc/passwd",
        "javascript:1",
        "NaN",
        "-0",
        "1e999",
    ),
    *(
        "9999-12-31T23:59:59+00:00",
        "0001-01-01T00:00:00-23:59",
        "2026-06-01T12:00:00",
        "x" * 300,
        "\u0660" * 40,
    ),
)
#: Values of every type, at and beyond the edges of what a table holds.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308),
    *([], {}, [[]], [None] * 300, {"": None}, {"ref": {}}, {"a": {"b": {"c": []}}}),
)
DEEP = 3_000


def spoiled(chance: random.Random, content: bytes, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """The content with some changes: flipped, cut, repeated, spliced with another, or given odd words."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        change = chance.choice(_CHANGES)
        change(chance, changed, others, words)
    return bytes(changed)


def _place(chance: random.Random, content: bytearray) -> int:
    # Headers matter most: half of the changes hit the first 512 bytes.
    most = min(len(content), chance.choice((512, len(content))))
    return chance.randrange(most + 1)


def _flip(chance: random.Random, content: bytearray, _: Sequence[bytes], __: Sequence[bytes]) -> None:
    for _each in range(chance.randint(1, 16)):
        if content:
            content[_place(chance, content) % len(content)] ^= 1 << chance.randrange(8)


def _set_edge(chance: random.Random, content: bytearray, _: Sequence[bytes], __: Sequence[bytes]) -> None:
    edge, at = chance.choice(EDGES), _place(chance, content)
    content[at : at + len(edge)] = edge


def _cut(chance: random.Random, content: bytearray, _: Sequence[bytes], __: Sequence[bytes]) -> None:
    at = _place(chance, content)
    del content[at : chance.choice((len(content), at + chance.randint(0, 64)))]


def _repeat(chance: random.Random, content: bytearray, _: Sequence[bytes], __: Sequence[bytes]) -> None:
    at = _place(chance, content)
    part = bytes(content[at : at + chance.randint(1, 64)])
    content[at:at] = part * chance.choice((1, 2, 64, 512))


def _splice(chance: random.Random, content: bytearray, others: Sequence[bytes], __: Sequence[bytes]) -> None:
    other = chance.choice(others)
    start, at = chance.randint(0, len(other)), _place(chance, content)
    content[at : chance.choice((at, len(content)))] = other[start : start + chance.choice((16, 256, 65_536))]


def _insert(chance: random.Random, content: bytearray, _: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = _place(chance, content)
    content[at:at] = chance.choice(words) if words else chance.randbytes(8)


def _noise(chance: random.Random, content: bytearray, _: Sequence[bytes], __: Sequence[bytes]) -> None:
    at = _place(chance, content)
    content[at : at + 32] = chance.randbytes(chance.randint(0, 64))


Change = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]
_CHANGES: tuple[Change, ...] = (_flip, _set_edge, _cut, _repeat, _splice, _insert, _noise)


class SchemaValues:
    """Makes values that fit a JSON Schema, and at some places values that do not."""

    def __init__(self, definitions: Mapping[str, Any], chance: random.Random, *, wrong: float) -> None:
        self._definitions = definitions
        self._chance = chance
        self._wrong = wrong

    def make(self, schema: Mapping[str, Any]) -> Any:
        """A value for a schema."""
        if self._chance.random() < self._wrong:
            return self._odd()
        if "$ref" in schema:
            return self.make(self._definitions[schema["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in schema:
            return self.make(self._chance.choice(schema["anyOf"]))
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        return self._of_type(schema)

    def _of_type(self, schema: Mapping[str, Any]) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._text(schema)
            case "integer":
                return self._chance.choice((0, 1, 7, schema.get("maximum", 2**31)))
            case "boolean":
                return self._chance.random() < 0.5
            case _:
                return None

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        made = {
            name: self.make(of_field)
            for name, of_field in schema.get("properties", {}).items()
            if name in required or self._chance.random() < 0.5
        }
        if self._chance.random() < self._wrong:
            made[self._chance.choice(ODD_TEXTS)] = self._odd()
        if made and self._chance.random() < self._wrong:
            made.pop(self._chance.choice(list(made)))
        return made

    def _array(self, schema: Mapping[str, Any]) -> list[Any]:
        if "prefixItems" in schema:
            return [self.make(each) for each in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        count = self._chance.randint(least, min(schema.get("maxItems", 5), least + 5))
        return [self.make(schema.get("items", {})) for _ in range(count)]

    def _text(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") == "date-time":
            day = self._chance.randint(1, 28)
            return f"2026-{self._chance.randint(1, 12):02}-{day:02}T12:00:00+0{day % 10}:00"
        if "pattern" in schema:
            return self._chance.choice(("4915112345678", "spring-sale", "a", "x" * 64))
        return self._chance.choice(("hero.jpg", "/srv/media/hero.jpg", "https://cdn.example/a?b=c", "grüße"))

    def _odd(self) -> Any:
        chance = self._chance
        if chance.random() < 0.02:
            return _nested(chance.randint(5, DEEP))
        return chance.choice(ODD_TEXTS if chance.random() < 0.5 else ODD_VALUES)


def _nested(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value
