"""What is pinned can be installed wherever Greenroom runs, and the locks hold nothing for elsewhere."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import Tag, parse_tag, sys_tags

from requirements.drop_hashes import chosen, machines, wanted, without_others

CHECKOUT = Path(__file__).parents[2]


@cache
def all_machines() -> list[list[Tag]]:
    """What pip looks for on each machine; half a million tags, which only these tests need."""
    return list(machines())


@pytest.mark.parametrize(
    "tag",
    [
        "py3-none-any",
        "py2.py3-none-any",
        "py3-none-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp39-abi3-manylinux2014_x86_64",
        "cp311-cp311-macosx_10_9_x86_64",
        "cp314-cp314-macosx_11_0_arm64",
        "cp315-cp315-macosx_10_15_universal2",
        "py3-none-manylinux1_x86_64",
    ],
)
def test_a_wheel_that_runs_here_stays(tag: str) -> None:
    """CPython of a supported version, glibc or macOS, x86-64 or ARM."""
    assert chosen({"one": parse_tag(tag)}, all_machines()) == {"one"}


@pytest.mark.parametrize(
    "tag",
    [
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp39-cp39-macosx_11_0_arm64",
        "cp314-cp314t-manylinux_2_28_x86_64",
        "cp313-cp313-win_amd64",
        "cp313-cp313-musllinux_1_2_x86_64",
        "cp313-cp313-manylinux_2_17_i686",
        "cp313-cp313-manylinux_2_31_riscv64",
        "cp313-cp313-ios_13_0_arm64_iphoneos",
        "pp311-pypy311_pp73-manylinux_2_28_x86_64",
    ],
)
def test_a_wheel_for_elsewhere_goes(tag: str) -> None:
    """There is no embedded broker there, or no Python of ours."""
    assert chosen({"one": parse_tag(tag)}, all_machines()) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="of the C library's versions")
def test_this_machine_is_one_of_them() -> None:
    """What pip looks for here is in the order in which it looks."""
    own = [tag for tag in sys_tags() if not tag.platform.startswith("linux_")]
    assert any(tags == own for tags in all_machines())


def test_of_several_wheels_the_best_for_each_machine_stays() -> None:
    """An older one only where some machine has nothing better."""
    names = (
        "cp39-abi3-manylinux_2_28_x86_64",
        "cp311-abi3-manylinux_2_28_x86_64",
        "cp311-abi3-manylinux_2_34_x86_64",
        "cp311-abi3-manylinux2014_x86_64",
        "cp39-abi3-manylinux2014_aarch64",
        "py3-none-any",
    )
    wheels = {name: parse_tag(name) for name in names}
    assert chosen(wheels, all_machines()) == {names[1], names[2], names[4], names[5]}


def test_other_hashes_are_left_out() -> None:
    """Of a wheel with several tags one is enough; sources stay where no wheel is for all, and comments do."""

    def file(name: str, digit: str) -> dict[str, Any]:
        return {"url": f"https://index/a/{name}", "hashes": {"sha256": digit * 64}}

    wheels = [
        file("one-1-cp311-cp311-manylinux_2_5_i686.manylinux_2_17_x86_64.whl", "1"),
        file("one-1%2Blocal-cp313-cp313-win_amd64.whl", "2"),
        file("one-1-pp311-pypy311_pp73-manylinux_2_28_x86_64.whl", "3"),
    ]
    pure = {"sdist": file("two-1.tar.gz", "5"), "wheels": [file("two-1-py3-none-any.whl", "6")]}
    hashes = wanted([{"sdist": file("one-1.tar.gz", "4"), "wheels": wheels}, pure, {"name": "no files"}])
    assert hashes == {digit * 64 for digit in "146"}

    def pinned(*digits: str) -> str:
        lines = ["one==1 ; sys_platform == 'linux'", *(f"    --hash=sha256:{digit * 64}" for digit in digits)]
        return " \\\n".join(lines) + "\n    # a comment\n"

    assert without_others(pinned("4", "3", "1", "2"), hashes) == pinned("4", "1")
    assert without_others(pinned("2", "4"), hashes) == pinned("4")


@pytest.mark.parametrize("name", ["runtime.txt", "development.txt"])
def test_every_pin_has_hashes(name: str) -> None:
    """The whole lock would be refused otherwise."""
    lock = (CHECKOUT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==.*", lock, re.MULTILINE)
    hashed = re.findall(r"^[a-z0-9][\w.\[\]-]*==.* \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(hashed) == len(pins) > 30
