"""The secrets that are seeded, and how they are recognised in whatever was written."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from greenroom.bearer_token import TOKEN_PREFIX
from greenroom.callbacks.signature import SECRET_PREFIX
from greenroom.vault import new_secret_key

SECRET_KEY, OLD_SECRET_KEY = (new_secret_key().get_secret_value() for _ in range(2))
#: By what it is. Words that stand nowhere else, and that an address can hold as they are.
SEEDS = {
    "API key": "seedApiKeyOfOneNumber4kq",
    "API key, revoked": "seedApiKeyRevoked7mz",
    "secret key": SECRET_KEY,
    "secret key, old": OLD_SECRET_KEY,
    "database password": "seedDatabasePassword2wx",
    "broker password": "seedBrokerPassword9tn",
    "Flower password": "seedFlowerPassword5hv",
    "password of a source": "seedSourcePassword8bd",
    "signature of a source": "seedSourceSignature3rf",
    "signature of a redirect": "seedRedirectSignature6gj",
    "secret of a store": "seedSecretOfAStore3kw",
    "key of an account of Azure": base64.b64encode(b"seedKeyOfAnAzureAccount7qm").decode(),
    "signature of a download": "seedDownloadSignature1ps",
    "API token": f"{TOKEN_PREFIX}seedApiTokenOfAScheduler6wk".ljust(len(TOKEN_PREFIX) + 43, "q"),
    "call-back secret": SECRET_PREFIX + base64.b64encode(b"seedCallbackSecretWith32Bytes0xv").decode(),
    "path of a call-back": "seedCallbackPath5ny",
}
#: What signs an address: it has to be kept where a file is to be fetched from again, or somebody called back.
OF_ADDRESSES = frozenset({"password of a source", "signature of a source", "path of a call-back"})
#: Not seeded, but planted afterwards, so that each place is seen to be searched.
PLANTED = "planted"
PLANT = "plantedSecretOfNobody0yc"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A secret where it does not belong."""

    secret: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Something that was written: a file, a page, a message, a column of a row."""

    where: str
    data: bytes


def _spellings(secret: str) -> set[bytes]:
    """As it is, as addresses write it, and as it stands in base64, wherever its bytes begin there.

    Either half counts, too: of what is too long to be shown, the middle is left out.
    """
    raw = secret.encode()
    halves = {raw[: len(raw) // 2], raw[len(raw) // 2 :]}
    inside = {
        # Without the characters that its neighbours share.
        base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4]
        for shift in range(3)
    }
    return {raw, quote(secret, safe="").encode(), *halves, *inside}


class Search:
    """Looks for secrets.

    Args:
        secrets: by name.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        self._names = {spelling: name for name, secret in secrets.items() for spelling in _spellings(secret)}
        self._pattern = re.compile(b"|".join(re.escape(each) for each in self._names))

    def __call__(self, pieces: Iterable[Piece]) -> list[Found]:
        """Whatever is found, once for each secret and piece."""
        found = {
            (self._names[match[0]], piece.where)
            for piece in pieces
            for match in self._pattern.finditer(piece.data)
        }
        return [Found(secret=secret, where=where) for secret, where in sorted(found)]
