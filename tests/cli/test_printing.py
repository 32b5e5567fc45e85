"""What others wrote cannot drive a terminal, forge a record of a log, or be run by a spreadsheet."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import insert

from cli import main
from cli.formats import console
from cli.report import accepted_table, inert, item_as_json, write_csv
from greenroom.untrusted_text import LONGEST_PRINTED, printable, printable_lines
from greenroom.vault import new_secret_key
from models import Asset, Campaign, Database, Item, Media
from models.channel import Channel
from models.item_reports import campaign_items
from tests.support.command import environment
from tests.support.world import NOON
from worker.checkout import CHECKOUT
from worker.printable_logs import make_printable

#: Each would drive, colour, crash or mislead a terminal, or fill it.
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31mred",
    "one\r\ntwo\n2026-11-29 ERROR forged",
    "\u202etxt.exe\u2066\u200f",
    "[red]tag[/red] [/] [link=http://evil]x[/link]",
    "trailing\\",
    "\x7f\x08\x08\x08",
    "line\u2028sep\u2029\x85",
    "\U000e0041tag",
    "=cmd|' /C calc'!A0",
    "x" * 4_096,
)


def is_harmless(text: str) -> bool:
    """Whether it may be printed."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def state(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Path]:
    """An embedded installation whose tables are full of what others wrote."""
    folder = tmp_path / "state"
    (folder / "live").mkdir(parents=True)
    shutil.copy(migrated_sqlite, folder / "live" / "greenroom.db")
    database = Database(SecretStr(f"sqlite:///{folder}/live/greenroom.db"))
    with database.write() as connection:
        for number, text in enumerate(HOSTILE):
            fill(connection, number, text)
    yield folder
    database.close()


def fill(connection: object, number: int, text: str) -> None:
    """A paused channel, a campaign, and two items of it, one accepted and one rejected; named by the text."""
    name, until = text[:60] + str(number), NOON + timedelta(days=3_000)
    run = connection.execute  # type: ignore[attr-defined]  # short
    run(
        insert(Channel).values(
            id=name, api_base_url=text[:200], api_key="k", created_at=NOON, paused_at=NOON, paused_reason=text
        )
    )
    run(insert(Campaign).values(id=name, channel_id=name, send_at=NOON, keep_until=until, created_at=NOON))
    asset = {"channel_id": name, "category": "image", "mime_type": "image/jpeg", "size": 1, "due_at": NOON}
    asset_id = run(
        insert(Asset).values(
            **asset, sha256="a" * 64, file_name=text[:255], source=text, state="ready", detail=text
        )
    ).inserted_primary_key[0]
    run(
        insert(Media).values(
            media_id=text[:100] + str(number),
            channel_id=name,
            asset_id=asset_id,
            sha256="a" * 64,
            mime_type="image/jpeg",
            uploaded_at=NOON,
            expires_at=until,
        )
    )
    item = {
        "campaign_id": name,
        "source": text,
        "due_at": NOON,
        "label": text,
        "detail": text,
        "fixed": json.dumps([text]),
        "notices": json.dumps([{"code": "x", "detail": text}]),
    }
    run(insert(Item).values(**item, ref=text[:250] + "1", state="accepted", asset_id=asset_id))
    run(insert(Item).values(**item, ref=text[:250] + "2", state="rejected", reason="broken"))
    # One whose upload has to wait.
    waits = run(
        insert(Asset).values(
            **asset,
            sha256="b" * 64,
            file_name="x",
            source="/x",
            state="waiting",
            attempts=3,
            detail=text,
            not_before=NOON + timedelta(days=2_000),
        )
    ).inserted_primary_key[0]
    run(insert(Item).values(**item, ref=text[:250] + "3", state="accepted", asset_id=waits))


def greenroom(state: Path, *words: str) -> Result:
    """Run the command in this process."""
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, [*words, "--state", str(state)])


@pytest.mark.parametrize(
    "words",
    [
        ("campaign", "status"),
        ("campaign", "status", "one"),
        ("campaign", "explain", "one", "ref"),
        ("campaign", "explain", "one", "ref", "--json"),
        ("campaign", "list", "--json"),
        ("campaign", "status", "one", "--json"),
        ("channel", "list"),
        ("channel", "list", "--json"),
        ("media", "list", "--all", "--json"),
        ("media", "list", "--all"),
    ],
)
def test_tables_of_hostile_rows(state: Path, words: tuple[str, ...]) -> None:
    """Nothing crashes, and all is shown in letters."""
    for number, text in enumerate(HOSTILE):
        named = {"one": text[:60] + str(number), "ref": text[:250] + "1"}
        result = greenroom(state, *(named.get(word, word) for word in words))
        assert result.exit_code == 0, result.output
        assert is_harmless(result.output)
        if "one" not in words:
            break
        if text.startswith("[red]"):
            assert "[red]tag[/red]" in result.output.replace("\n", "")


