"""What the syntax tree says, and the limits of a parse; see also assets/rows."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.javascript_syntax import (
    ByteOffsets,
    Grammar,
    Ranges,
    parse,
    read,
    read_as,
)


def sources(code: str) -> list[str]:
    data = code.encode()
    return [data[i.source.start : i.source.end].decode() for i in read(data).imports]


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


@pytest.mark.parametrize(
    ("grammar", "code", "is_valid"),
    [
        (Grammar.TSX, "const x: number = <b>1</b>;", True),
        (Grammar.TSX, "const x = <string>y;", False),
        (Grammar.TYPESCRIPT, "const x = <string>y;", True),
        (Grammar.JAVASCRIPT, "const x = <b>1</b>;", True),
        (Grammar.JAVASCRIPT, "const x: number = 1;", False),
    ],
)
def test_grammars(grammar: Grammar, code: str, is_valid: bool) -> None:
    tree = parse(code.encode(), grammar)
    assert tree is not None
    assert tree.root_node.has_error is not is_valid


def test_no_grammar_is_loaded_before_there_is_code_to_read() -> None:
    program = (
        "import sys, ghostbust.extractors.extract as e; e.extract('Run `pip install rich` first.');"
        "print([name for name in sys.modules if name.startswith('tree_sitter')]);"
        "e.extract('```js\\n```'); print('tree_sitter' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["[]", "True"]


def test_many_comments_that_nothing_closes_take_no_long() -> None:
    code = "import a from 'x' /* y */\n" + "/* " * 100_000
    tree = parse(code.encode(), Grammar.TSX)
    assert tree is not None
    assert tree.root_node.end_byte < 100
    assert not tree.root_node.has_error


def test_ascii_is_the_same() -> None:
    places = ByteOffsets("abc" * 500)
    assert places.data == b"abc" * 500
    assert (places.code_point(1000), places.byte(1000)) == (1000, 1000)


def test_lone_surrogate_is_one_code_point() -> None:
    places = ByteOffsets("é\ud800x")
    assert places.data == "é?x".encode()
    assert places.code_point(3) == 2


@settings(max_examples=100, database=None, deadline=None, derandomize=True)
@given(st.text(alphabet="aé日🎉\n\ud800", min_size=1, max_size=40), st.integers(1, 40))
def test_each_place_and_back(piece: str, times: int) -> None:
    text = piece * times
    places = ByteOffsets(text)
    at = 0
    for index, char in enumerate(text):
        assert places.byte(index) == at
        assert places.code_point(at) == index
        at += len(char.encode("utf-8", "replace"))
    assert (places.byte(len(text)), places.code_point(at)) == (at, len(text))
