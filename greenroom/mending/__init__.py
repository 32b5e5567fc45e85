"""Makes of a file that WhatsApp does not take one that it does; the original is never touched."""

from __future__ import annotations

from greenroom.errors import CannotMend
from greenroom.mended import Mended
from greenroom.mending.mend import mend_file

__all__ = ["CannotMend", "Mended", "mend_file"]
