"""`extract` as a whole: which reader reads what, and that nothing breaks it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ghostbust.evaluation.extraction import read_corpus
from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.records import Ecosystem, RefKind

ROWS = Path(__file__).parents[1] / "assets" / "rows"
IMPORT = RefKind.IMPORT
TEXTS = [snippet.text for snippet in read_corpus(ROWS)]


def test_language_says_what_bare_text_is() -> None:
    assert extract("from rich", language=Language.PYTHON)[0].kind is IMPORT
    assert extract("pip install then", language=Language.SHELL)[0].raw == "then"
    assert extract("pip install then", language=Language.AUTO) == []
    assert extract("import rich", language=Language.JAVASCRIPT) == []
    assert extract("require('then')", language=Language.JAVASCRIPT)[0].raw == "then"
    assert extract("require('then')", language=Language.AUTO) == []


@pytest.mark.parametrize("language", Language)
def test_markdown_in_a_fence_is_no_code_whatever_the_language(language: Language) -> None:
    refs = extract("```md\nRun `npm i left-pad` or `yarn add zod`.\n```", language=language)
    assert [ref.raw for ref in refs] == ["left-pad", "zod"]


def test_python_file_with_a_fence_in_its_docstring_is_python() -> None:
    code = '"""Doc.\n\n```\nimport no\n```\n"""\nimport rich\n'
    assert [ref.raw for ref in extract(code, language=Language.PYTHON)] == ["rich"]


def test_javascript_file_with_a_fence_in_a_comment_is_javascript() -> None:
    code = "/**\n * ```js\n * import 'no'\n * ```\n */\nimport 'y'\n"
    assert [ref.raw for ref in extract(code, language=Language.JAVASCRIPT)] == ["y"]


def test_bare_javascript_is_code_if_a_call_loads_what_it_needs() -> None:
    text = "module.exports = function (grunt) {\n  require('load-tasks')(grunt);\n};\n"
    assert [ref.raw for ref in extract(text)] == ["load-tasks"]
    assert extract("Call require('load-tasks') first, a = b.") == []


def test_list_names_belong_to_the_asked_ecosystem() -> None:
    (ref,) = extract("- @a/b", expect_list=True, ecosystem=Ecosystem.NPM)
    assert (ref.ecosystem, ref.name) == (Ecosystem.NPM, "@a/b")


@pytest.mark.parametrize(
    ("text", "language", "ecosystem"),
    [
        ("- a1\n- b1", Language.AUTO, Ecosystem.PYPI),
        ("- a1\n- b1", Language.PYTHON, Ecosystem.PYPI),
        ("- a1\n- b1", Language.JAVASCRIPT, Ecosystem.NPM),
        ("For JavaScript:\n\n- a1: one\n- b1: two", Language.JAVASCRIPT, Ecosystem.NPM),
        ("Use these npm packages:\n- a1\n- b1", Language.AUTO, Ecosystem.NPM),
        ('["a1", "@s/b1"]', Language.AUTO, Ecosystem.NPM),
        ('```json\n["a1", "b1"]\n```', Language.JAVASCRIPT, Ecosystem.NPM),
    ],
)
def test_the_list_shows_its_ecosystem_if_nobody_says_it(
    text: str, language: Language, ecosystem: Ecosystem
) -> None:
    refs = extract(text, expect_list=True, language=language)
    assert [ref.ecosystem for ref in refs] == [ecosystem] * 2
    asked = extract(text, expect_list=True, language=language, ecosystem=Ecosystem.PYPI)
    assert {ref.ecosystem for ref in asked} <= {Ecosystem.PYPI}


def test_a_placeholder_counts_in_a_file_and_not_in_an_answer() -> None:
    text = '{"dependencies": {"your-package": "1", "left-pad": "1"}}'
    assert [ref.raw for ref in extract(text, filename="package.json")] == [
        "your-package",
        "left-pad",
    ]
    assert [ref.raw for ref in extract(f"So:\n\n```json\n{text}\n```\n")] == ["left-pad"]


def test_inline_reading_wins_over_the_prose_around_it() -> None:
    refs = extract("Run `pip install -i https://index.example.test then httpx` now")
    assert [ref.raw for ref in refs] == ["then", "httpx"]
    assert all(ref.flags for ref in refs)


def test_place_is_exact_behind_wide_characters() -> None:
    text = "🎉 größe\n```python\nx = 'é'; import httpx\n```"
    (ref,) = extract(text)
    assert (ref.start, ref.end) == (text.index("httpx"), text.index("httpx") + 5)


ALPHABET = "`'\"\\\n\r\t ()[]{}<>#!%$@=~;:,.-_*|&/abip1é🎉\u2028\u00a0\x00\x0c\ufeff\ud800"


def mutated(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(text) + 1)
        upto = min(len(text), at + rng.randint(0, 8))
        other = rng.choice(TEXTS)
        mark, tail = rng.choice(ALPHABET), other[rng.randrange(len(other) + 1) :]
        text = text[:at] + rng.choice(["", mark, mark * 3, tail]) + text[upto:]
    return text


@pytest.mark.parametrize("seed", range(40))
def test_no_input_breaks_it(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        text = mutated(rng, rng.choice(TEXTS))
        refs = extract(
            text,
            language=rng.choice(list(Language)),
            expect_list=rng.random() < 0.5,
            truncated=rng.random() < 0.5,
            prompt_text=mutated(rng, text),
            ecosystem=rng.choice(list(Ecosystem)),
        )
        spans = [(ref.start, ref.end) for ref in refs]
        assert spans == sorted(set(spans))
        assert all(text[ref.start : ref.end] == ref.raw and ref.raw for ref in refs)


@pytest.mark.parametrize("seed", range(10))
def test_random_characters_do_not_break_it(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        text = "".join(chr(rng.randrange(0x110000)) for _ in range(40))
        pieces = ["import ", "pip install ", "\n- ", "```\n", text[:5], text]
        text = "".join(rng.choices(pieces, k=9))
        for ref in extract(text, expect_list=True, truncated=True, prompt_text=text):
            assert text[ref.start : ref.end] == ref.raw
