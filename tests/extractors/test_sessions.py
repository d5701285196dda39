"""Console sessions of Python: what was entered, every character in its place."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import entered

CASES = [
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


@pytest.mark.parametrize(("text", "code"), CASES)
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


@pytest.mark.parametrize(
    "line", [">>> x\n", "In [1]: x\n", '"""\n', "In [1" + "1" * 50, ">>> " * 9]
)
@pytest.mark.usefixtures("hang_guard")
def test_takes_linear_time(line: str) -> None:
    entered(line * (1_000_000 // len(line)))
