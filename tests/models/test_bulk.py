"""What goes over as a list arrives as it was."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, Integer, func, literal, select
from sqlalchemy.exc import IntegrityError, StatementError

from greenroom.untrusted_text import REPLACEMENT
from models import Campaign, Item
from models.bulk import add_columns, among, columns_of, given_rows, insert_rows, on_postgresql
from tests.support.world import CHANNEL, World

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("models", "tasks", "worker", "cli")
_TEXTS = [
    "plain",
    "",
    "NULL",
    "null",
    None,
    "a,b",
    "{a}",
    '"',
    "\\",
    '\\"',
    "two\nlines\t",
    " around ",
    "grün, größer, 😀, مرحبا",
    "'; DROP TABLE item; --",
    ":name %s %(name)s",
]


_MOMENTS = [datetime(2026, 11, 24, 5, 30, 0, 123_456, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)]


def test_rows_arrive_as_they_were(world: World) -> None:
    """Either database reads the notation that we write; nothing in a value can break out of it."""
    rows = [
        {"id": number, "label": text, "fix": bool(number % 2), "due_at": moment, "lease_until": lease}
        for number, text in zip([0, -1, 2**62, *range(len(_TEXTS))], ["", *_TEXTS, "last"], strict=False)
        for moment in _MOMENTS
        for lease in (None, moment)
    ]
    with world.database.read() as connection:
        postgresql = on_postgresql(connection)
        statement = select(given_rows(Item, list(rows[0]), postgresql=postgresql))
        arrived = connection.execute(statement, columns_of(rows, postgresql=postgresql)).mappings().all()
    assert [dict(row) for row in arrived] == rows


@pytest.mark.parametrize(
    "texts",
    [["a,b", "{a}", "NULL", ""], ["plain"], ["one", 'two"'], ['","', '"'], ["\\", "four"], ["", ""]],
    ids=repr,
)
def test_texts_without_a_null_among_them_arrive_as_well(world: World, texts: list[str]) -> None:
    """They are quoted all at once where none has to be escaped; a NUL is replaced there, too."""
    rows = [{"id": number, "source": text} for number, text in enumerate([*texts, "last\0"])]
    with world.database.read() as connection:
        postgresql = on_postgresql(connection)
        statement = select(given_rows(Item, list(rows[0]), postgresql=postgresql))
        arrived = connection.execute(statement, columns_of(rows, postgresql=postgresql)).mappings().all()
    assert [row["source"] for row in arrived] == [*texts, f"last{REPLACEMENT}"]


def test_each_value_is_found_among_many(world: World) -> None:
    """By texts and by numbers; with none asked for, nothing is found, and all else by the contrary."""
    now = world.clock.now()
    texts = list(dict.fromkeys(text for text in _TEXTS if text is not None))
    same = {"channel_id": CHANNEL, "send_at": now, "keep_until": now, "created_at": now}
    with world.database.write() as connection:
        insert_rows(connection, Campaign, [{"id": text} for text in texts], same=same)

        def found(condition: ColumnElement[bool]) -> set[str]:
            return set(connection.execute(select(Campaign.id).where(condition)).scalars())

        for text in texts:
            assert found(among(Campaign.id, [text, "of nobody"])) == {text}
        assert found(among(Campaign.id, texts * 10_000)) == set(texts)
        assert found(among(Campaign.id, [])) == set()
        assert found(~among(Campaign.id, texts[1:])) == {texts[0]}
        number = func.length(Campaign.id, type_=Integer())
        assert found(among(number, [2**62, 5])) == {text for text in texts if len(text) == 5}


def test_what_cannot_be_a_member_is_refused(world: World) -> None:
    """Bytes would arrive as something else."""
    with (
        world.database.read() as connection,
        pytest.raises(StatementError, match=r"no notation for|not JSON serializable"),
    ):
        connection.execute(select(Campaign.id).where(among(literal(b"a"), [b"a"])))


def test_rows_are_added_where_none_is_there(world: World) -> None:
    """Where one is, none is written, and the transaction goes on; other mistakes are not taken for that."""
    now = world.clock.now()

    def add(*ids: str, channel: str = CHANNEL) -> bool:
        same = {"channel_id": channel, "send_at": now, "keep_until": now, "created_at": now}
        return add_columns(connection, Campaign, {"id": ids}, same=same)

    with world.database.write() as connection:
        assert add("spring", "summer")
        assert not add("autumn", "summer")
        assert add("winter")
        with pytest.raises(IntegrityError):
            add("one", channel="nobody's")
        found = connection.execute(select(Campaign.id).order_by(Campaign.id)).scalars().all()
    assert found == ["spring", "summer", "winter"]


#: Where a list is no list of values: literals in the statement's own text, and the handful of open statuses.
NO_VALUES = {"models/states.py", "models/settling.py"}


def test_many_values_go_to_sql_in_one_way() -> None:
    """By `among`. What stays `IN` has a handful of constants written there, or a SELECT."""
    wrong = []
    for path in sorted(path for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py")):
        name = path.relative_to(CHECKOUT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        constants = [node for node in tree.body if isinstance(node, ast.Assign)]
        wrong += [
            f"{name}: {said}" for scope in (*functions, *constants) for said in lists_given_to_in(scope)
        ]
    assert [said for said in wrong if said.partition(":")[0] not in NO_VALUES] == []


def lists_given_to_in(scope: ast.AST) -> list[str]:
    """Calls of ``in_`` and ``not_in`` with anything but constants or a query."""
    nodes = list(ast.walk(scope))
    assignments = [node for node in nodes if isinstance(node, ast.Assign)]
    queries = {ast.unparse(node.targets[0]) for node in assignments if is_query(node.value, set())}
    return [
        ast.unparse(node)
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in {"in_", "not_in"}
        if not (is_query(node.args[0], queries) or is_written_out(node.args[0]))
    ]


def is_query(node: ast.expr, names: set[str]) -> bool:
    """Whether this is a SELECT, or a name for one, and what is said of it further."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id in {"select", "union", "held_by", *names}


def is_written_out(node: ast.expr) -> bool:
    """Whether all that it has stands there: numbers, texts, members of an enumeration."""
    return isinstance(node, ast.Tuple | ast.List) and all(
        isinstance(member, ast.Constant | ast.Attribute) for member in node.elts
    )


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("Item.id.in_(ids)", True),
        ("Item.ref.not_in([one.ref for one in rows])", True),
        ("Item.id.in_([*ids])", True),
        ("Item.id.in_(bindparam('ids', expanding=True))", True),
        ("ids = rows.select(); Item.id.in_(ids)", True),
        ("Item.id.in_(select(Asset.id).limit(5))", False),
        ("held = select(Asset.id).limit(5); Item.asset_id.in_(held.where(this))", False),
        ("Item.id.in_(union(one, other))", False),
        ("Asset.state.in_((AssetState.IDLE, 'failed', 3))", False),
    ],
)
def test_what_the_rule_sees(code: str, *, refused: bool) -> None:
    """A list of any length, whatever it is made of."""
    assert bool(lists_given_to_in(ast.parse(code))) is refused
