"""What is fuzzed of the provider's answers."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from greenroom.errors import GreenroomError
from greenroom.provider.answer_reader import read_answer
from greenroom.provider.error_table import Endpoint, error_of
from greenroom.provider.failures import BadAnswer
from greenroom.provider.http_response import Unreadable, read_object
from greenroom.provider.location import read_location
from greenroom.provider.origin import Origin
from greenroom.provider.response_parser import ResponseParser
from greenroom.untrusted_text import is_storable
from tests.fuzz.spoiling import spoiled
from tests.fuzz.target import Target

NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECRET: Final = "canary-api-key-6f1d2c"


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
        parser = ResponseParser()
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
