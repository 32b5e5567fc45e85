"""Makes of a file that WhatsApp does not take one that it does; the original is never touched."""

from __future__ import annotations

from greenroom.conversion.fix import fix_file
from greenroom.errors import CannotFix
from greenroom.fixed_file import FixedFile

__all__ = ["CannotFix", "FixedFile", "fix_file"]