def test_rows_as_tables_and_as_json(state: Path) -> None:
    """What `run` prints; the JSON reads back as it was."""
    database = Database(SecretStr(f"sqlite:///{state}/live/greenroom.db"))
    for number, text in enumerate(HOSTILE):
        with database.read() as connection:
            items = list(campaign_items(connection, text[:60] + str(number), now=NOON))
        with console.capture() as shown:
            console.print(accepted_table(items))
        assert is_harmless(shown.get())
        lines = [item_as_json(item) for item in items]
        assert all(map(is_harmless, lines))
        assert {json.loads(line)["path"] for line in lines} == {text}
        assert text[:1_000] in {json.loads(line)["detail"][:1_000] for line in lines}
    database.close()


#: What makes text fit for printing, or makes text of its own.
SPELLING = {"len", "plain", "printable", "counted", "moment", "day", "span", "size", "advice_on", "observed"}
#: Values that are printed as they are: our own words, or made by one of these a line before.
OWN_WORDS = {
    *(
        "campaign_explain: colour",
        "channel: since",
        "channel: why",
        "check: group.reason",
        "check: told",
        "check: summary.headline()",
        "when_ready: colour",
        "demo: what",
        "doctor: finding.mark",
    ),
    *(
        "doctor: sentence",
        "embedded: name",
        "folder_options: found",
        "folder_options: more",
        "folder_options: were",
        "forecast: bar",
        "given_items: lines",
        "forecast: colour",
        "forecast: when",
        "media_show: size",
        "report: detail",
    ),
    *("run_files: peak", "run_files: refused", "run_files: twice", "summary: self.headline()"),
}


def printed_as_they_are() -> Iterator[str]:
    """Values in what the command prints that nothing spells out; and what is echoed by another way."""
    for path in sorted((CHECKOUT / "cli").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="console" | "remarks"), attr="print")):
                    pass
                case ast.Call(func=ast.Attribute(attr="add_row")):
                    pass
                case _:
                    continue
            values = [node for node in ast.walk(call) if isinstance(node, ast.FormattedValue)]
            bare = [given for given in call.args if isinstance(given, ast.Attribute)]
            unspelt = [one.value for one in values if one.format_spec is None and not is_spelt(one.value)]
            yield from (f"{path.stem}: {ast.unparse(value)}" for value in [*unspelt, *bare])


