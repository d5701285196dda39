"""Names as the registries spell them and as users write them, and what languages bring along."""

from __future__ import annotations

import sys

import pytest

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, PackageRef, RefKind
from ghostbust.registries.names import (
    canonical_name,
    is_builtin,
    is_valid_name,
    public_npm,
    purl,
    purl_of,
    ref_of,
)

PYPI, NPM, CONDA = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CONDA


@pytest.mark.parametrize(
    ("ecosystem", "written", "canonical"),
    [
        (PYPI, "Flask_SQLAlchemy", "flask-sqlalchemy"),
        (PYPI, "zope.interface", "zope-interface"),
        (PYPI, " requests ", "requests"),
        (NPM, "@Scope/Name", "@Scope/Name"),
        (NPM, "JSONStream", "JSONStream"),
        (CONDA, "PyTables_x", "pytables_x"),
    ],
)
def test_canonical_name(ecosystem: Ecosystem, written: str, canonical: str) -> None:
    assert canonical_name(ecosystem, written) == canonical


@pytest.mark.parametrize(
    ("ecosystem", "valid", "invalid"),
    [
        (PYPI, ["a", "requests", "zope.interface", "0-0-1", "A_b"],
         ["", "my package", "-x", "x-", "café", "a/b", "<package>", "a!"]),
        (NPM, ["react", "@types/node", "JSONStream", "lodash.get", "_", "-"],
         ["", ".", "..", "./local", "../up", "@/alias", "@scope", "a/b", "a b", "@a/b/c",
          ".hidden", "node_modules", "x" * 215, "@scope/..", "name@1.0"]),
        (CONDA, ["numpy", "_libgcc_mutex", "r-base"], ["a b", "", "@a/b", "Numpy"]),
    ],
)  # fmt: skip
def test_valid_names(ecosystem: Ecosystem, valid: list[str], invalid: list[str]) -> None:
    assert [name for name in valid + invalid if is_valid_name(ecosystem, name)] == valid


def test_purl() -> None:
    assert public_npm().startswith("https://")
    assert public_npm().count("/") == 2, "an address without a path"
    assert purl(CONDA, "numpy") == "pkg:conda/numpy"
    assert purl(PYPI, "requests") == "pkg:pypi/requests"
    assert purl(NPM, "@scope/name") == "pkg:npm/%40scope/name"
    good = PackageRef(NPM, RefKind.LIST, "@a/b", 0, 4, "@a/b")
    assert purl_of(good) == "pkg:npm/%40a/b"
    unmapped = PackageRef(PYPI, RefKind.IMPORT, "x", 0, 1, None, "x")
    built_in = PackageRef(PYPI, RefKind.IMPORT, "os", 0, 2, "os", "os", builtin=True)
    invalid = PackageRef(NPM, RefKind.LIST, "a b", 0, 3, "a b")
    assert [purl_of(ref) for ref in (unmapped, built_in, invalid)] == [None, None, None]


@pytest.mark.parametrize(
    ("spec", "of", "ecosystem", "name"),
    [
        ("requests", PYPI, PYPI, "requests"),
        ("Flask_Cors", PYPI, PYPI, "flask-cors"),
        (" requests[socks]>=2 ; python_version > '3.8'", PYPI, PYPI, "requests"),
        ("left-pad@npm", PYPI, NPM, "left-pad"),
        ("requests@pypi", PYPI, PYPI, "requests"),
        ("@types/node@npm", PYPI, NPM, "@types/node"),
        ("@types/node", PYPI, NPM, "@types/node"),
        ("pkg:npm/%40types/node", PYPI, NPM, "@types/node"),
        ("pkg:pypi/Requests@2.0", PYPI, PYPI, "requests"),
        ("left-pad", NPM, NPM, "left-pad"),
        ("Base64", NPM, NPM, "Base64"),
        ("requests@pypi", NPM, PYPI, "requests"),
        ("pkg:pypi/requests", NPM, PYPI, "requests"),
        ("@types/node", NPM, NPM, "@types/node"),
    ],
)
def test_what_a_user_writes(spec: str, of: Ecosystem, ecosystem: Ecosystem, name: str) -> None:
    ref = ref_of(spec, of)
    assert ref is not None
    assert (ref.ecosystem, ref.name) == (ecosystem, name)


@pytest.mark.parametrize(
    "spec",
    ["thing @ https://files.example.test/thing.whl",
     "thing @ git+https://files.example.test/thing.git@v1.0"],
)  # fmt: skip
def test_what_comes_from_elsewhere_is_no_ref(spec: str) -> None:
    assert ref_of(spec) is None


@pytest.mark.parametrize(
    "spec",
    ["", "two words", "a@gems", "a@conda", "pkg:gem/rails", "pkg:conda/numpy", "pkg:", "-x"],
)
def test_what_is_no_name(spec: str) -> None:
    with pytest.raises(UsageError):
        ref_of(spec)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("left-pad@nmp", "'nmp' after @ is no ecosystem; did you mean left-pad@npm?"),
        ("requests@PyPI", "'PyPI' after @ is no ecosystem; did you mean requests@pypi?"),
        ("left-pad@^1.3.0", "'^1.3.0' after @ is no ecosystem; known are pypi, npm"),
        ("rails@gem", "'gem' after @ is no ecosystem; known are pypi, npm, cargo"),
        ("@types/node@nmp", "did you mean @types/node@npm?"),
    ],
)
@pytest.mark.parametrize("ecosystem", [PYPI, NPM])
def test_a_wrong_ecosystem_is_what_is_named(spec: str, said: str, ecosystem: Ecosystem) -> None:
    with pytest.raises(UsageError) as caught:
        ref_of(spec, ecosystem)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("ecosystem", "builtin", "packages"),
    [
        (PYPI,
         ["os", "os.path", "concurrent.futures", "__future__", "_thread", "distutils", "imp",
          "asyncore", "tomllib", "annotationlib", "urllib2", "Tkinter", "ConfigParser",
          "unittest.mock", "dummy-threading", "importlib", *sys.stdlib_module_names],
         ["requests", "future", "main", "thread", "attr", "setuptools"]),
        (NPM,
         ["fs", "fs/promises", "node:fs", "node:test", "worker_threads", "bun:test", "bun:sqlite",
          "deno:x", "cloudflare:workers"],
         ["test", "sqlite", "fs-extra", "@types/node", "lodash/fs", "os-x", "bun"]),
    ],
)  # fmt: skip
def test_what_is_built_in(ecosystem: Ecosystem, builtin: list[str], packages: list[str]) -> None:
    assert [one for one in builtin + packages if is_builtin(ecosystem, one)] == builtin
