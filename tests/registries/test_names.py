"""Names as the registries spell them."""

from __future__ import annotations

import pytest

from ghostbust.records import Ecosystem
from ghostbust.registries.names import canonical_name, is_valid_name, purl


@pytest.mark.parametrize(
    ("ecosystem", "written", "canonical"),
    [
        (Ecosystem.PYPI, "Flask_SQLAlchemy", "flask-sqlalchemy"),
        (Ecosystem.PYPI, "zope.interface", "zope-interface"),
        (Ecosystem.PYPI, " requests ", "requests"),
        (Ecosystem.NPM, "@Scope/Name", "@Scope/Name"),
        (Ecosystem.NPM, "JSONStream", "JSONStream"),
        (Ecosystem.CONDA, "PyTables_x", "pytables_x"),
    ],
)
def test_canonical_name(ecosystem: Ecosystem, written: str, canonical: str) -> None:
    assert canonical_name(ecosystem, written) == canonical


@pytest.mark.parametrize("name", ["a", "requests", "zope.interface", "0-0-1", "A_b"])
def test_valid_on_pypi(name: str) -> None:
    assert is_valid_name(Ecosystem.PYPI, name)


@pytest.mark.parametrize("name", ["", "my package", "-x", "x-", "café", "a/b", "<package>", "a!"])
def test_not_valid_on_pypi(name: str) -> None:
    assert not is_valid_name(Ecosystem.PYPI, name)


@pytest.mark.parametrize("name", ["react", "@types/node", "JSONStream", "lodash.get", "_", "-"])
def test_valid_on_npm(name: str) -> None:
    assert is_valid_name(Ecosystem.NPM, name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "./local", "../up", "@/alias", "@scope", "a/b", "a b", "@a/b/c", ".hidden",
     "node_modules", "x" * 215, "@scope/..", "name@1.0"],
)  # fmt: skip
def test_not_valid_on_npm(name: str) -> None:
    assert not is_valid_name(Ecosystem.NPM, name)


def test_valid_on_conda() -> None:
    names = ["numpy", "_libgcc_mutex", "r-base", "a b", "", "@a/b", "Numpy"]
    assert [is_valid_name(Ecosystem.CONDA, name) for name in names] == [True] * 3 + [False] * 4


def test_purl() -> None:
    assert purl(Ecosystem.CONDA, "numpy") == "pkg:conda/numpy"
    assert purl(Ecosystem.PYPI, "requests") == "pkg:pypi/requests"
    assert purl(Ecosystem.NPM, "react") == "pkg:npm/react"
    assert purl(Ecosystem.NPM, "@scope/name") == "pkg:npm/%40scope/name"
