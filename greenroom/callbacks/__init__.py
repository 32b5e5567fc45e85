"""Call-backs: a scheduler is told when a campaign is ready, at risk, or has rejected files.

:func:`verify` is for the receiver of one by HTTP, and needs nothing but Python.
"""

from greenroom.callbacks.signature import verify
from greenroom.errors import CallbackNotAuthentic

__all__ = ["CallbackNotAuthentic", "verify"]
