"""The corpus, written once for all tests."""

from __future__ import annotations

from tests.support.corpus_files import corpus

__all__ = ["corpus"]
