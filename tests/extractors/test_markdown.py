"""Blocks of an answer, and their code without what stands around it."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.markdown import (
    BlockKind,
    cells,
    entered,
    folded,
    is_notebook,
    plain_code,
    split,
    unescaped,
    with_diffs_split,
    without_tracebacks,
)
from ghostbust.records import RefKind

FENCE, INLINE, PROSE = BlockKind.FENCE, BlockKind.INLINE, BlockKind.PROSE


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("just text", [(PROSE, "just text", "")]),
        ("a\n```py\nx\n```\nb", [(PROSE, "a\n", ""), (FENCE, "x\n", "py"), (PROSE, "b", "")]),
        ("~~~\nx\n~~~", [(FENCE, "x\n", "")]),
        ("```py\nx", [(FENCE, "x", "py")]),
        ("```", [(FENCE, "", "")]),
        ("````\n```\nx\n```\n````", [(FENCE, "```\nx\n```\n", "")]),
        ("```\n~~~\n```", [(FENCE, "~~~\n", "")]),
        ("1. ```sh\n   x\n   ```", [(FENCE, "   x\n", "sh")]),
        ("> ```sh\n> x\n> ```", [(FENCE, "> x\n", "sh")]),
        ("```sh\na\n```python\nb\n```", [(FENCE, "a\n", "sh"), (FENCE, "b\n", "python")]),
        ("`a` ``b ` c``", [(PROSE, "`a` ``b ` c``", ""), (INLINE, "a", ""), (INLINE, "b ` c", "")]),
        ("```pip i x```", [(PROSE, "```pip i x```", ""), (INLINE, "pip i x", "")]),
        ("open `a\nb` c", [(PROSE, "open `a\nb` c", "")]),
        ("```md\na `b`\n```", [(PROSE, "a `b`\n", ""), (INLINE, "b", "")]),
        ("````Markdown x\n```py\na\n```\n````\nb", [(FENCE, "a\n", "py"), (PROSE, "b", "")]),
        ("```README.md\na\n```", [(PROSE, "a\n", "")]),
        ("````md\n```md\na\n```\n````", [(FENCE, "a\n", "md")]),
        ("```mdx\n`a`\n```", [(FENCE, "`a`\n", "mdx")]),
        ("```md\n```", []),
        ("```\n\na `b`", [(PROSE, "```\n\na `b`", ""), (INLINE, "b", "")]),
        ("\n```\n\na\n```py\nb", [(PROSE, "\n```\n\na\n", ""), (FENCE, "b", "py")]),
        ("```\n\na:\n```\nb\n```", [(PROSE, "```\n\na:\n", ""), (FENCE, "b\n", "")]),
        ("```\n\na\n```\nb", [(FENCE, "\na\n", ""), (PROSE, "b", "")]),
        ("a\n```\n\nb", [(PROSE, "a\n", ""), (FENCE, "\nb", "")]),
        (" \n", []),
        ("", []),
    ],
)
def test_split(text: str, blocks: list[tuple[BlockKind, str, str]]) -> None:
    assert [(b.kind, text[b.start : b.end], b.info) for b in split(text)] == blocks


def test_unclosed_fence_is_marked() -> None:
    assert [block.closed for block in split("```\na\n```\n```\nb")] == [True, False]


def test_fences_of_every_length_are_one_block() -> None:
    assert len(split("".join("`" * n + "md\n" for n in range(800, 2, -1)))) == 1


CASES = [
    ("> a\n> > b\n", "", 1, "  a\n  > b\n"),
    ("> a\nlazy\n", "", 1, "  a\nlazy\n"),
    ("> a", "", 0, "> a"),
    ("+a\n-b\n c\n", "", 0, " a\n  \n c\n"),
    ("+a\n+b\n", "", 0, "+a\n+b\n"),
    ("+a\n+b\n", "diff", 0, " a\n b\n"),
    ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c", "patch", 0, "       \n       \n           \n  \n c"),
    ("- a\n+ b\nc", "", 0, "- a\n+ b\nc"),
    ("8 a\n9\n10   b\n", "", 0, "  a\n \n     b\n"),
    ("1 a\n3 b\n", "", 0, "1 a\n3 b\n"),
    ("1 a", "", 0, "1 a"),
    ("1. a\n2. b", "", 0, "1. a\n2. b"),
    ("", "diff", 3, ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "info", "quotes", "plain"), CASES)
def test_plain_code(body: str, info: str, quotes: int, plain: str) -> None:
    assert plain_code(body, info, quotes) == plain
    assert len(plain) == len(body)


def test_code_in_a_traceback_is_left_out() -> None:
    text = 'Traceback:\n  File "a.py", line 1, in <module>\n    import b\r\nError: c\n'
    assert without_tracebacks(text) == text.replace("import b", "        ")
    assert without_tracebacks('File "a.py" is line one\nimport b') == (
        'File "a.py" is line one\nimport b'
    )


def test_a_file_can_be_a_diff() -> None:
    refs = extract("-import a1\n+import rich\n", language=Language.PYTHON)
    assert [ref.raw for ref in refs] == ["rich"]


REQUIREMENTS = """diff --git a/requirements.txt b/requirements.txt
new file mode 100644
--- a/requirements.txt
+++ b/requirements.txt
@@ -1,2 +1,2 @@
 flask
