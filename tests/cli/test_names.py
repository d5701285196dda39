"""One package as a user writes it."""

from __future__ import annotations

import pytest

from ghostbust.cli.names import purl_of, ref_of
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, PackageRef, RefKind

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM


@pytest.mark.parametrize(
    ("spec", "ecosystem", "name"),
    [
        ("requests", PYPI, "requests"),
        ("Flask_Cors", PYPI, "flask-cors"),
        (" requests[socks]>=2 ; python_version > '3.8'", PYPI, "requests"),
        ("left-pad@npm", NPM, "left-pad"),
        ("requests@pypi", PYPI, "requests"),
        ("@types/node@npm", NPM, "@types/node"),
        ("@types/node", NPM, "@types/node"),
        ("pkg:npm/%40types/node", NPM, "@types/node"),
        ("pkg:pypi/Requests@2.0", PYPI, "requests"),
    ],
)
def test_ref_of(spec: str, ecosystem: Ecosystem, name: str) -> None:
    ref = ref_of(spec)
    assert ref is not None
    assert (ref.ecosystem, ref.name) == (ecosystem, name)


def test_what_comes_from_elsewhere_is_no_ref() -> None:
    assert ref_of("thing @ https://files.example.test/thing.whl") is None


@pytest.mark.parametrize(
    "spec",
    ["", "two words", "a@cargo", "a@conda", "pkg:cargo/serde", "pkg:conda/numpy", "pkg:", "-x"],
)
def test_what_is_no_name(spec: str) -> None:
    with pytest.raises(UsageError):
        ref_of(spec)


def test_purl_of() -> None:
    good = PackageRef(NPM, RefKind.LIST, "@a/b", 0, 4, "@a/b")
    assert purl_of(good) == "pkg:npm/%40a/b"
    unmapped = PackageRef(PYPI, RefKind.IMPORT, "x", 0, 1, None, "x")
    built_in = PackageRef(PYPI, RefKind.IMPORT, "os", 0, 2, "os", "os", builtin=True)
    invalid = PackageRef(NPM, RefKind.LIST, "a b", 0, 3, "a b")
    assert [purl_of(ref) for ref in (unmapped, built_in, invalid)] == [None, None, None]
