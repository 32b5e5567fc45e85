"""What is pinned can be installed wherever Greenroom runs, and the locks hold nothing for elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import parse_tag

from requirements.drop_hashes import runs_here, wanted, without_others

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tag", "stays"),
    [
        ("py3-none-any", True),
        ("py3-none-manylinux_2_28_x86_64", True),
        ("cp311-cp311-manylinux_2_17_aarch64", True),
        ("cp39-abi3-manylinux2014_x86_64", True),
        ("cp314-cp314-macosx_11_0_arm64", True),
        ("cp315-cp315-macosx_10_15_universal2", True),
        ("cp310-cp310-manylinux_2_17_x86_64", False),
        ("cp39-cp39-macosx_11_0_arm64", False),
        ("cp314-cp314t-manylinux_2_28_x86_64", False),
        ("cp313-cp313-win_amd64", False),
        ("cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp313-cp313-manylinux_2_17_i686", False),
        ("cp313-cp313-manylinux_2_31_riscv64", False),
        ("cp313-cp313-ios_13_0_arm64_iphoneos", False),
        ("pp311-pypy311_pp73-manylinux_2_28_x86_64", False),
    ],
)
def test_which_wheels_run_here(tag: str, *, stays: bool) -> None:
    """CPython of a supported version, glibc or macOS, x86-64 or ARM."""
    (one,) = parse_tag(tag)
    assert runs_here(one) is stays


def test_other_hashes_are_left_out() -> None:
    """Of a wheel with several tags one is enough; the source archive always stays, and so do comments."""

    def file(name: str, digit: str) -> dict[str, Any]:
        return {"url": f"https://index/a/{name}", "hashes": {"sha256": digit * 64}}

    wheels = [
        file("one-1-cp311-cp311-manylinux_2_5_i686.manylinux_2_17_x86_64.whl", "1"),
        file("one-1%2Blocal-cp313-cp313-win_amd64.whl", "2"),
        file("one-1-pp311-pypy311_pp73-manylinux_2_28_x86_64.whl", "3"),
    ]
    hashes = wanted([{"sdist": file("one-1.tar.gz", "4"), "wheels": wheels}, {"name": "no files"}])
    assert hashes == {"1" * 64, "4" * 64}

    def pinned(*digits: str) -> str:
        lines = ["one==1 ; sys_platform == 'linux'", *(f"    --hash=sha256:{digit * 64}" for digit in digits)]
        return " \\\n".join(lines) + "\n    # via two\n"

    assert without_others(pinned("4", "3", "1", "2"), hashes) == pinned("4", "1")
    assert without_others(pinned("2", "4"), hashes) == pinned("4")


@pytest.mark.parametrize("name", ["runtime.txt", "development.txt"])
def test_every_pin_has_hashes(name: str) -> None:
    """The whole lock would be refused otherwise."""
    lock = (CHECKOUT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==.*", lock, re.MULTILINE)
    hashed = re.findall(r"^[a-z0-9][\w.\[\]-]*==.* \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(hashed) == len(pins) > 30
