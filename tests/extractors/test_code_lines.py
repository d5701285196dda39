"""Code without quote marks, diff signs, line numbers, tracebacks; every character in its place."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.markdown import plain_code, without_tracebacks

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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("> ```python\n> import rich\n> ```", ["rich"]),
        ("```diff\n-import a1\n+import rich\n```", ["rich"]),
        ("```python\n1  import rich\n2  import httpx\n```", ["rich", "httpx"]),
        ('```\n  File "x.py", line 1\n    import rich\n```', []),
        ('It says\n  File "x.py", line 1\n    import rich\n', []),
    ],
)
def test_extract_reads_the_plain_code(text: str, names: list[str]) -> None:
    refs = extract(text)
    assert [ref.raw for ref in refs] == names
    assert [text[ref.start : ref.end] for ref in refs] == names


def test_a_file_can_be_a_diff() -> None:
    refs = extract("-import a1\n+import rich\n", language=Language.PYTHON)
    assert [ref.raw for ref in refs] == ["rich"]
