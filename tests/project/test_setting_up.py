"""What `make setup` installs comes by uv where uv can be told what pip is told, else by pip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from requirements import install
from worker.checkout import CHECKOUT

LOCK = CHECKOUT / "requirements" / "development.txt"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("", {}),
        (
            "global.index-url='https://pypi.example/simple'\n",
            {"UV_DEFAULT_INDEX": "https://pypi.example/simple"},
        ),
        (
            ":env:.find-links='/c'\nglobal.find-links='\\n/a\\n/b'\nglobal.cert='/ca.pem'\n",
            {"UV_FIND_LINKS": "/c", "SSL_CERT_FILE": "/ca.pem"},
        ),
        ("global.find-links='\\n/a\\n/b'\n", {"UV_FIND_LINKS": "/a,/b"}),
        (
            "global.extra-index-url='https://a.example\\nhttps://b.example'\n",
            {"UV_INDEX": "https://a.example https://b.example"},
        ),
        ("global.constraint='/c.txt'\nglobal.timeout='60'\n", {}),
        ("install.index-url='https://b'\nglobal.index-url='https://a'\n", {"UV_DEFAULT_INDEX": "https://b"}),
        ("freeze.user='true'\n", {}),
        ("global.no-index='true'\n", None),
        ("global.client-cert='/me.pem'\n", None),
    ],
)
def test_uv_is_told_what_pip_is_told(listed: str, expected: dict[str, str] | None) -> None:
    """The environment has the last word, then `install`; what uv would not understand is left to pip."""
    assert install.told(listed) == expected


def test_what_this_pip_is_set_up_with_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the pip that is here, not by what is known of some other one."""
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nfind-links = /wheels\n", encoding="utf-8")
    for name in [each for each in os.environ if each.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert (install.told(install.settings()) or {})["UV_FIND_LINKS"] == "/wheels"


def test_the_lock_pins_uv_with_hashes() -> None:
    """Its lines alone, so that pip brings it first."""
    pins = install.pin_of_uv(LOCK.read_text(encoding="utf-8"))
    assert pins is not None
    first, *hashes = pins.splitlines()
    assert first.startswith("uv==")
    assert hashes
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)
    assert install.pin_of_uv("uvicorn==1\n    --hash=sha256:00\n") is None


class Tools:
    """Stand for pip and uv: what they were asked for, and whether it went well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, uv_works: bool) -> None:
        self.asked: list[str] = []
        self.uv_works = uv_works
        monkeypatch.setattr("requirements.install.subprocess.run", self._run)

    def _run(self, command: list[Any], **_: object) -> Any:
        words = [str(word) for word in command]
        by_uv = words[0].endswith("uv")
        if "config" not in words:
            assert "--require-hashes" in words
            self.asked.append(f"{'uv' if by_uv else 'pip'} {Path(words[-1]).name}")
        failed = by_uv and not self.uv_works
        return type("Ended", (), {"returncode": int(failed), "stdout": ""})


@pytest.mark.parametrize("uv_works", [True, False])
def test_pip_does_what_uv_cannot(monkeypatch: pytest.MonkeyPatch, *, uv_works: bool) -> None:
    """Pip brings uv; and all the rest only where uv has failed."""
    tools = Tools(monkeypatch, uv_works=uv_works)
    assert install.install(LOCK) == 0
    expected = ["pip uv.txt", "uv development.txt"]
    assert tools.asked == (expected if uv_works else [*expected, "pip development.txt"])


def test_a_lock_without_uv_is_installed_by_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As of what production has alone."""
    tools = Tools(monkeypatch, uv_works=True)
    lock = tmp_path / "lock.txt"
    lock.write_text("", encoding="utf-8")
    assert install.install(lock) == 0
    assert tools.asked == ["pip lock.txt"]
