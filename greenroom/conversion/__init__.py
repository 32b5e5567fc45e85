"""Makes of a file that WhatsApp does not take one that it does; the original is never touched."""

from __future__ import annotations

from greenroom.errors import CannotFix
from greenroom.extras import needs
from greenroom.fixed_file import FixedFile

with needs("check", "Fixing files"):
    from greenroom.conversion.fix import fix_file

__all__ = ["CannotFix", "FixedFile", "fix_file"]
