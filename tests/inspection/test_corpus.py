"""Every file of the corpus gets the verdict that the provider's table demands."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from greenroom.inspection import inspect_file
from greenroom.reasons import Reason
from greenroom.rules import BY_MIME_TYPE
from tests.support.corpus import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case, corpus: Mapping[Case, Path]) -> None:
    """Verdict, category, MIME type, reason, notices and words are as the table of cases says."""
    verdict = inspect_file(corpus[case])
    assert (verdict.reason, verdict.mime_type, verdict.category) == (
        case.reason,
        case.mime_type,
        case.category,
    )
    assert {notice.code for notice in verdict.notices} == case.notices
    assert case.label in verdict.label
    assert case.detail in verdict.detail


def test_details_are_sentences_for_people(corpus: Mapping[Case, Path]) -> None:
    """Each rejection and each notice is said in a short sentence with a start and an end."""
    for path in corpus.values():
        verdict = inspect_file(path)
        said = [verdict.detail] if not verdict.accepted else []
        for sentence in said + [notice.detail for notice in verdict.notices]:
            assert sentence[0].isupper(), (path.name, sentence)
            assert sentence.endswith("."), (path.name, sentence)
            assert len(sentence) < 240, (path.name, sentence)
            assert "  " not in sentence, (path.name, sentence)
        assert verdict.accepted == (verdict.detail == "")


def test_size_and_hash_are_the_contents(corpus: Mapping[Case, Path]) -> None:
    """Size and SHA-256 are those of the bytes on disk, small file or large."""
    for path in corpus.values():
        verdict = inspect_file(path)
        content = path.read_bytes()
        assert (verdict.size, verdict.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_every_row_of_the_table_has_two_files() -> None:
    """Each type that the provider takes is proved by at least two accepted files."""
    proved = Counter(case.mime_type for case in CASES if case.reason is None)
    assert {mime_type: proved[mime_type] for mime_type in BY_MIME_TYPE if proved[mime_type] < 2} == {}


def test_every_reason_of_a_file_has_a_case() -> None:
    """Each reason that lies in a file's content is proved by a case; the rest is not inspection's."""
    elsewhere = {
        Reason.MISSING,
        Reason.UNREADABLE,
        Reason.WRONG_KIND,
        Reason.REFUSED_BY_PROVIDER,
        Reason.UPLOAD_FAILED,
        Reason.NOT_ALLOWED,
        Reason.NOT_AN_ADDRESS,
    }
    assert {case.reason for case in CASES if case.reason} == set(Reason) - elsewhere


def test_the_corpus_is_large_enough() -> None:
    """The corpus keeps the size that was promised for it."""
    assert len(CASES) >= 120
    assert len({case.name for case in CASES}) > 0.95 * len(CASES)
