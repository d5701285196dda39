"""Empty, malformed and looping answers: where each begins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghostbust.measure import blocks, faults_of, is_looping
from ghostbust.records import Answer, Context, Ecosystem

MakeAnswer = Callable[..., Answer]
FENCE = "```"


def fenced(code: str, label: str = "python", *, closed: bool = True) -> str:
    return f"Here it is:\n\n{FENCE}{label}\n{code}\n" + (f"{FENCE}\n" if closed else "")


def test_an_empty_answer_has_no_text_and_no_other_fault(make_answer: MakeAnswer) -> None:
    assert faults_of(make_answer(0, text=" \n\t")) == ("empty",)
    assert faults_of(make_answer(0, text=" \n\t", context=Context.CODE)) == ("empty",)


@pytest.mark.parametrize(
    "text",
    [
        fenced("import os\nprint(os.name)"),
        "import os\nprint(os.name)\n",  # no fence: the whole is the code
        fenced("pip install numpy\nimport numpy"),
        fenced("!pip install numpy\n%matplotlib inline\nimport numpy"),
        fenced("python -m pip install numpy\nimport numpy"),
        fenced("pip install numpy", "bash") + fenced("import numpy"),
        fenced("import numpy", ""),
        fenced("print('\\d')"),  # what Python only warns of
    ],
)
def test_python_that_parses_is_well_formed(make_answer: MakeAnswer, text: str) -> None:
    assert faults_of(make_answer(0, text=text, context=Context.CODE)) == ()


@pytest.mark.parametrize(
    "text",
    [
        fenced("import os\nprint(os.name"),
        fenced("def f(:\n    pass"),
        fenced("import os") + fenced("import ("),  # one of two
        fenced("pip install numpy", "bash"),  # code was asked for
        "You can use the numpy package for this.",
        fenced("import os", closed=False),
        fenced("print('\0')"),
    ],
)
def test_what_does_not_parse_is_malformed(make_answer: MakeAnswer, text: str) -> None:
    assert faults_of(make_answer(0, text=text, context=Context.CODE)) == ("malformed",)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os\n\ndef f(x):\n    return [\n        x,\n        os.pa", ()),
        ("import os\nfor x in os.listdir():\n    pri", ()),
        ('def f():\n    """What it do', ()),
        ("def f(:\n    x = 1\n    y", ("malformed",)),
        ("if x:\n    a()\nels:\n    b()\nc", ("malformed",)),
    ],
)
def test_what_was_cut_off_must_be_the_beginning_of_code(
    make_answer: MakeAnswer, code: str, found: tuple[str, ...]
) -> None:
    text = fenced(code, closed=False).rstrip("\n")
    answer = make_answer(0, text=text, context=Context.CODE, truncated=True)
    assert faults_of(answer) == found
    bare = make_answer(0, text=code, context=Context.CODE, truncated=True)
    assert faults_of(bare) == found


@pytest.mark.parametrize(
    ("code", "label", "closed", "found"),
    [
        ("const fs = require('fs');", "javascript", True, ()),
        ("npm install chalk\nimport chalk from 'chalk';", "js", True, ()),
        ("const x: number = 1;", "typescript", True, ()),
        ("const x: number = 1;", "javascript", True, ("malformed",)),
        ("const App = () => <p>hi</p>;", "tsx", True, ()),
        ("const = 1;", "js", True, ("malformed",)),
        ("import os", "python", True, ("malformed",)),  # JavaScript was asked for
        ("function f(a) {\n  g([a, {\n    b: 1,\n    c", "js", False, ()),
        ("function f(a {\n  return = ;\n  c", "js", False, ("malformed",)),
    ],
)
def test_javascript_by_its_grammar(
    make_answer: MakeAnswer, code: str, label: str, closed: bool, found: tuple[str, ...]
) -> None:
    answer = make_answer(
        0,
        text=fenced(code, label, closed=closed),
        context=Context.CODE,
        ecosystem=Ecosystem.NPM,
        truncated=not closed,
    )
    assert faults_of(answer) == found


@pytest.mark.parametrize("context", [Context.HELPS, Context.NEEDS])
def test_a_list_has_an_item_a_name_or_a_package(make_answer: MakeAnswer, context: Context) -> None:
    for text in ("1. a thing\n", "These:\n* one of them", "numpy\n", "  - x y"):
        assert faults_of(make_answer(0, text=text, context=context)) == ()
    prose = "I can not help with that, sorry."
    assert faults_of(make_answer(0, text=prose, context=context)) == ("malformed",)
    named = make_answer(0, "numpy", text="You want numpy here.", context=context)
    assert faults_of(named) == ()
    for empty in (f"{FENCE}\n{FENCE}", f"{FENCE}python\n# nothing here\n{FENCE}", "#\n#", "- ..."):
        assert faults_of(make_answer(0, text=empty, context=context)) == ("malformed",)
    open_fence = make_answer(0, text=fenced("numpy", closed=False), context=context)
    assert faults_of(open_fence) == ("malformed",)


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("1. requests\n2. requests\n3. requests\n" * 4, True),  # 12 times
        ("1. requests\n2. requests\n3. requests\n" * 3 + "10. requests", False),  # 10 words
        ("- numpy\n- rich\n- flask\n" * 4, True),
        ("- numpy\n- rich\n- flask\n" * 3, False),
        ("intro words here\n" + "the same sentence over again " * 4 + "end", True),
        (" ".join(f"word{n}" for n in range(60)), False),
        ("0 " * 50, False),  # a table of numbers
        ("0\n" * 50, False),
        (f"These:\n\n{FENCE}\n\n{FENCE}\n\n" + f"{FENCE}\n" * 6, True),  # 8 lines of marks
        (f"These:\n{FENCE}\n" + f"\n{FENCE}\n" * 6, False),  # 7
        ("#\n#\n# #\n" * 4, True),
        ("{\n}\n[\n]\n;\n" * 8, False),  # too long a part
        ("x = f(x)\ny = g(y)\n" * 2, False),
        (
            " ".join(f"w{n}" for n in range(41)).join("  ") * 8,
            False,
        ),  # too long a part
    ],
)
def test_loops_are_repeats_without_a_gap(text: str, loops: bool) -> None:
    assert is_looping(text) is loops


def test_fences_nest_by_length_and_kind() -> None:
    text = "~~~md\n```py\nx\n```\n~~~\n````\n```\n````\n```js"
    assert [(b.label, b.code, b.closed) for b in blocks(text)] == [
        ("md", "```py\nx\n```", True),
        ("", "```", True),
        ("js", "", False),
    ]
