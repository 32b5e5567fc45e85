"""Names of channels: one number has one name, however somebody writes it."""

from __future__ import annotations

import re

#: The digit that is not dialled from abroad.
_TRUNK_PREFIX = re.compile(r"\(0\)")
#: A phone number as people write it: digits, and what they put between them.
_WRITTEN = re.compile(r"\+?[0-9 \u00a0\u2009\u202f().\-\u2010-\u2014/]+")
_NOT_A_DIGIT = re.compile(r"[^0-9]")
#: Characters that are looked at: no number has more, and what is longer is refused as a name.
_LONGEST_WRITTEN = 64
#: The fewest digits that a number with its country's code has; shorter ones are names.
_FEWEST_DIGITS = 7


def channel_name(text: str) -> str:
    """The name under which a channel is kept.

    A phone number is kept by its digits with the country's code, as E.164 has them without the plus sign:
    ``+49 151 1234-5678`` and ``004915112345678`` are ``4915112345678``. Any other name stays as it is.

    Raises:
        ValueError: it is a number with a plus and too few digits, or one without the country's code, so that
            nobody knows whose it is.
    """
    if len(text) > _LONGEST_WRITTEN or not _WRITTEN.fullmatch(text):
        return text
    digits = _NOT_A_DIGIT.sub("", _TRUNK_PREFIX.sub("", text))
    if len(digits) < _FEWEST_DIGITS:
        if text.startswith("+"):
            raise ValueError("has too few digits for a phone number")
        return text
    digits = digits.removeprefix("00")
    if digits.startswith("0"):
        raise ValueError("has no country code: write the number like 4915112345678")
    return digits
