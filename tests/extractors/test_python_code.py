"""Imports in Python code, whole or broken: names, exact places, flags."""

from __future__ import annotations

import pytest

from ghostbust.extractors.python import PythonExtractor, has_imports
from ghostbust.records import Flag, PackageRef, RefKind


def found(code: str) -> list[PackageRef]:
    refs = list(PythonExtractor().find(code, 5))
    for ref in refs:
        assert code[ref.start - 5 : ref.end - 5] == ref.raw
    return sorted(refs, key=lambda ref: ref.start)


BROKEN = "\n)(\n"
"""makes any code unparsable as a whole"""

IMPORTS = [
    ("import requests", [("requests", "requests")]),
    ("import a.b as c, d", [("a", "a.b"), ("d", "d")]),
    ("from a.b import c", [("a", "a.b")]),
    ("from a import b, c, d", [("a", "a")]),
    ("from a import *", [("a", "a")]),
    ("from  \\\n a . b import c", [("a", "a.b")]),
    ("from a import (\n    b,  # one\n    c,\n)", [("a", "a")]),
    ("import a; import b", [("a", "a"), ("b", "b")]),
    ("def f():\n    import a\n    from b import c", [("a", "a"), ("b", "b")]),
    ("x = 'größe 🎉'; import a", [("a", "a")]),
    ("if True:\r\n    import a\r\nimport b", [("a", "a"), ("b", "b")]),
    ("importlib.import_module('x.y')", [("x", "x.y")]),
    ('import_module(name="x")', [("x", "x")]),
    ('import_module(package="x")', []),
    ("m = __import__('x')", [("x", "x")]),
    ("importlib.import_module(name)", []),
    ("importlib.import_module('.x', 'y')", []),
    ("importlib.import_module(f'{x}.y')", []),
    ("from . import a\nfrom .b import c\nfrom ..d import e", []),
    ("'''\nimport a\n'''", []),
    ("# import a", []),
    ("x = 'import a'", []),
    ("import 包", [("包", "包")]),
]


@pytest.mark.parametrize(("code", "expected"), IMPORTS)
def test_imports(code: str, expected: list[tuple[str, str]]) -> None:
    assert [(ref.raw, ref.import_name) for ref in found(code)] == expected


@pytest.mark.parametrize(("code", "expected"), IMPORTS)
def test_imports_in_code_that_does_not_parse(code: str, expected: list[tuple[str, str]]) -> None:
    assert [(ref.raw, ref.import_name) for ref in found(code + BROKEN)] == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a\nprint 'old'\nimport b", ["a", "b"]),
        ("import a\ndef f(x:\n    return\nimport b", ["a", "b"]),
        ("import a\nx = [1, 2\nfrom b import c\n", ["a", "b"]),
        ("import a\nx = 'unclosed\nimport b", ["a", "b"]),
        (">>> import a\n>>> from b import c\n1", ["a", "b"]),
        ("pip install x1\nimport a", ["x1", "a"]),
        ("  import a\nimport b", ["a", "b"]),
        ("try: import a\nexcept: pass\n)", ["a"]),
        ('"""doc\nimport no\n"""\nimport a\n)', ["a"]),
        ('import a\n"""cut\nimport no', ["a"]),
        ("import a\nfrom b import (c,\n", ["a", "b"]),
        ("import a\nfrom b import c,", ["a", "b"]),
        ("import a\nfrom b.c imp", ["a", "b"]),
        ("import a\nfrom b", ["a", "b"]),
        ("import a\nimport b, c,", ["a", "b", "c"]),
        ("import a\nimport b as", ["a", "b"]),
        ("import a\nimport b.", ["a", "b"]),
        ("import a\nimport", ["a"]),
        ("import a\nfrom", ["a"]),
        ("import a\nimport React from 'react'\n", ["a"]),
        ("import { x } from 'y'\nimport 'z'\n", []),
        ("import opencv-python\n", []),
        ("if x: import a; y = (\nz", ["a"]),
        ("x = (; import a; from b import c; 1", ["a", "b"]),
        ("x = 'and; import no' + (", []),
        ("x = ( # so: import no", []),
        ("m = __import__('a'\nimport_module( \"b.c\"", ["a", "b"]),
        ("my_import_module('a'", []),
        ("import_module(name", []),
        ("import a.b.\nx = (", ["a"]),
        ("import a as b,\nx = (", ["a"]),
        ("import data.\nx = (", []),
        ("import a as 1b\nx = (", ["a"]),
        (">>> for x in y:\n...     import a\n...\n1", ["a"]),
    ],
)
def test_broken_code(code: str, expected: list[str]) -> None:
    assert [ref.raw for ref in found(code)] == expected


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


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("!pip install a1 b1\nimport c", ["a1", "b1", "c"]),
        ("%pip install -q a1\nimport c\n!ls", ["a1", "c"]),
        ("if x:\n    !pip install a1\nimport c", ["a1", "c"]),
        ("!pip install a1 \\\n  b1\nimport c", ["a1", "b1", "c"]),
        ("%%bash\npip install a1\npip install b1", ["a1", "b1"]),
        ("!pip install a1\nimport c\nx = (", ["a1", "c"]),
        ("# pip install a1 for c\nimport c", ["a1", "c"]),
        ("# !pip install no\n#%pip install no\nimport c", ["c"]),
        ("# !pip install no\nimport c\nx = (", ["c"]),
        ('"""Needs:\n    pip install a1\n"""\nimport c', ["a1", "c"]),
        ("os.system('pip install a1')", ["a1"]),
        ("run('pip install a1'.split(), no=1)", ["a1"]),
        ("run(f\"pip install {' '.join(x)}\", no=True)", []),
        ("x = 'pip install' ; no = 'it'", []),
        ("subprocess.run([sys.executable, '-m', 'pip', 'install', '-U', 'a1==2', b])", ["a1"]),
        ("subprocess.run(('pip', 'install', *names))", []),
    ],
)
def test_install_commands_in_code(code: str, expected: list[str]) -> None:
    refs = found(code)
    assert [ref.raw for ref in refs] == expected
    assert {ref.raw for ref in refs if ref.kind is RefKind.INSTALL} == {"a1", "b1"} & {*expected}


def test_columns_are_code_points() -> None:
    (ref,) = PythonExtractor().find("s = 'äöü🎉'; import rich", 0)
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
