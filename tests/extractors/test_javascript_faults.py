"""JavaScript that isn't valid: its statements, and the modules they load; see also assets/rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.javascript_faults import loose_imports, pieces

NOTHING = [
    "const a = Array.from('x'", "const a = from('x'", "console.log(\"use require('x'\"",
    "const q = query(\"select * from 'x'\"", "import the data from 'x the old' place",
    "import data from x", "import the data from x;", "const a = requre('x');", "jest.mock('x'",
    "export default 'x", "import pandas as pd\nprint('x')", "import pandas\nprint('x')",
    "import a from <x>;", "const a = foo.require('x'", "// import { a from 'x'", "require('')",
    "use 'x'", "from x import a", "import a", "",
]  # fmt: skip


@pytest.mark.parametrize("statement", NOTHING)
def test_what_loads_nothing(statement: str) -> None:
    assert list(loose_imports(statement)) == []
    assert extract(statement + "\nfoo(", language=Language.JAVASCRIPT) == []


def test_all_modules_of_a_statement_are_read() -> None:
    found = list(loose_imports("var a = require('x'), b = require(\"y\" /* z */, c = import('z'"))
    assert [(item.is_closed, item.is_call) for item in found] == [(True, True)] * 3
    refs = extract("import a from 'x' import b from 'y'\nfoo(", language=Language.JAVASCRIPT)
    assert [ref.raw for ref in refs] == ["x", "y"]


def test_a_text_that_breaks_off_marks_the_name() -> None:
    (ref,) = extract("const { a } from 'x", language=Language.JAVASCRIPT)
    assert ref.flags == {"truncated"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a from 'b'", [("import a from 'b'", True)]),
        ("x\n  import 'b';\ny", [("import 'b';", True)]),
        ("import {\n  a,\n  c\n} from 'b'\nd", [("import {\n  a,\n  c\n} from 'b'", True)]),
        ("import a\nfrom 'b'", [("import a\nfrom 'b'", True)]),
        ("export * from \"b\"", [("export * from \"b\"", True)]),
        ("export {\na } from 'b'", [("export {\na } from 'b'", True)]),
        ("const a = require('b')", [("const a = require('b')", True)]),
        ("const {\n a\n} = require('b')", [("const {\n a\n} = require('b')", True)]),
        ("  a: require('b'),", [("a: require('b'),", False)]),
        ("await import('b')", [("await import('b')", False)]),
        ("> const a = require('b')", [("const a = require('b')", True)]),
        ("import {\nimport a from 'b'", [("import a from 'b'", True)]),
        ("import {\n\na from 'b'", []),
        ("import numpy\nas np 'b'", [("import numpy\nas np 'b'", True)]),
        ("import the data from there.\n'b'", [("import the data from there.", False)]),
        ("from 'b' import a", [("from 'b' import a", False)]),
        ("const a from 'b'", [("const a from 'b'", False)]),
        ("const a from b", []),
        ("imports 'b'", []),
        ("// require('b')", []),
        ("* require('b')", []),
        ("exports.x = 'b'", []),
        ("", []),
    ],
)  # fmt: skip
def test_pieces(text: str, expected: list[tuple[str, bool]]) -> None:
    found = [(text[piece.start : piece.end], piece.is_statement) for piece in pieces(text)]
    assert found == expected


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["import ", "{", "\n", "a,", " 'b'", "const ", "require(", "> "])))
def test_pieces_are_in_order_and_apart(parts: list[str]) -> None:
    text = "".join(parts)
    behind = 0
    for piece in pieces(text):
        assert behind <= piece.start < piece.end <= len(text)
        behind = piece.end
