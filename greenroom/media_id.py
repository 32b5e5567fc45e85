"""What a media ID of the provider's looks like."""

from __future__ import annotations

import re

#: No longer than the column that keeps it; nothing in it has a meaning in an address, a log or a query.
MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
