"""Tokens by which schedulers show who they are over HTTP: made here, shown once, and kept as a digest alone.

Those that only read look different: a person sees it, and a server of the version before, which knows no such
tokens, takes none.

A token has 256 random bits, which nobody guesses: its SHA-256 gives nothing away, and needs neither salt nor
a slow function, which are for what people think up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from pydantic import SecretStr

#: By this, programs that look for secrets in code and logs know one.
TOKEN_PREFIX: Final = "greenroom_"  # noqa: S105 - what each begins with
READING_PREFIX: Final = TOKEN_PREFIX + "read_"
_RANDOM_BYTES: Final = 32
#: One in a text: the prefix, and 43 letters of base64url.
TOKEN: Final = re.compile(rf"{TOKEN_PREFIX}(?:read_)?[A-Za-z0-9_-]{{43}}", re.ASCII)


def new_token(*, read_only: bool = False) -> SecretStr:
    """A fresh one."""
    return SecretStr((READING_PREFIX if read_only else TOKEN_PREFIX) + secrets.token_urlsafe(_RANDOM_BYTES))


def digest_of(token: SecretStr) -> str:
    """What is kept of a token: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()
