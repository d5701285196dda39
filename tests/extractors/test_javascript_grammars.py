"""The grammars, and that they load late."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ghostbust.extractors.javascript_syntax import Grammar, parse


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
        "import sys, ghostbust.extractors as e; e.extract('Run `pip install rich` first.');"
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
