"""Python code, whole or broken; see also assets/rows."""

from __future__ import annotations

import warnings
from importlib.resources import files

import pytest
from packaging.utils import canonicalize_name

from ghostbust.extractors.python import distribution_of, has_imports, parse, python_refs
from ghostbust.records import Flag, PackageRef, known_modules


def found(code: str) -> list[PackageRef]:
    refs = list(python_refs(code, 5))
    for ref in refs:
        assert code[ref.start - 5 : ref.end - 5] == ref.raw
    return sorted(refs, key=lambda ref: ref.start)


BROKEN = "\n)(\n"
"""makes any code unparsable as a whole"""


@pytest.mark.parametrize("tail", ["", BROKEN])
def test_optional_and_type_checking(tail: str) -> None:
    code = (
        "import a\n"
        "try:\n    import b\nexcept ImportError:\n    import c\n"
        "try:\n    import d\nexcept ValueError:\n    pass\n"
        "if TYPE_CHECKING:\n    import e\n"
        "try:\n    import f\nexcept (KeyError, ModuleNotFoundError):\n    f = None\n"
    )
    flags = {ref.raw: ref.flags for ref in found(code + tail)}
    assert flags["a"] == flags["d"] == frozenset()
    assert flags["b"] == flags["f"] == {Flag.OPTIONAL}
    assert flags["e"] == {Flag.TYPE_CHECKING}


def test_names_come_from_the_table_else_from_the_module() -> None:
    code = "import cv2, Unknown_Thing\nfrom google.cloud import storage\nimport google.cloud"
    assert [(ref.raw, ref.name) for ref in found(code)] == [
        ("cv2", "opencv-python"),
        ("Unknown_Thing", "unknown-thing"),
        ("google", "google-cloud-storage"),
        ("google", None),
    ]


def test_one_import_of_two_distributions() -> None:
    refs = found("from google.cloud import storage, bigquery, storage_v9")
    assert [(ref.raw, ref.name, ref.import_name) for ref in refs] == [
        ("google", "google-cloud-storage", "google.cloud.storage"),
        ("bigquery", "google-cloud-bigquery", "google.cloud.bigquery"),
        ("storage_v9", None, "google.cloud.storage_v9"),
    ]


def test_standard_library_is_builtin() -> None:
    refs = found("import os.path, distutils.core, requests\nfrom __future__ import annotations")
    assert {ref.raw: ref.builtin for ref in refs} == {
        "os": True,
        "distutils": True,
        "requests": False,
        "__future__": True,
    }
    assert refs[0].name == "os"


def test_columns_are_code_points() -> None:
    (ref,) = python_refs("s = 'äöü🎉'; import rich", 0)
    assert (ref.start, ref.end) == (19, 23)


def test_deep_code_does_not_raise() -> None:
    deep = "x = " + "(" * 5000 + ")" * 5000 + "\nimport a"
    assert [ref.raw for ref in found(deep)] == ["a"]
    assert [ref.raw for ref in found("import a\nx = " + "-" * 50_000 + "1")] == ["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("First:\nimport requests\n", True),
        ("from a import b", True),
        ("from a import (\n  b)", True),
        ("import the data from here", False),
        ("import java.util.List;", False),
        ("You import requests", False),
        ("requests\nnumpy", False),
    ],
)
def test_has_imports(text: str, expected: bool) -> None:
    assert has_imports(text) is expected


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import a\n\nimport b", ["a", "b"]),
        ("f(\nimport x\nimport b", ["x", "b"]),
        ("f(\nfrom x import y", ["x"]),
        ("(yield\nfrom x)", []),
        ("a = '''\nimport no\n'''\nimport b", ["b"]),
        ("a \\\n+ b\nimport c", ["c"]),
        ("a = '(' # (\nimport b", ["b"]),
        ("# import no\nimport b", ["b"]),
        ("    import a\n  import b", ["a", "b"]),
        (">>> import a\n...   import b", ["a", "b"]),
        ("'''open\nimport a", []),
        ("x = (\nif y: import a\n", ["a"]),
        ("x = (; import a; from b import c; 1", ["a", "b"]),
        ("x = 'so: import no'; import a; (", ["a"]),
        ("y = __import__('a', fromlist=[", ["a"]),
        ("x = (1 # so: import no", []),
    ],
)
def test_the_lines_of_broken_code(code: str, names: list[str]) -> None:
    broken = code if parse(code) is None else f"{code}\n)("
    assert [ref.raw for ref in found(broken)] == names


@pytest.mark.parametrize("source", ["x = (", "a\0b", "\ud800", "(" * 1000])
def test_parse_returns_none(source: str) -> None:
    assert parse(source) is None


def test_parse_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse("x = '\\d' if 1 is 1 else 0") is not None


def test_many_indented_imports_take_time_in_proportion() -> None:
    refs = found("if TYPE_CHECKING:\n" + "    import a\n" * 20_000 + ")")
    assert [ref.flags for ref in refs] == [{Flag.TYPE_CHECKING}] * 20_000


def test_namespaces_are_known_but_nobodys() -> None:
    assert distribution_of("google.cloud.invented") == distribution_of("kaggle_secrets") == ""
    assert distribution_of("google.cloud.storage") == "google-cloud-storage"
    assert distribution_of("requests") is None


def rows(name: str) -> list[list[str]]:
    text = files("ghostbust.data").joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("name", "least"), [("import_names.tsv", 800), ("import_facts.tsv", 40)])
def test_the_tables_are_canonical_sorted_and_without_repeats(name: str, least: int) -> None:
    table = rows(name)
    modules = [row[0] for row in table]
    assert len(table) >= least
    assert modules == sorted(modules, key=lambda module: (module.lower(), module))
    assert len(set(modules)) == len(modules)
    assert all(part.isidentifier() for module in modules for part in module.split("."))
    assert all(canonicalize_name(row[1]) == row[1] for row in table)


def test_the_tables_hold_no_row_that_says_nothing() -> None:
    for module, distribution in known_modules().items():
        assert "." in module or canonicalize_name(module) != distribution, module


def test_what_is_written_by_hand_comes_first_and_the_rest_is_there() -> None:
    known = known_modules()
    hand = {row[0]: row[1] for row in rows("import_names.tsv")}
    made = {row[0]: row[1] for row in rows("import_facts.tsv")}
    assert {**made, **hand} == known
    assert set(made) - set(hand), "then the made table would be of no use"


def test_ambiguous_names_have_a_note() -> None:
    noted = {row[0] for row in rows("import_names.tsv") if len(row) == 3}
    assert {"serial", "usb", "jwt", "attr", "docx", "fitz", "cv2"} <= noted
