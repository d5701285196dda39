"""Where names are being written, and that hostile answers cost no more than others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from ghostbust.guard.reading import Asked
from ghostbust.guard.writing import SPAN, Writing
from ghostbust.records import Ecosystem, RefKind

PYPI, NPM, CARGO = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CARGO
INSTALL, MANIFEST, IMPORT, LIST = (
    RefKind.INSTALL, RefKind.MANIFEST, RefKind.IMPORT, RefKind.LIST,
)  # fmt: skip
REQUIREMENTS = "Put this in requirements.txt:\n```\n"
LONG = "# a comment\n" * 400


def written(text: str, *, expects_list: bool = False, step: int | None = None) -> Writing:
    """The state behind an answer that came in pieces: of words, or of ``step`` characters."""
    writing = Writing(Asked("", expects_list, PYPI))
    pieces = re.findall(rf"(?s).{{1,{step}}}", text) if step else re.findall(r"\s*\S+|\s+$", text)
    for piece in pieces:
        writing.add(piece)
    return writing


PLACES = [
    ("```bash\npip install num", INSTALL, PYPI, "num"),
    ("Run `pip install -U scikit-le", INSTALL, PYPI, "scikit-le"),
    ("```bash\npip install numpy \\\n    pan", INSTALL, PYPI, "pan"),
    ("```dockerfile\nFROM x\nRUN pip install fl", INSTALL, PYPI, "fl"),
    ("npm i @babel/co", INSTALL, NPM, "@babel/co"),
    ("cargo add ser", INSTALL, CARGO, "ser"),
    (f"{REQUIREMENTS}flask==2.0\nreq", MANIFEST, PYPI, "req"),
    ('```toml\n[project]\ndependencies = [\n  "ht', MANIFEST, PYPI, "ht"),
    ('```json\n{"dependencies": {"react": "1",\n "vu', MANIFEST, NPM, "vu"),
    ("```python\nimport os, num", IMPORT, PYPI, "num"),
    (f"```python\n{LONG}from skl", IMPORT, PYPI, "skl"),
    ("```js\nimport {\n a } from 'ex", IMPORT, NPM, "ex"),
    ('```js\nconst a = require("ex', IMPORT, NPM, "ex"),
]


@pytest.mark.parametrize("step", [None, 1, 3])
@pytest.mark.parametrize(("text", "kind", "ecosystem", "name"), PLACES)
def test_a_name_is_being_written(
    text: str, kind: RefKind, ecosystem: Ecosystem, name: str, step: int | None
) -> None:
    found = written(text, step=step).name
    assert found is not None
    assert (found.ref.kind, found.ref.ecosystem, found.written) == (kind, ecosystem, name)


@pytest.mark.parametrize("text", ["1. num", "Use:\n\n- `num", "numpy\npandas\nnum", "- **num"])
def test_a_listed_name_is_being_written_only_where_the_prompt_asked_for_a_list(text: str) -> None:
    found = written(text, expects_list=True).name
    assert found is not None
    assert (found.ref.kind, found.written) == (LIST, "num")
    assert written(text).name is None


@pytest.mark.parametrize(
    "text",
    [
        "It is from the",
        "pip install numpy==1",
        "pip install -r req",
        "pip install git+https://ex",
        "```python\nimport numpy.li",
        "```python\nfrom numpy import arr",
        "```python\nimport numpy as n",
        "```python\nx = impo",
        "```python\nfrom .util",
        "```bash\nls",
    ],
)
def test_no_name_is_being_written(text: str) -> None:
    assert written(text).name is None


def test_a_numbered_list_is_not_a_name() -> None:
    assert written("1. numpy\n2", expects_list=True).name is None


def test_modules_of_the_answer_are_remembered() -> None:
    assert "helpers" in written("```python\n# src/helpers.py\nx = 1\n```\n").modules


HOSTILE: dict[str, Callable[[int], str]] = {
    "a name over fences": lambda n: "```bash\npip install requ\n```\n```\nests\n" * (n // 40),
    "zero width": lambda n: "pip install req\u200bu\u200dests\ufeff x\u200b " * (n // 30),
    "homoglyphs": lambda n: "import r\u0435quests\npip install p\u0430ndas\n" * (n // 40),
    "an endless name": lambda n: "pip install " + "a" * n,
    "one line": lambda n: "x pip " * (n // 6),
    "blanks": lambda n: "import " + " " * n,
    "imports": lambda n: "import os" + ", sys" * (n // 5),
    "lines that go on": lambda n: "pip install a" + " \\\n b" * (n // 5),
    "quotes": lambda n: 'from "' * (n // 6),
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_take_linear_time_and_flat_memory(make: Callable[[int], str]) -> None:
    def cost(length: int) -> float:
        start = time.process_time()
        writing = written(make(length), step=4)
        assert len(writing._window) <= 4 * SPAN
        return time.process_time() - start

    cost(300)
    once, four_times = cost(2 * SPAN), cost(8 * SPAN)
    assert four_times < 10 * once + 0.1


def test_a_line_of_a_hundred_thousand_characters() -> None:
    assert written("pip install " + "a" * 100_000, step=5).name is None
