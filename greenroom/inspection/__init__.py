"""What a file really is, whether WhatsApp takes it, and if not, why: judged by content, never by name."""

from __future__ import annotations

from greenroom.extras import needs

with needs("check", "Inspecting files"):
    from greenroom.inspection.judge import inspect_file

__all__ = ["inspect_file"]
