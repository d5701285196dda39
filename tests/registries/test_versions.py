"""Which wanted versions a package plainly lacks."""

from __future__ import annotations

import pytest

from ghostbust.records import Ecosystem
from ghostbust.registries.versions import lacks, newest

PYPI = ["1.0", "2.31.0", "2.32.5rc1", "not-a-version"]
SEMVER = ["0.3.1", "1.0.0", "1.4.2", "2.0.0-rc.1", "1.5.0+build"]


@pytest.mark.parametrize(
    ("wanted", "is_lacked"),
    [
        ("==99.9.9", True), ("==2.31.0", False), ("==2.31", False), ("==1.0.0", False),
        ("==2.32.5rc1", False), ("==2.32.5", True), ("==2.*", False), ("==3.*", True),
        (">=99", True), (">=2.31,<2", True), ("~=2.30", False), (">2.32", False), ("!=1.0", False),
        ("==2.31.0+cu121", False), ("===2004d", False), ("^99", False), ("*", False), ("", False),
    ],
)  # fmt: skip
def test_of_pypi(wanted: str, is_lacked: bool) -> None:
    assert lacks(Ecosystem.PYPI, wanted, PYPI) is is_lacked


@pytest.mark.parametrize(
    ("wanted", "npm", "cargo"),
    [
        ("9.9.9", True, True), ("=9.9.9", True, True), ("v1.0.0", False, False),
        ("1.0.1", True, False),  # a bare version is a caret range for cargo
        ("=1.0.1", True, True), ("1.4", False, False), ("1.6", True, True), ("1.4.9", True, False),
        ("^1.4.0", False, False), ("^1.6.0", True, True), ("^0.3.0", False, False),
        ("^0.4.0", True, True), ("~1.4.3", True, True), ("~1.4", False, False), ("2", False, False),
        ("3", True, True), ("3.x", True, True), ("1.*", False, False), (">=2", False, False),
        (">=3", True, True), ("<0.3.0", True, True), ("=1.5.0", False, False),
        ("=2.0.0-rc.1", False, False), ("=2.0.0-rc.2", True, True), ("latest", False, False),
        ("*", False, False), (">=9 <10", False, False), ("9 || 1", False, False),
        (">=1.0.0, <1.2.0", False, False), ("workspace:*", False, False),
    ],
)  # fmt: skip
def test_of_npm_and_cargo(wanted: str, npm: bool, cargo: bool) -> None:
    assert (lacks(Ecosystem.NPM, wanted, SEMVER), lacks(Ecosystem.CARGO, wanted, SEMVER)) == (
        npm, cargo,
    )  # fmt: skip


def test_a_package_whose_versions_nobody_can_read_lacks_none() -> None:
    assert not lacks(Ecosystem.PYPI, "==1", ["2004d"])
    assert not lacks(Ecosystem.NPM, "9.9.9", ["latest"])
    assert not lacks(Ecosystem.NPM, "9.9.9", [])


def test_the_newest_is_rather_no_pre_release() -> None:
    assert newest(Ecosystem.PYPI, PYPI) == "2.31.0"
    assert newest(Ecosystem.CARGO, SEMVER) == "1.5.0+build"
    assert newest(Ecosystem.NPM, ["1.0.0-beta"]) == "1.0.0-beta"
