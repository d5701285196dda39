"""Names at the start of requirements, and placeholders."""

from __future__ import annotations

import pytest

from ghostbust.extractors.names import canonical, is_placeholder, read_requirement, scan_name
from ghostbust.records import Ecosystem

PYPI, NPM, CONDA = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CONDA


@pytest.mark.parametrize(
    ("word", "ecosystem", "name"),
    [
        ("requests", PYPI, "requests"),
        ("zope.interface>=5", PYPI, "zope.interface"),
        ("a-b_c.d-", PYPI, "a-b_c.d"),
        ("3to2", PYPI, "3to2"),
        ("3.11", PYPI, ""),
        ("_x", PYPI, ""),
        ("-x", PYPI, ""),
        ("é", PYPI, ""),
        ("x.whl", PYPI, ""),
        ("ruamel.yaml", PYPI, "ruamel.yaml"),
        ("x" * 101, PYPI, ""),
        ("@a/b@1", NPM, "@a/b"),
        ("@a", NPM, ""),
        ("@/b", NPM, ""),
        ("@a/b", PYPI, ""),
    ],
)
def test_scan_name(word: str, ecosystem: Ecosystem, name: str) -> None:
    assert word[: scan_name(word, ecosystem)] == name


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("requests[security]==2.*", "requests"),
        ("requests[", "requests"),
        ("requests[a](x)", None),
        ("requests ; os_name == 'nt'", "requests"),
        ("requests===1", "requests"),
        ("requests>", None),
        ("requests@latest", "requests"),
        ("requests @ https://example.test/x", None),
        ("C:\\x", None),
        ("a/b", None),
        ("a:b", None),
        ("requests\\nmore", "requests"),
        ("", None),
    ],
)
def test_read_requirement(word: str, name: str | None) -> None:
    requirement = read_requirement(word, PYPI)
    assert (requirement and requirement.name) == name


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("a1", False),
        ("a1.", True),
        ("a1`", True),
        ("a1,", True),
        ("a1==1.", True),
        ("a1'", False),
        ('a1"}}', True),
        ('a1"],', True),
    ],
)
def test_punctuation_ends_the_sentence(word: str, ends: bool) -> None:
    requirement = read_requirement(word, PYPI)
    assert requirement is not None
    assert requirement.ends_sentence is ends


@pytest.mark.parametrize(
    "name",
    ["your-package", "YOUR_PACKAGE_NAME", "your-tool", "package", "package_name", "my-package",
     "some.library", "package1", "name-of-package", "foo", "the-library-name", "SomePackage",
     "someproject", "mypackage", "yourplugin", "pkgname", "name-of-the-plugin", "foo-bar",
     "some-plugin", "lib2", "@scope/name", "@your-org/ui", "@my-scope/core"],
)  # fmt: skip
def test_placeholders(name: str) -> None:
    assert is_placeholder(name)


@pytest.mark.parametrize(
    "name",
    [
        "requests",
        "mypy",
        "my-tool",
        "mylar",
        "lib2to3",
        "pluggy",
        "foobarbaz",
        "@types/node",
        "exampleware",
        "packaging",
        "python-package",
        "namex",
        "foolbox",
        "example",
    ],
)
def test_no_placeholders(name: str) -> None:
    assert not is_placeholder(name)


@pytest.mark.parametrize(
    ("word", "ecosystem", "name"),
    [
        ("x@npm:y@1", NPM, "y"),
        ("@a/x@npm:@b/y", NPM, "@b/y"),
        ("npm:y", NPM, "y"),
        ("x@jsr:@b/y", NPM, None),
        ("git+npm:y", NPM, None),
        ("conda-forge::numpy=1", CONDA, "numpy"),
        ("numpy[version='>=1']", CONDA, None),
        ("x@npm:y", PYPI, None),
    ],
)
def test_what_may_stand_in_front_of_a_name(
    word: str, ecosystem: Ecosystem, name: str | None
) -> None:
    found = read_requirement(word, ecosystem)
    assert (found and found.name) == name
    assert found is None or word[found.start : found.end] == name


def test_canonical() -> None:
    assert canonical(CONDA, "PyTables_X") == "pytables_x"
    assert canonical(PYPI, "Zope..Interface_X") == "zope-interface-x"
    assert canonical(NPM, "@Scope/Name_x") == "@Scope/Name_x"
