"""Makes of a file that WhatsApp does not take one that it does; the original is never touched."""

from __future__ import annotations

from greenroom.mending.mend import mend_file
from greenroom.mending.result import CannotMend, Mended

__all__ = ["CannotMend", "Mended", "mend_file"]
