"""All cases of the hostile corpus."""

from __future__ import annotations

from tests.hostile.answers import CASES_OF_ANSWERS
from tests.hostile.case import Case
from tests.hostile.files import CASES_OF_FILES
from tests.hostile.manifests import CASES_OF_MANIFESTS
from tests.hostile.messages import CASES_OF_MESSAGES

CASES: tuple[Case, ...] = (*CASES_OF_FILES, *CASES_OF_MANIFESTS, *CASES_OF_MESSAGES, *CASES_OF_ANSWERS)
