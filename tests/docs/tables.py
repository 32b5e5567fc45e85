"""The tables of the reference that repeat what stands in the code, rendered from the code.

So is the list of settings in ``.env.example``. ``python -m tests.docs.tables`` writes them anew; a test
fails where that would change anything.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import click
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from cli import main as command
from greenroom.counters import COUNTERS, UPLOAD_SECONDS
from greenroom.provider.error_table import ANYWHERE, TABLE, AnswerRule, Endpoint, ProviderAnswer
from greenroom.provider.message_error_table import MESSAGE_ERRORS
from greenroom.reasons import ADVICE, Reason
from greenroom.rules import BY_MIME_TYPE, MIB, SIZE_LIMITS, STATIC_STICKER_LIMIT, Category
from greenroom.setting_types import PREFIX
from greenroom.settings import Settings
from greenroom.task_names import QUEUES, TaskName
from models import Base
from worker.checkout import CHECKOUT
from worker.exporter.families import BUILD, GAUGES

DOCS = CHECKOUT / "docs"
_PLACE = re.compile(r"(<!-- table: ([a-z ]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
EXAMPLE = CHECKOUT / ".env.example"
_LIST = re.compile(r"(?<=# table: example\n).*(?=# end of table\n)", re.DOTALL)
#: Settings that are filled in above the list, or that docker-compose.yml or the embedded stack decides.
_ELSEWHERE = (
    "database_url",
    "redis_url",
    "secret_key",
    "fixed_folder",
    "health_path",
    "sole_uploader_since",
    "source_cache_folder",
)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def code(text: object) -> str:
    """As code; nothing for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def settings() -> str:
    """Every field of the settings."""
    rows = [
        (code(PREFIX + name.upper()), _default(field), _allowed(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("name", "default", "allowed", "what it says"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    if field.default is None:
        return "none"
    shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return code(shown)


def _allowed(field: FieldInfo) -> str:
    if isinstance(field.default, bool):
        return "`true`, `false`"
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(one) for one in get_args(field.annotation))
    bounds = [_bound(bound) for bound in field.metadata]
    kind = "whole numbers, " if isinstance(field.default, int) else ""
    return kind + ", ".join(bound for bound in bounds if bound) if any(bounds) else ""


def _bound(bound: object) -> str:
    if isinstance(bound, Gt):
        return f"above {bound.gt}"
    if isinstance(bound, Ge):
        return f"from {bound.ge}"
    if isinstance(bound, Le):
        return f"up to {bound.le}"
    return ""


def example() -> str:
    """Every setting that may stand in `.env`, with its default, as lines to be uncommented."""
    lines = []
    for name, field in Settings.model_fields.items():
        if name not in _ELSEWHERE:
            lines += [f"# {one}" for one in textwrap.wrap(field.description or "", 108)]
            default = "" if field.default is None else field.default
            lines.append(f"# {PREFIX}{name.upper()}={str(default).lower() if default is False else default}")
    return "".join(f"{line}\n" for line in lines)


def reasons() -> str:
    """Every reason code with its fix."""
    return table(("reason", "what to do"), [(code(reason), ADVICE[reason]) for reason in Reason])


def types() -> str:
    """The provider's table of media types, as it is applied."""
    rows = [
        (
            row.category,
            code(row.mime_type),
            " or ".join(code(one) for one in row.content_types) or code(row.mime_type),
            code(row.extension),
            row.label,
            _limit(row.category),
        )
        for row in BY_MIME_TYPE.values()
    ]
    return table(("category", "MIME type", "sent as", "ending", "what it is", "largest"), rows)


def _limit(category: Category) -> str:
    if category is Category.STICKER:
        return f"{STATIC_STICKER_LIMIT // 1024} KB, animated {SIZE_LIMITS[category] // 1024} KB"
    return f"{SIZE_LIMITS[category] // MIB} MB"


def tasks() -> str:
    """Every task with its queue."""
    return table(("task", "queue"), [(code(name), code(QUEUES[name])) for name in TaskName])


def answers() -> str:
    """The provider's answers, in the order in which they are tried."""
    rows = [
        (
            str(number),
            "any" if row.at == ANYWHERE else ", ".join(one for one in Endpoint if one in row.at),
            _numbers(row.statuses),
            "any" if row.codes is None else _numbers(row.codes),
            "" if row.says is None else code(row.says.pattern),
            code(_becomes(row)),
            row.source,
        )
        for number, row in enumerate(TABLE, start=1)
    ]
    return table(("", "endpoint", "HTTP status", "code", "text has", "becomes", "source"), rows)


def _numbers(numbers: range | frozenset[int]) -> str:
    if isinstance(numbers, frozenset):
        return ", ".join(map(str, sorted(numbers)))
    first, last = numbers.start, numbers.stop - 1
    if (first, last) == (100, 999):
        return "any"
    return f"{first} and up" if last == 999 else f"{first} to {last}"


def _becomes(row: AnswerRule) -> str:
    return type(row.becomes(ProviderAnswer(endpoint=Endpoint.UPLOAD, status=0))).__name__


def message_errors() -> str:
    """What failed messages mean for their files, in the order in which the rows are tried."""
    rows = [
        (
            str(number),
            "any" if row.codes is None else _numbers(row.codes),
            "" if row.says is None else code(row.says.pattern),
            row.fault,
            row.source,
        )
        for number, row in enumerate(MESSAGE_ERRORS, start=1)
    ]
    return table(("", "code", "text has", "at fault", "source"), rows)


def columns() -> str:
    """Every column of every table."""
    rows = [
        (
            code(name),
            ", ".join(code(column.name) + (" *" if not column.nullable else "") for column in each.columns),
        )
        for name, each in sorted(Base.metadata.tables.items())
    ]
    return table(("table", "columns (* is never empty)"), rows)


def commands() -> str:
    """Every command of the command line, with its options."""
    rows = [(code(name), _first_sentence(each), _options(each)) for name, each in every_command()]
    return table(("command", "what it does", "options"), rows)


def every_command() -> Iterator[tuple[str, click.Command]]:
    """The leaves of the tree of commands, by their full names."""
    yield from _below("greenroom", command)


def _below(name: str, each: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(each, click.Group):
        yield name, each
        return
    context = click.Context(each)
    for inner in sorted(each.list_commands(context)):
        below = each.get_command(context, inner)
        if below is not None:
            yield from _below(f"{name} {inner}", below)


def _first_sentence(each: click.Command) -> str:
    text = " ".join((each.help or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "."


def _options(each: click.Command) -> str:
    names = [
        param.make_metavar(click.Context(each))
        for param in each.params
        if param.param_type_name == "argument"
    ]
    options = [max(param.opts, key=len) for param in each.params if param.param_type_name == "option"]
    return " ".join(code(name) for name in [*names, *options])


def gauges() -> str:
    """Every metric that is read at a scrape."""
    rows = [(code(each.name), ", ".join(map(code, each.labels)), each.help) for each in (*GAUGES, BUILD)]
    return table(("metric", "labels", "what it says"), rows)


def counters() -> str:
    """Every metric that workers count."""
    rows = [(code(each.name), ", ".join(map(code, each.labels)), each.help) for each in COUNTERS]
    seconds = (code(UPLOAD_SECONDS.name), "histogram", UPLOAD_SECONDS.help)
    return table(("metric", "labels", "what is counted"), [*rows, seconds])


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "reasons": reasons,
    "types": types,
    "tasks": tasks,
    "answers": answers,
    "message errors": message_errors,
    "columns": columns,
    "commands": commands,
    "gauges": gauges,
    "counters": counters,
}


def places(text: str) -> list[str]:
    """The names of the tables that a page has room for."""
    return [match[2] for match in _PLACE.finditer(text)]


def written(text: str) -> str:
    """A page with its tables as they should be."""
    return _PLACE.sub(lambda match: match[1] + "\n" + TABLES[match[2]]() + "\n" + match[4], text)


def written_example(text: str) -> str:
    """`.env.example` with its list as it should be."""
    return _LIST.sub(lambda _: example(), text)


def pages() -> list[Path]:
    """The pages of the reference."""
    return sorted((DOCS / "reference").glob("*.md"))


if __name__ == "__main__":
    for page in pages():
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
    EXAMPLE.write_text(written_example(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
