"""One package as a user writes it."""

from __future__ import annotations

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, PackageRef, RefKind
from ghostbust.registries.names import purl_of, ref_of

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


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("left-pad@nmp", "'nmp' is none; did you mean left-pad@npm?"),
        ("requests@PyPI", "'PyPI' is none; did you mean requests@pypi?"),
        ("left-pad@^1.3.0", "'^1.3.0' is none; known are pypi, npm"),
        ("serde@cargo", "'cargo' is none; known are pypi, npm"),
        ("@types/node@nmp", "did you mean @types/node@npm?"),
    ],
)
@pytest.mark.parametrize("ecosystem", [PYPI, NPM])
def test_an_ecosystem_that_is_none_is_what_is_named(
    spec: str, said: str, ecosystem: Ecosystem
) -> None:
    with pytest.raises(UsageError) as caught:
        ref_of(spec, ecosystem)
    assert said in str(caught.value)


def test_an_address_with_a_tag_comes_from_elsewhere() -> None:
    assert ref_of("thing @ git+https://files.example.test/thing.git@v1.0") is None


@pytest.mark.parametrize(
    ("spec", "ecosystem", "name"),
    [
        ("left-pad", NPM, "left-pad"),
        ("Base64", NPM, "Base64"),
        ("requests@pypi", PYPI, "requests"),
        ("pkg:pypi/requests", PYPI, "requests"),
        ("@types/node", NPM, "@types/node"),
    ],
)
def test_a_name_that_says_no_ecosystem_is_of_the_given_one(
    spec: str, ecosystem: Ecosystem, name: str
) -> None:
    ref = ref_of(spec, NPM)
    assert ref is not None
    assert (ref.ecosystem, ref.name) == (ecosystem, name)
