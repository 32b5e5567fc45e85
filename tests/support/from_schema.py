"""Values that a JSON Schema allows, for Hypothesis: of as much of the language as pydantic writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

#: Characters that JSON and every database have.
_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
#: What a `format` asks for, which the type alone does not.
_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "uri": st.from_regex(r"https?://[a-z]{1,9}\.example/[!-~]*", fullmatch=True),
    # Between 2000 and 2100 in every zone: as the pages say, and no schema can.
    "date-time": st.datetimes(timezones=st.timezones()).map(
        lambda moment: (
            moment.replace(year=2001 + moment.year % 98, fold=0).isoformat()
            if (moment.month, moment.day) != (2, 29)
            else "2028-02-29T00:00:00Z"
        )
    ),
}
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(_CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_CHARACTERS), inner, max_size=3),
    max_leaves=5,
)


def values(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What the schema allows.

    Args:
        schema: a part of a JSON Schema, of 2020-12.
        definitions: its `$defs`.

    Raises:
        KeyError: it has a type that is not known here.
    """
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values(one, definitions) for one in schema["anyOf"]])
    if "type" not in schema:
        return ANYTHING
    return _MAKERS[schema["type"]](schema, definitions)


def _text(schema: Mapping[str, Any], _: Mapping[str, Any]) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "format" in schema:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"], fullmatch=True, alphabet=st.characters(max_codepoint=126))
        return found.filter(lambda text: least <= len(text) <= (most or len(text)))
    return st.text(_CHARACTERS, min_size=least, max_size=most if most is None else min(most, 300))


def _array(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(values(one, definitions) for one in schema["prefixItems"])).map(list)
    least, most = schema.get("minItems", 0), schema.get("maxItems", 5)
    return st.lists(values(schema.get("items", {}), definitions), min_size=least, max_size=min(most, 5))


def _object(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    made = {name: values(one, definitions) for name, one in schema.get("properties", {}).items()}
    if not made and isinstance(schema.get("additionalProperties"), dict):
        each = values(schema["additionalProperties"], definitions)
        return st.dictionaries(st.text(_CHARACTERS), each, max_size=5)
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in made.items() if name in needed},
        optional={name: one for name, one in made.items() if name not in needed},
    )


_MAKERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _text,
    "array": _array,
    "object": _object,
    "integer": lambda schema, _: st.integers(schema.get("minimum", -9), schema.get("maximum", 2**63)),
    "number": lambda schema, _: st.floats(
        schema.get("minimum", -9.0), schema.get("maximum", 1e9), allow_nan=False, allow_infinity=False
    ),
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}
