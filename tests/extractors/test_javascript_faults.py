"""Modules in statements that aren't valid JavaScript."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.javascript_syntax import loose_imports

FAULTY = [
    "import { a from 'x';", "import a, b } from 'x';", "import a 'x';", "import { a } 'x'",
    "import a fom 'x';", "import a form 'x'", "import a from from 'x'", "import a from 'x",
    "import a from x';", "import a from 'x;", "import a from \"x'", "import a from 'x',",
    "import a from 'x')", "import a from ('x');", "import a from x;", "import { a } from x",
    "import * as a from x", "import 'x", "import {\n  a\nfrom 'x';", "import {\n  a\n} 'x';",
    "import { a } = require('x');", "import a = require('x'", "import a from “x”;",
    "import { type A, B from 'x';", "export { a from 'x';", "Import a from 'x';",
    "from 'x' import a;", "const { a } from 'x';", "const a from 'x';", "let a = require('x'",
    "const a = require 'x';", "const a = require('x);", "const a = require(x');",
    "const a = require{'x'};", "const a = require(“x”);", "const { a = require('x');",
    "const a = await import('x'", "const a = await import('x;",
]  # fmt: skip
NOTHING = [
    "const a = Array.from('x'", "const a = from('x'", "console.log(\"use require('x'\"",
    "const q = query(\"select * from 'x'\"", "import the data from 'x the old' place",
    "import data from x", "import the data from x;", "const a = requre('x');", "jest.mock('x'",
    "export default 'x", "import pandas as pd\nprint('x')", "import pandas\nprint('x')",
    "import a from <x>;", "const a = foo.require('x'", "// import { a from 'x'", "require('')",
    "use 'x'", "from x import a", "import a", "",
]  # fmt: skip


@pytest.mark.parametrize("statement", FAULTY)
def test_a_fault_hides_no_module(statement: str) -> None:
    text = f"```js\n{statement}\nconst app = express();\nconst y = 'z';\n```\n"
    refs = extract(text)
    assert [(ref.raw, ref.flags - {"type-checking"}) for ref in refs] == [("x", frozenset())]
    assert text[refs[0].start : refs[0].end] == "x"


@pytest.mark.parametrize("statement", NOTHING)
def test_what_loads_nothing(statement: str) -> None:
    assert list(loose_imports(statement)) == []
    assert extract(statement + "\nfoo(", language=Language.JAVASCRIPT) == []


def test_all_modules_of_a_statement_are_read() -> None:
    found = list(loose_imports("var a = require('x'), b = require(\"y\" /* z */, c = import('z'"))
    assert [(item.is_closed, item.is_call) for item in found] == [(True, True)] * 3
    refs = extract("import a from 'x' import b from 'y'\nfoo(", language=Language.JAVASCRIPT)
    assert [ref.raw for ref in refs] == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import { a from 'x';\nconst b = a();\n", ["x"]),
        ("let a = require('x'\nconst b = a();\n", ["x"]),
        ("```\nimport { a from '@s/x';\na();\n```", ["@s/x"]),
        ("Now import a from 'x;\n", []),
        ("import * from 'x' and be done\n", []),
        ("import a from x;\n", []),
        ("let a = require('x', b\n", []),
    ],
)
def test_only_what_is_plain_counts_without_a_label(text: str, expected: list[str]) -> None:
    assert [ref.raw for ref in extract(text)] == expected


def test_a_text_that_breaks_off_marks_the_name() -> None:
    (ref,) = extract("const { a } from 'x", language=Language.JAVASCRIPT)
    assert ref.flags == {"truncated"}


@pytest.mark.parametrize(
    "part",
    ["import from ", "const x = 'a' from ", "require 'a ", "from a))) ", "import x from a; ", "“",
     "'\"`"],
)  # fmt: skip
@pytest.mark.usefixtures("hang_guard")
def test_takes_linear_time(part: str) -> None:
    source = part * (300_000 // len(part))
    list(loose_imports(source))
