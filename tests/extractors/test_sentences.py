"""Where a command in a sentence ends."""

from __future__ import annotations

import pytest

from ghostbust.extractors.shell import ProseExtractor
from ghostbust.extractors.shell_words import (
    is_foreign,
    is_of_sentence,
    is_set_apart,
    may_be_a_word,
    prose_words,
)
from ghostbust.records import Ecosystem

PROSE = [
    ("Ejecuta pip install rico y luego importa", ["rico"]),
    ("Führe pip install pdfplumber aus", ["pdfplumber"]),
    ("Usa npm install axios directamente desde la carpeta", ["axios"]),
    (
        "Si besoin, npm install socket.io socket.io-client vue@3 ajoute tout",
        ["socket.io", "socket.io-client", "vue"],
    ),
    ("Il faut: pip install numpy pandas", ["numpy", "pandas"]),
    ("Il faut “pip install numpy pandas”", ["numpy", "pandas"]),
    ("pip install numpy pandas", ["numpy", "pandas"]),
    ("You can pip install numpy pandas afterwards", ["numpy", "pandas"]),
    ("If npm install hangs, wait", []),
    ("运行pip install jieba，然后用npm install vue即可", ["jieba", "vue"]),
    ("実行 pip install fastapi uvicorn を", ["fastapi", "uvicorn"]),
    ("npm install mysql2 --save。最后用pip install rich即可", ["mysql2", "rich"]),
    ("「pip install janome」を", ["janome"]),
]


@pytest.mark.parametrize(("prose", "names"), PROSE)
def test_a_command_ends_where_the_sentence_goes_on(prose: str, names: list[str]) -> None:
    refs = list(ProseExtractor().find(prose, 0))
    assert [ref.raw for ref in refs] == names
    assert all(prose[ref.start : ref.end] == ref.raw for ref in refs)


def test_a_version_and_next_js_are_no_words() -> None:
    assert is_of_sentence("next", "", Ecosystem.PYPI)
    assert not is_of_sentence("next", "", Ecosystem.NPM)
    assert not is_of_sentence("then", "==1.0", Ecosystem.PYPI)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [("Run it in the shell", False), ("módulo", True), ("nach dem Start", True), ("再执行", False)],
)
def test_is_foreign(text: str, foreign: bool) -> None:
    assert is_foreign(prose_words(text, 0, len(text))) is foreign


def test_is_set_apart() -> None:
    words = prose_words("so: pip x pip", 0, 13)
    assert [is_set_apart(words, index) for index in (0, 1, 3)] == [True, True, False]


def test_may_be_a_word() -> None:
    assert may_be_a_word("ajoute", "")
    assert not may_be_a_word("flask-cors", "")
    assert not may_be_a_word("vue", "@3")


@pytest.mark.parametrize(
    ("prose", "names"),
    [
        ("You should not use easy_install anymore.", []),
        ("During the pip install process it is built.", []),
        ("See the npm install output, or the npm install logs.", []),
        ("Remove easy_install usage, and fix the easy_install bug.", []),
        ("pip install options differ: see below.", []),
        ("Every npm install attempt failed", []),
        ("The pip install rich command", ["rich"]),
        ("A pip install tables run", []),
        ("pip install process", ["process"]),
        ("Use easy_install rich to get it", ["rich"]),
        ("I ran pip install numpy pandas yesterday", ["numpy", "pandas"]),
        ("First pip install rich", ["rich"]),
        ("Use pip install plotly==5.* bokeh altair.", ["plotly", "bokeh", "altair"]),
        ("*pip install plotly==5.** and go", ["plotly"]),
        ("pip install ${{ matrix.x }} $(cat base.txt) rich", ["rich"]),
        ("pip install \"tomli; python_version < '3.11'\" rich", ["tomli", "rich"]),
        ('say "pip install rich; then go" twice', ["rich"]),
    ],
)
def test_a_command_that_is_spoken_of_names_nothing(prose: str, names: list[str]) -> None:
    assert [ref.raw for ref in ProseExtractor().find(prose, 0)] == names
