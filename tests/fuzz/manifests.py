"""What is fuzzed of manifest files."""

from __future__ import annotations

import json
import random
from typing import Any, Final

from greenroom.errors import ManifestError
from greenroom.manifest_file import MOST_BAD_LINES, ManifestFile
from greenroom.untrusted_text import is_storable
from tests.fuzz.spoiling import ODD_TEXTS, spoiled
from tests.fuzz.target import Target


class Manifests(Target):
    """Manifest files: read but for bad lines, or refused; each in a sentence with a line."""

    _ITEMS: Final = (
        {"ref": "hero", "source": "media/hero.jpg", "kind": "image"},
        {"ref": "a\nb", "source": "/srv/spring, summer/x.jpg"},
        {"ref": 'a "quoted" one', "source": "https://cdn.example/a?b=c,d;e", "fix": True},
        {"ref": "grüße\u2028", "source": "/srv/\U0001f600.jpg"},
    )
    _CSV: Final = (
        (
            'ref,source,kind,fix\nhero,media/hero.jpg,image,\n"a\nb","/srv/spring, summer/x.jpg",,true\r\n'
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
        """Items of different refs, and a sentence for each bad line; or one sentence."""
        ending, content = given
        path = self.folder / f"manifest{ending}"
        path.write_bytes(content)
        refusal, manifest = "", None
        try:
            manifest = ManifestFile(path)
        except ManifestError as error:
            refusal = str(error)
        if manifest is None:
            assert refusal.isprintable(), "a refusal that drives a terminal"
            assert ", line " in refusal, "a refusal without a line"
            return "refused"
        items = list(manifest)
        assert len(items) == len(manifest) == len({item.ref for item in items})
        assert all(is_storable(text) for item in items for text in (item.ref, item.source))
        assert len(manifest.bad_lines) == min(manifest.bad_count, MOST_BAD_LINES)
        for line in manifest.bad_lines:
            assert line.isprintable(), "a refusal that drives a terminal"
            assert line.startswith("line "), "a refusal without a line"
        return "read in part" if manifest.bad_count else "read"
