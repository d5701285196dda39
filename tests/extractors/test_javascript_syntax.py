"""What the tree says: specifiers, how they are imported, and what is no code."""

from __future__ import annotations

import pytest

from ghostbust.extractors.javascript_syntax import Grammar, Ranges, read, read_as


def sources(code: str) -> list[str]:
    data = code.encode()
    return [data[i.source.start : i.source.end].decode() for i in read(data).imports]


@pytest.mark.parametrize(
    "code",
    [
        "import a from 'x'", "import * as a from 'x'", "import {a, b as c} from 'x'",
        "import a, {b} from \"x\";", "import 'x'", "import{a}from'x'",
        "import a from 'x' with {t: 'j'}",
        "export * from 'x'", "export * as a from 'x'", "export {a} from 'x'",
        "import('x')", "await import( /* c */ 'x', {})", "import(`x`)", "require('x').b",
        "require.resolve('x')", "import.meta.resolve('x')", "module.require('x')",
        "jest.requireActual('x')", "vi.importActual('x')", "a ? require('x') : b",
        "import a = require('x')", "class A { b = require('x') }", "`${require('x')}`",
        "<A b={require('x')} />", "type A = import('x').B", "if (a) { require('x') }",
        "const a = <string>b; import('x')", "function f<T,>(a: T) { require('x') }",
        "import {a, /* b, */ c} from 'x'", "import a from 'x'\n;[1, 2].map(f)",
        "@Dec() class A { constructor(private a: B) { require('x') } }",
    ],
)  # fmt: skip
def test_one_import(code: str) -> None:
    assert sources(code) == ["x"]
    assert not read(code.encode()).broken


@pytest.mark.parametrize(
    "code",
    [
        "// import a from 'x'", "/* require('x') */", "'import a from \"x\"'", "`import('x')`",
        "import(a)", "import('x' + a)", "import(`x${a}`)", "require(a)", "require()", "require('')",
        "require('a\\x62')", "a.require('x')", "Promise.resolve('x')", "path.resolve('x')",
        "jest.mock('x')", "vi.mock('x')", "define(['x'], f)", "requirejs(['x'])",
        "System.import('x')",
        "export const a = 'x'", "declare module 'x' {}", "<p>import a from 'x'</p>",
        "/// <reference types=\"x\" />", "/require('x')/.test(a)", "obj = {require: 'x'}",
    ],
)  # fmt: skip
def test_no_import(code: str) -> None:
    assert sources(code) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import type A from 'x'", True),
        ("import type {A} from 'x'", True),
        ("import {type A, type B} from 'x'", True),
        ("export type {A} from 'x'", True),
        ("export type * from 'x'", True),
        ("let a: typeof import('x')", True),
        ("type A = import('x').B", True),
        ("interface A { b: import('x').C }", True),
        ("import type a = require('x')", True),
        ("import {type A, B} from 'x'", False),
        ("import {} from 'x'", False),
        ("import type from 'x'", False),
        ("import A, {type B} from 'x'", False),
        ("const a: B = require('x')", False),
    ],
)
def test_types_only(code: str, expected: bool) -> None:
    (found,) = read(code.encode()).imports
    assert found.types_only is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("try { require('x') } catch {}", True),
        ("try { f() } catch (e) { require('x') }", True),
        ("try { (() => { import('x') })() } catch (e) {} finally {}", True),
        ("import('x').catch(() => null)", True),
        ("import('x').then(a => a).catch(() => null)", True),
        ("try { require('x') } finally {}", False),
        ("import('x').then(a => a)", False),
        ("f(require('x')).catch(g)", False),
        ("try {} catch {} require('x')", False),
    ],
)
def test_optional(code: str, expected: bool) -> None:
    (found,) = read(code.encode()).imports
    assert found.optional is expected


def test_an_import_that_is_exported() -> None:
    assert sources('export import a = require("x")') == ["x"]
    assert sources('export import a = b.c;\n("x")') == []


@pytest.mark.parametrize("line", ['print("hi")', 'x = "hi"', '"hi"', "def f():\n    'hi'"])
def test_an_import_of_python_takes_no_text_from_further_down(line: str) -> None:
    code = f"import pandas as pd\n{line}\nimport a from 'x'"
    assert "hi" not in sources(code)
    assert "hi" not in sources(f"import pandas as pd\n{line}\n")


def test_bare_imports_are_those_that_other_languages_write_too() -> None:
    code = "import 'a'; import b from 'b'; export * from 'c'; require('d'); import e = require('e')"
    assert [found.bare for found in read(code.encode()).imports] == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_lists_of_texts() -> None:
    data = b"spawn('npm', ['i', x, 'y'], {}); a = ['b', 'c']; d = ['e']; f('g', h)"
    rows = [
        [data[item.start : item.end].decode() if item else None for item in row]
        for row in read(data).lists
    ]
    assert rows == [["npm", "i", None, "y"], ["i", None, "y"], ["b", "c"]]


def test_what_is_no_code_is_opaque() -> None:
    code = b"a /* b */ `c` // d\n"
    opaque = read(code).opaque
    assert [place for place in range(len(code)) if place in opaque] == [
        *range(2, 9), *range(10, 13), *range(14, 18),
    ]  # fmt: skip


def test_the_grammar_with_the_fewest_faults_is_taken() -> None:
    code = b"const a = <string>b; import c from 'x'"
    assert read_as(code, Grammar.TSX).broken
    assert not read(code).broken


def test_ranges() -> None:
    ranges = Ranges()
    for start, end in [(2, 5), (3, 4), (5, 6), (8, 9)]:
        ranges.add(start, end)
    assert [place for place in range(10) if place in ranges] == [2, 3, 4, 5, 8]
