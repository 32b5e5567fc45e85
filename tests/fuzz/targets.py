"""What is fuzzed: for each target how an input is made, and what the real code may make of it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.serialization import loads

from greenroom.clock import ManualClock
from greenroom.contract import MessageRefused, check_message, json_schema
from greenroom.errors import GreenroomError, ManifestError
from greenroom.inspection import inspect_file
from greenroom.manifest import parse_items, parse_plan
from greenroom.manifest_file import read_manifest
from greenroom.provider.answer_parser import AnswerParser
from greenroom.provider.answers import Endpoint, error_of, read_answer
from greenroom.provider.failures import BadAnswer
from greenroom.provider.location import read_location
from greenroom.provider.origin import Origin
from greenroom.provider.reply import Unreadable, read_object
from greenroom.rules import Category
from greenroom.task_names import TaskName
from greenroom.text import is_storable
from tasks.context import Context
from tasks.mark_used import _read
from tests.fuzz.spoiling import ODD_TEXTS, SchemaValues, spoiled
from tests.fuzz.target import Target

NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECRET: Final = "canary-api-key-6f1d2c"


class Files(Target):
    """Inspection: any bytes get a verdict that can be kept and shown."""

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        self._good = [(path.name.split("-", 1)[1], path.read_bytes()) for path in sorted(seeds.iterdir())]
        self._contents = [content for _, content in self._good]
        self._starts = [content[:64] for content in self._contents]

    def make(self, chance: random.Random) -> Any:
        """A file of the corpus, spoiled; or noise behind the start of one."""
        name, content = chance.choice(self._good)
        if chance.random() < 0.1:
            content = chance.choice(self._starts) + chance.randbytes(chance.randint(0, 2_000))
        kind = chance.choice((None, None, None, *Category))
        return name, kind, spoiled(chance, content, self._contents, self._starts)

    def judge(self, given: Any) -> str:
        """A verdict."""
        name, kind, content = given
        path = self.folder / "file"
        path.write_bytes(content)
        verdict = inspect_file(path, name=name, kind=kind)
        assert (verdict.reason is None) == (verdict.detail == "")
        assert verdict.accepted == (verdict.reason is None)
        assert all(map(is_storable, (verdict.label, verdict.detail)))
        return str(verdict.reason or "accepted")


class Manifests(Target):
    """Manifest files: read whole, or refused in a sentence with a line."""

    _ITEMS: Final = (
        {"ref": "hero", "source": "media/hero.jpg", "kind": "image"},
        {"ref": "a\nb", "source": "/srv/spring, summer/x.jpg"},
        {"ref": 'a "quoted" one', "source": "https://cdn.example/a?b=c,d;e", "mend": True},
        {"ref": "grüße\u2028", "source": "/srv/\U0001f600.jpg"},
    )
    _CSV: Final = (
        (
            'ref,source,kind,mend\nhero,media/hero.jpg,image,\n"a\nb","/srv/spring, summer/x.jpg",,true\r\n'
            '"a ""quoted"" one",https://cdn.example/a?b=c,,\n'
        ),
        "\ufeffref;source\nhero;/a\ngrüße;/b\n",
    )
    _WORDS: Final = (
        *(
            b'"',
            b'""',
            b",",
            b";",
            b"\n",
            b"\r",
            b"\r\n",
            b"\0",
            b"[",
            b"]",
            b"{",
            b"}",
            b'"ref":',
            b"\\ud800",
        ),
        *(b"[" * 5_000, b'{"a":' * 2_000, b"9" * 5_000, b"x" * 70_000, b"\xff\xfe", b"\xed\xa0\x80", b"NaN"),
        *(text.encode("utf-8", "surrogatepass") for text in ODD_TEXTS),
    )

    def make(self, chance: random.Random) -> Any:
        """A manifest of one of the three formats, spoiled."""
        ending = chance.choice((".csv", ".json", ".jsonl"))
        items = [chance.choice(self._ITEMS) for _ in range(chance.randint(0, 4))]
        texts = {
            ".csv": chance.choice(self._CSV),
            ".json": json.dumps(items, ensure_ascii=False, indent=chance.choice((None, 1))),
            ".jsonl": "".join(json.dumps(item) + "\n" for item in items),
        }
        others = [text.encode() for text in self._CSV]
        return ending, spoiled(chance, texts[ending].encode(), others, self._WORDS)

    def judge(self, given: Any) -> str:
        """Items of different refs, or one sentence."""
        ending, content = given
        path = self.folder / f"manifest{ending}"
        path.write_bytes(content)
        refusal, manifest = "", None
        try:
            manifest = read_manifest(path)
        except ManifestError as error:
            refusal = str(error)
        if manifest is None:
            assert refusal.isprintable(), "a refusal that drives a terminal"
            assert ", line " in refusal, "a refusal without a line"
            return "refused"
        items = list(manifest)
        assert len(items) == len(manifest) == len({item.ref for item in items})
        assert all(is_storable(text) for item in items for text in (item.ref, item.source))
        return "read"


class Messages(Target):
    """Broker messages: taken as the contract has them, or refused in a sentence."""

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        self._schema = json_schema()
        self._context = cast("Context", SimpleNamespace(clock=ManualClock(NOON)))

    def make(self, chance: random.Random) -> Any:
        """Arguments that nearly fit the schema, as the bytes of a message; some of these spoiled."""
        name = chance.choice(list(TaskName))
        wrong = chance.choice((0.0, 0.02, 0.1, 0.5))
        values = SchemaValues(self._schema["$defs"], chance, wrong=wrong)
        arguments = values.make(self._schema["tasks"][name])
        version: object = chance.choice((None, None, 1, 2, "1", [], 10**30))
        by_name = isinstance(arguments, dict) and chance.random() < 0.5
        args = [] if by_name else list(arguments.values()) if isinstance(arguments, dict) else [arguments]
        try:
            body = json.dumps([args, arguments if by_name else {}, {"callbacks": None}]).encode()
        except RecursionError:
            body = b"[" * 3_000
        if chance.random() < 0.2:
            body = spoiled(
                chance, body, [b'[[{"a":1}], {}, {}]'], [b"[" * 3_000, b"1e999", b'{"__type__":1}']
            )
        return name, version, body

    def judge(self, given: Any) -> str:
        """What a worker does with it before it asks the database."""
        name, version, body = given
        try:
            decoded = loads(body, "application/json", "utf-8", accept={"application/json"})
        except (DecodeError, ContentDisallowed, RecursionError):
            return "no message"
        match decoded:
            case [list(args), dict(kwargs), dict()]:
                return self._run(name, args, kwargs, version)
        return "no message"

    def _run(self, name: TaskName, args: list[Any], kwargs: Mapping[str, Any], version: object) -> str:
        try:
            check_message(name, args, kwargs, version=version)
            given = [*args, *kwargs.values()]
            if name is TaskName.PREPARE:
                campaign = kwargs["campaign"] if "campaign" in kwargs else args[0]
                items = kwargs["items"] if "items" in kwargs else args[1]
                parse_plan(campaign)
                parse_items(items)
            if name in (TaskName.MARK_USED, TaskName.MARK_DEAD):
                assert len(_read(self._context, given[0])) <= len(given[0])
        except (MessageRefused, ManifestError) as error:
            refused = error
        else:
            return "taken"
        assert len(str(refused)) < 1_000
        assert str(refused).isprintable()
        return "refused" if isinstance(refused, MessageRefused) else "refused by its fields"


class Answers(Target):
    """The provider's answers: a media ID, or a typed error that can be shown."""

    _ORIGIN: Final = Origin.parse("http://127.0.0.1:1")
    _BODIES: Final = (
        b'{"id": "1094408688491179"}',
        b'{"error": {"message": "(#100) Param file must be a file", "code": 100, "type": "OAuthException"}}',
        b'{"meta": {"success": false, "developer_message": "exceeded the endpoint rate limit"}}',
        b'{"url": "https://lookaside.fbsbx.com\\/whatsapp_business\\/attachments\\/?mid=1&hash=abc", '
        b'"sha256": "' + b"a" * 64 + b'", "file_size": 5848, "mime_type": "image/jpeg"}',
        b"<html><body>502 Bad Gateway</body></html>",
        b'[{"code": "131053", "title": "x"}]',
        b"",
    )
    _WORDS: Final = (
        *(
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"\r\n",
            b"\r\n\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 99999999999999999999\r\n",
        ),
        *(b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"Content-Encoding: gzip\r\n", b"x" * 10_000, b"[" * 5_000),
        *(b"9" * 5_000, b"\0", SECRET.encode(), b"\xff\xfe", b"\x1b[2J", b'"code": 1e999,', b'"id": null,'),
    )

    def make(self, chance: random.Random) -> Any:
        """An answer with a body of one of the formats that are met, spoiled, and cut into pieces."""
        body = chance.choice(self._BODIES)
        if chance.random() < 0.5:
            body = spoiled(chance, body, self._BODIES, self._WORDS)
        status = chance.choice((200, 201, 204, 301, 400, 401, 403, 404, 413, 429, 500, 502, 504, 999))
        wait = chance.choice(
            (None, "1", "-1", "9" * 400, "Mon, 01 Jun 2026 12:00:00 GMT", "Mon, 99 Foo", "\u0661")
        )
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        raw = head.encode() + body
        if chance.random() < 0.6:
            raw = spoiled(chance, raw, self._BODIES, self._WORDS)
        cuts = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.randint(0, 4)))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        return chance.choice(list(Endpoint)), status, wait, body, pieces

    def judge(self, given: Any) -> str:
        """Parsed, judged, and read."""
        endpoint, status, wait, body, pieces = given
        parsed = self._parsed(pieces)
        for one_status, one_body in {(status, body), parsed or (status, body)}:
            self._error(endpoint, one_status, one_body, wait)
            self._read(one_body)
        return "an answer" if parsed else "no answer"

    def _parsed(self, pieces: list[bytes]) -> tuple[int, bytes] | None:
        parser = AnswerParser()
        try:
            for piece in pieces:
                if piece and not parser.whole:
                    parser.feed(piece)
            if not parser.whole:
                parser.end()
            return parser.status, parser.body()
        except BadAnswer:
            return None
        finally:
            parser.close()

    def _error(self, endpoint: Endpoint, status: int, body: bytes, wait: str | None) -> None:
        answer = read_answer(endpoint, status, body, retry_after=wait, now=NOON, secrets=(SECRET,))
        error = error_of(answer)
        assert isinstance(error, GreenroomError)
        assert str(error).isprintable()
        assert is_storable(str(error))
        assert len(str(error)) < 1_000
        assert SECRET not in str(error)
        assert answer.retry_after is None or answer.retry_after >= 0

    def _read(self, body: bytes) -> None:
        with suppress(Unreadable, GreenroomError):
            read_location(read_object(body), api=self._ORIGIN, asked_at=NOON)


TARGETS: Final[dict[str, type[Target]]] = {
    "files": Files,
    "manifests": Manifests,
    "messages": Messages,
    "answers": Answers,
}