-requests==2.0
+httpx==0.27
"""

SCRIPT = """diff --git a/run.sh b/run.sh
--- a/run.sh
+++ b/run.sh
@@ -1,2 +1,2 @@
-pip install nose
+pip install pytest
"""

MANIFEST, INSTALL, IMPORT = RefKind.MANIFEST, RefKind.INSTALL, RefKind.IMPORT


def files(text: str) -> list[str]:
    return [block.info for block in with_diffs_split(text, split(text)) if block.is_diff]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (REQUIREMENTS + SCRIPT, ["requirements.txt", "run.sh"]),
        (f"```diff\n{REQUIREMENTS}{SCRIPT}```", ["requirements.txt", "run.sh"]),
        ("```\n--- a/x.py\n+++ b/x.py\n+a\n--- a/y.py\n+++ b/y.py\n+b\n```", ["x.py", "y.py"]),
        ("```diff\n--- a/x.py\t2024\n+++ x.py\t2024\n+a\n```", ["x.py"]),
        ("```diff\n--- a/x.py\n+++ /dev/null\n-a\n```", []),
        ("```diff\n+a\n-b\n```", []),
        ("```python\n--- a/x.py\n+++ b/x.py\n+a\n```", []),
        ("--- a/x.py\n+++ b/x.py\n+a", []),
        ("diff --git is a command +++ x", []),
    ],
)
def test_files(text: str, names: list[str]) -> None:
    assert files(text) == names


@pytest.mark.parametrize("around", ["{}", "Apply:\n\n{}\nDone.", "```diff\n{}```", "```\n{}```"])
@pytest.mark.parametrize("expect_list", [False, True])
def test_each_file_is_read_as_its_name_says(around: str, expect_list: bool) -> None:
    text = around.format(REQUIREMENTS + SCRIPT)
    refs = extract(text, expect_list=expect_list)
    assert [(ref.kind, ref.raw) for ref in refs if ref.raw != "Done"] == [
        (MANIFEST, "flask"),
        (MANIFEST, "httpx"),
        (INSTALL, "pytest"),
    ]
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


def test_inline_code_in_a_diff_is_of_the_file() -> None:
    text = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n-# `pip install nose`\n+import rich\n"
    refs = extract("See `pip install tox`.\n\n" + text)
    assert [(ref.kind, ref.raw) for ref in refs] == [(INSTALL, "tox"), (IMPORT, "rich")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a &gt;= 1 &amp;&amp; b &lt; 2", "a >= 1 && b < 2"),
        ("&#39;a&#x27; &quot;b&#34; &apos;", "'a' \"b\" '"),
        ("&LT;b&GT;", "<b>"),
        ("a & b &gt; c &amp; d", "a & b > c &amp; d"),
        ("x => &quot;a&gt;&quot;", 'x => "a&gt;"'),
        ("&amp;lt; &gt;", "&lt; >"),
    ],
)
def test_escapes_are_undone(text: str, value: str) -> None:
    source = unescaped(text)
    assert source is not None
    assert source.value == value
    assert [text[at] for at, char in zip(source.at, value, strict=True) if char.isalnum()] == [
        char for char in value if char.isalnum()
    ]


@pytest.mark.parametrize(
    "text",
    ["", "a & b", "a &amp;&amp; b", "&nbsp;", "&lt", 'x.replace("<", "&lt;")', "<p>&lt;</p>"],
)
def test_what_nobody_escaped_stays(text: str) -> None:
    assert unescaped(text) is None


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("<>&\"'; aé\n"), max_size=30))
def test_what_was_escaped_comes_back(text: str) -> None:
    source = unescaped(html.escape(text))
    if set(text) & set("<>\"'"):
        assert source is not None
        assert source.value == text
        assert len(source.at) == len(text)


def test_spans_are_those_of_the_escaped_text() -> None:
    text = "Run <code>pip install 'httpx>=0.27,<1' rich</code> & go"
    escaped = html.escape(text)
    refs = extract(escaped)
    assert [ref.raw for ref in refs] == ["httpx", "rich"]
    assert all(escaped[ref.start : ref.end] == ref.raw for ref in refs)


CASES_SESSIONS = [
    (">>> a\n1\n>>> b(\n...   c)\n...\n2\n", "    a\n \n    b(\n      c)\n   \n \n"),
    (">>>a\n", "   a\n"),
    ("In [12]: a\n   ...: b\nOut[12]: c\nIn[3]:d", "         a\n        b\n          \n      d"),
    ("In [*]: a\n", " " * 8 + "a\n"),
    ("> >>> a\r\n", "      a\r\n"),
    ("So:\n  >>> a\n", "   \n      a\n"),
    (">>> a\n...and so on\n", "    a\n" + " " * 12 + "\n"),
    ("...: a\n... b\n", ""),
    (">>>> a\n", ""),
    ('def f():\n    """Says.\n\n    >>> a\n    """\n', ""),
    ("a >>> b\n", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "code"), CASES_SESSIONS)
def test_entered(text: str, code: str) -> None:
    assert entered(text) == code
    assert len(code) in (0, len(text))


@pytest.mark.parametrize("label", ["", "python", "pycon", "text", "console", "python-repl", "bash"])
@pytest.mark.parametrize("fenced", [True, False])
def test_extract_reads_sessions_in_and_out_of_fences(label: str, *, fenced: bool) -> None:
    session = ">>> import httpx\n>>> httpx.get(\n...     url)\n<Response>\nIn [2]: import rich\n"
    text = f"```{label}\n{session}```\n" if fenced else f"Try this {label}:\n\n{session}\nGood.\n"
    refs = extract(text)
    assert [ref.raw for ref in refs] == ["httpx", "rich"]
    assert [text[ref.start : ref.end] for ref in refs] == ["httpx", "rich"]


def test_a_session_without_imports_is_python_all_the_same() -> None:
    text = ">>> importlib.import_module('flask')\n>>> os.system('pip install httpx')\n"
    assert [ref.raw for ref in extract(text)] == ["flask", "httpx"]
    assert [ref.raw for ref in extract("Type `>>> import httpx`.")] == ["httpx"]


def test_another_language_has_no_session_of_python() -> None:
    assert extract("```ruby\n>>> import httpx\n```") == []
    assert extract(">>> import the data\n>>> from the file\n") == []


CODE = '!pip install "httpx[http2]" lxml\nimport numpy as np\nx = "é\\n😀"; import rich\n'


NOTEBOOK: dict[str, object] = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# T\n", "Run `pip install rich`"]},
        {
            "cell_type": "code", "execution_count": 1, "metadata": {}, "source": CODE,
            "outputs": [{"output_type": "stream", "text": ["pip install no"]}],
        },
        {"cell_type": "raw", "source": ["pip install no"]},
        {"source": ["%pip install pandas\n", "# !pip install no"], "cell_type": "code"},
    ],
    "metadata": {"kernelspec": {"language": "python", "name": "python3"}},
    "nbformat": 4,
}  # fmt: skip


NAMES = ["rich", "httpx", "lxml", "numpy", "rich", "pandas"]


@pytest.mark.parametrize(
    "text",
    [json.dumps(NOTEBOOK), json.dumps(NOTEBOOK, indent=1),
     json.dumps(NOTEBOOK, ensure_ascii=False, sort_keys=True)],
    ids=["escaped", "indented", "sorted"],
)  # fmt: skip
def test_refs_stand_in_the_json(text: str) -> None:
    refs = extract(text)
    assert [ref.raw for ref in refs] == NAMES
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


def test_the_text_of_cells_is_what_json_says() -> None:
    text = json.dumps(NOTEBOOK)
    read = [cell.source.value for cell in cells(text)]
    assert read[0] == "# T\nRun `pip install rich`"
    assert read[1] == CODE
    assert len(read) == 3


@pytest.mark.parametrize(
    ("kernel", "language"),
    [("python", Language.PYTHON), ("javascript", Language.JAVASCRIPT), ("R", Language.AUTO)],
)
def test_the_kernel_says_the_language(kernel: str, language: Language) -> None:
    text = json.dumps(
        {
            "cells": [{"cell_type": "code", "source": ["x"]}],
            "metadata": {"language_info": {"name": kernel}},
        }
    )
    assert [cell.language for cell in cells(text)] == [language]


def test_every_prefix_is_read() -> None:
    text = json.dumps(NOTEBOOK)
    for end in range(len(text)):
        for ref in extract(text[:end], filename="x.ipynb"):
            assert text[ref.start : ref.end] == ref.raw


def test_what_is_no_notebook() -> None:
    assert is_notebook(json.dumps(NOTEBOOK))
    assert not is_notebook('{"cells": 1}')
    assert not is_notebook('See "cell_type"')


@pytest.mark.parametrize("label", ["ipynb", "json", "", "notebook"])
def test_a_fenced_notebook_is_read_by_its_cells(label: str) -> None:
    text = f"Save this:\n\n```{label}\n{json.dumps(NOTEBOOK, indent=1)}\n```\nThen run it.\n"
    refs = extract(text)
    assert [ref.raw for ref in refs] == NAMES
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


@pytest.mark.parametrize(
    "label",
    ["ipynb", "jupyter", "jupyter-notebook", "jupyter notebook", "notebook", "colab",
     "{code-cell} ipython3", "analysis.ipynb", "python-notebook"],
)  # fmt: skip
def test_a_fence_labelled_as_a_notebook_is_python_with_magics(label: str) -> None:
    text = f"```{label}\n%pip install httpx\n!pip install rich\nimport numpy as np\n```\n"
    assert [ref.raw for ref in extract(text)] == ["httpx", "rich", "numpy"]


def test_a_notebook_file_that_is_no_json_is_python_with_magics() -> None:
    refs = extract("%pip install httpx\nimport numpy\n", filename="a.ipynb")
    assert [ref.raw for ref in refs] == ["httpx", "numpy"]


CASES_YAML_SCALARS = [
    ("run: >\n  pip install\n  a\n  b\nx: 1\n", "run: >\n  pip install   a   b\nx: 1\n"),
    ("- run: >-\n    a\n    b\n\n    c\n", "- run: >-\n    a     b\n\n    c\n"),
    ("x: >2\n  a\n    b\n  c\n  d\n", "x: >2\n  a\n    b\n  c   d\n"),
    ("- > # why\n  a\n  b\n- c\n", "- > # why\n  a   b\n- c\n"),
    ("run: |\n  if a\n    b\n  c\n", "run: |\n  if a\n    b\n  c\n"),
    ("- a\n  b\n- c\n", "- a   b\n- c\n"),
    ("x: a\n  b\n  c\ny: d\n", "x: a   b   c\ny: d\n"),
    ("- name: x\n    run: y\n    - z\n", "- name: x\n    run: y\n    - z\n"),
    ("x:\n  a: 1\n  b: [c,\n    d]\n", "x:\n  a: 1\n  b: [c,\n    d]\n"),
    ("a\n  b\n", "a\n  b\n"),
    ("run: >\r\n  a\r\n  b\r\n", "run: >\r\n  a    b\r\n"),
    ("run: >", "run: >"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "joined"), CASES_YAML_SCALARS)
def test_folded(text: str, joined: str) -> None:
    assert folded(text) == joined
    assert len(joined) == len(text)


def test_extract_reads_commands_on_several_lines() -> None:
    text = (
        "```yaml\n- run: >\n    pip install\n    httpx\n    rich\n- run: pip install\n    lxml\n```"
    )
    refs = extract(text)
    assert [ref.raw for ref in refs] == ["httpx", "rich", "lxml"]
    assert [text[ref.start : ref.end] for ref in refs] == ["httpx", "rich", "lxml"]
    assert [ref.raw for ref in extract("x: >\n  pip install\n  httpx", filename="a.yml")] == [
        "httpx"
    ]