def is_spelt(value: ast.expr) -> bool:
    """Whether it is a call of what spells out."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in SPELLING


def test_what_is_printed_is_spelt_out() -> None:
    """Whoever prints another value as it is says here that nobody else chooses it."""
    assert set(printed_as_they_are()) <= OWN_WORDS


def test_whatever_else_is_echoed_is_no_text_of_others() -> None:
    """By `say`, but for JSON, keys and tokens made this moment, a URL for programs, and one word."""
    echoed = {
        line.strip()
        for path in (CHECKOUT / "cli").glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "click.echo(" in line and path.name != "formats.py"
    }
    assert echoed == {
        "click.echo(item_as_json(item))",
        "click.echo(json_line(document))",
        "click.echo(link.get_secret_value())",
        "click.echo(made.get_secret_value())",
        "click.echo(new_secret_key().get_secret_value())",
        'click.echo(printable_lines(" ".join(["Interrupted.", *interrupt.args])), err=True)',
    }


class Terminal(io.StringIO):
    """Standard output, where a person looks at it."""

    def isatty(self) -> bool:
        """Whether it is one."""
        return True


def test_the_mapping(state: Path) -> None:
    """To a file as it is but for formulas; to a terminal in letters."""
    database = Database(SecretStr(f"sqlite:///{state}/live/greenroom.db"))
    for number, text in enumerate(HOSTILE):
        with database.read() as connection:
            items = list(campaign_items(connection, text[:60] + str(number), now=NOON))
        file, terminal = io.StringIO(newline=""), Terminal(newline="")
        write_csv(items, file)
        write_csv(items, terminal)
        assert is_harmless(terminal.getvalue().replace("\r\n", "\n"))
        rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
        assert rows
        assert [row["ref"] for row in rows] == [inert(item.ref) for item in items]
        assert all(cell[:1] not in tuple("=+-@") for row in rows for cell in row.values() if cell)
    database.close()


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("hero", "hero"),
        ("2026-11-29", "2026-11-29"),
        ("+4915112345678", "+4915112345678"),
        ("-5", "-5"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+4915+1", "'+4915+1"),
        ("-cmd", "'-cmd"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1+1", "\t'=1+1"),
        ("\r=1+1", "\r'=1+1"),
        (' "=1+1', " \"'=1+1"),
        # Where a spreadsheet expects semicolons, or takes a quote that is not at the start for a letter.
        ("a;=1+1", "a;'=1+1"),
        ('a";"=1+1', 'a";"\'=1+1'),
        ("a\n@x", "a\n'@x"),
        ("a=1", "a=1"),
    ],
)
def test_no_cell_is_a_formula(cell: str, written: str) -> None:
    """An apostrophe makes it a text; telephone numbers stay numbers."""
    assert inert(cell) == written


@pytest.mark.parametrize("word", HOSTILE[:9])
@pytest.mark.parametrize(
    "words", [["{}"], ["--{}"], ["check", "/no/{}"], ["check", "--{}"], ["campaign", "{}"]]
)
def test_errors_about_the_command_line(word: str, words: list[str]) -> None:
    """A shell puts names of files into it."""
    result = CliRunner().invoke(main, [each.format(word) for each in words])
    assert result.exit_code == 2
    assert is_harmless(result.output)


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_of_our_own(state: Path, text: str) -> None:
    """A campaign that is not there is named in letters."""
    result = greenroom(state, "campaign", "cancel", "no" + text)
    assert result.exit_code == 2
    assert is_harmless(result.output)


def test_what_is_printed_of_one_text() -> None:
    """Letters of any script and any space stay; the rest is spelt out; the middle of a long one is cut."""
    assert printable("Grüße 你好\u3000🎉") == "Grüße 你好\u3000🎉"
    assert printable("a\x07b\udce9\u202e") == "a\\x07b\\udce9\\u202e"
    assert len(printable("x" * 4_096)) <= LONGEST_PRINTED
    assert printable("a" * 4_000 + "b").endswith("b")
    assert printable_lines("a\nb\x1b", indent="  ") == "a\n  b\\x1b"
    assert printable_lines("a\n" * 100_000).count("\n") <= 200


@pytest.mark.parametrize("text", HOSTILE)
def test_a_log_record_stays_one(text: str) -> None:
    """Whatever is in a message or in the text of an error: what begins at the margin is a record."""
    written = io.StringIO()
    logger = logging.getLogger(f"tests.printing.{HOSTILE.index(text)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in (logging.StreamHandler(written), logging.StreamHandler(written)):
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)
    make_printable(logger)
    logger.warning("%s cannot be judged", text)
    logger.info("100 %")
    try:
        int(text + "?")
    except ValueError:
        logger.exception("A fault of Greenroom's own.")
    records = [line for line in written.getvalue().split("\n") if line and not line.startswith("  ")]
    assert is_harmless(written.getvalue())
    assert len(records) == 6
    assert all(record.startswith(("WARNING: ", "INFO: ", "ERROR: ")) for record in records)


LOGGED = """
import logging, sys
from celery.signals import setup_logging
from greenroom.log_fields import about, logged_about
from greenroom.settings import Settings
from worker.logs import log_as_set
key, form = sys.argv[1:]
settings = Settings(
    database_url="sqlite:///a", redis_url="redis://localhost", secret_key=key, log_format=form
)
log_as_set(settings)
setup_logging.send(sender=None, loglevel=logging.INFO, logfile=None, format="", colorize=False)
logger = logging.getLogger("celery.task")
hostile = "https://u:canary@cdn.example/a.jpg?s=canary"
with logged_about(campaign="spring\\n2026-11-29 ERROR forged\\x1b[2J", channel="4915112345678"):
    logger.warning("one\\n2026-11-29 ERROR forged\\x1b[2J", extra=about(file=hostile, attempt=2))
    logger.error("The body was: %r", hostile)
    try:
        int(hostile)
    except ValueError:
        logger.exception("a fault")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_workers_and_beat_log_so(form: str) -> None:
    """In either form, whatever a name holds: no record is forged, no terminal driven, no signature shown."""
    key = new_secret_key().get_secret_value()
    result = subprocess.run(
        [sys.executable, "-c", LOGGED, key, form],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert "canary" not in result.stderr
    assert is_harmless(result.stderr)
    assert "cdn.example/a.jpg" in result.stderr
    records = [line for line in result.stderr.splitlines() if not line.startswith("  ")]
    assert len(records) == 3
    if form == "json":
        first, _, last = map(json.loads, records)
        assert (first["level"], first["channel"], first["attempt"]) == ("WARNING", "4915112345678", 2)
        assert datetime.fromisoformat(first["time"]).tzinfo == UTC
        assert "ValueError" in last["exception"]
    else:
        assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00 [A-Z]+ ", record) for record in records)
        assert "channel=4915112345678" in records[0]
