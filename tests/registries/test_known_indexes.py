"""Which indexes are public, and which the user's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from ghostbust.records import Ecosystem
from ghostbust.registries import judge
from ghostbust.registries.judge import KnownIndexes, without_credentials
from ghostbust.registries.npm_config import public_npm

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM
OURS = "https://pypi.example.test/simple"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip and npm ask indexes of the user's own, and nothing of the machine's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"https://me:secret@{OURS.removeprefix('https://')}/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://team.example.test/simple")
    monkeypatch.setenv("npm_config_registry", "https://npm.example.test/")
    monkeypatch.setenv("npm_config_@acme:registry", "https://acme.example.test/npm")


@pytest.mark.parametrize(
    ("ecosystem", "address", "is_public"),
    [
        (PYPI, PYPI_SIMPLE_ENDPOINT, True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.rstrip("/"), True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.replace("://", "://user:pw@"), True),
        (PYPI, PYPI_SIMPLE_ENDPOINT.replace("/simple", ".example.test/simple"), False),
        (PYPI, PYPI_SIMPLE_ENDPOINT.rstrip("/") + "/../zz", False),
        (PYPI, OURS, False),
        (PYPI, "", False),
        (NPM, f"{public_npm()}/left-pad/-/left-pad-1.3.0.tgz", True),
        (NPM, public_npm() + "x/left-pad", False),
        (NPM, "https://[broken", False),
    ],
)  # fmt: skip
def test_the_public_index(ecosystem: Ecosystem, address: str, is_public: bool) -> None:
    assert KnownIndexes(asks=False).is_public(ecosystem, address) is is_public


def test_another_host_of_the_public_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset({hashlib.sha256(b"yarn.example.test").hexdigest()})
    assert not KnownIndexes(asks=False).is_public(NPM, "https://yarn.example.test/x.tgz")
    monkeypatch.setattr(judge, "_OTHER_NPM_HOSTS", known)
    assert KnownIndexes(asks=False).is_public(NPM, "https://yarn.example.test/x.tgz")
    assert not KnownIndexes(asks=False).is_public(PYPI, "https://yarn.example.test/x.tgz")


@pytest.mark.usefixtures("settings")
def test_the_users_own_indexes() -> None:
    known = KnownIndexes(asks=True)
    assert known.is_own(PYPI, OURS, "zz")
    assert known.is_own(PYPI, "https://team.example.test/simple/", "zz")
    assert not known.is_own(PYPI, "https://other.example.test/simple", "zz")
    assert known.is_own(NPM, "https://npm.example.test/zz/-/zz-1.tgz", "zz")
    assert known.is_own(NPM, "https://acme.example.test/npm", "@acme/ui")
    assert not known.is_own(NPM, "https://acme.example.test/npm", "zz")


@pytest.mark.usefixtures("settings")
def test_where_nobody_is_asked_no_index_is_the_users_own() -> None:
    assert not KnownIndexes(asks=False).is_own(PYPI, OURS, "zz")


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("https://u:p@X.example.test/a/?token=1#b", "https://x.example.test/a"),
        ("git+ssh://u:p@git.example.test/a.git", "git+ssh://git.example.test/a.git"),
        ("./wheels", "./wheels"),
        ("https://[broken", ""),
    ],
)
def test_addresses_are_shown_without_credentials(address: str, bare: str) -> None:
    assert without_credentials(address) == bare
