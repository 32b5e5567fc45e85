"""Where the packages lie: the checkout, or their folder in the wheel."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
