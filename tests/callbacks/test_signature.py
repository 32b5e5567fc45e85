"""Call-backs are signed as Standard Webhooks says, and what is not so is not believed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from greenroom.callbacks import CallbackNotAuthentic, verify
from greenroom.callbacks.signature import parse_secrets, signed_headers
from greenroom.clock import ManualClock
from tests.support.receiver import SECRET
from worker.checkout import CHECKOUT

#: The example of the specification's own libraries.
THEIR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
THEIR_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
THEIR_MOMENT = datetime.fromtimestamp(1614265330, UTC)
THEIR_BODY = b'{"test": 2432232314}'
THEIR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLOCK = ManualClock(NOW)
BODY = b'{"id": "one"}'


def headers(secret: str = SECRET, body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    """As a worker sends them."""
    return signed_headers(parse_secrets(secret), "one", body, at=at)


def test_it_is_what_the_specification_says() -> None:
    """Any other library can check it."""
    ours = signed_headers(parse_secrets(THEIR_SECRET), THEIR_ID, THEIR_BODY, at=THEIR_MOMENT)
    assert ours["webhook-signature"] == THEIR_SIGNATURE
    found = verify(THEIR_BODY, ours, secret=THEIR_SECRET, clock=ManualClock(THEIR_MOMENT))
    assert found == {"test": 2432232314}


def test_headers_may_be_spelt_in_any_way() -> None:
    """Frameworks do so."""
    spelt = {name.title(): value for name, value in headers().items()}
    assert verify(BODY, spelt, secret=SECRET, clock=CLOCK) == {"id": "one"}


@pytest.mark.parametrize(
    "altered",
    [
        {"webhook-id": "two"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2," + THEIR_SIGNATURE[3:]},
        {"webhook-signature": ""},
        {"webhook-id": ""},
        {"webhook-signature": "v1,\N{SNOWMAN}"},
    ],
)
def test_what_was_altered_is_not_believed(altered: dict[str, str]) -> None:
    """Each part of it is signed."""
    with pytest.raises(CallbackNotAuthentic):
        verify(BODY, headers() | altered, secret=SECRET, clock=CLOCK)


def test_another_body_or_secret_is_not_believed() -> None:
    """Nor is a request without headers."""
    for body, given in ((b"{}", headers()), (BODY, headers(THEIR_SECRET)), (BODY, {})):
        with pytest.raises(CallbackNotAuthentic):
            verify(body, given, secret=SECRET, clock=CLOCK)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_what_somebody_kept_is_not_believed(minutes: int) -> None:
    """Signed, and minutes old; or the receiver's clock is wrong."""
    with pytest.raises(CallbackNotAuthentic, match="too old"):
        verify(BODY, headers(at=NOW + timedelta(minutes=minutes)), secret=SECRET, clock=CLOCK)
    assert verify(BODY, headers(at=NOW + timedelta(minutes=minutes // 2)), secret=SECRET, clock=CLOCK)


def test_a_secret_can_be_changed() -> None:
    """Workers sign with both; receivers have the old one, both, or the new one."""
    both = f"{THEIR_SECRET}, {SECRET}"
    for secret in (SECRET, both, THEIR_SECRET):
        assert verify(BODY, headers(both), secret=secret, clock=CLOCK) == {"id": "one"}


@pytest.mark.parametrize("secret", ["", "whsec_", "canary", "whsec_c2hvcnQ=", "canary!", "A" * 200])
def test_what_is_no_secret_is_not_used(secret: str) -> None:
    """And is not shown."""
    with pytest.raises(ValueError, match="24 to 64 random bytes") as caught:
        verify(BODY, headers(), secret=secret, clock=CLOCK)
    assert "canary" not in str(caught.value)


def test_a_receiver_needs_nothing_but_python() -> None:
    """No package of ours that brings others is imported with it."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from greenroom.callbacks import verify;"
        "print([name for name in sys.modules if name.partition('.')[0] not in sys.stdlib_module_names"
        " and not name.startswith(('greenroom', '__main__'))])"
    )
    bare = [sys.executable, "-I", "-S", "-c", program, str(CHECKOUT)]
    assert subprocess.run(bare, capture_output=True, check=True, text=True).stdout.strip() == "[]"
