"""Lines of a list: markers, items, titles, tables, arrays, sections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.extract import extract
from ghostbust.extractors.list_lines import (
    CATEGORIES,
    LABELS,
    NEVER,
    marker_of,
    speaks_of_need,
    speaks_of_packages,
    without_tags,
)
from ghostbust.records import RefKind


@pytest.mark.parametrize(
    "line",
    [
        "- rich", "  * rich", "> + rich", "-> rich", "=> rich", "1. rich", "12.rich", "(3) rich",
        "4、rich", "**1. rich", "__2) rich", "**3.** rich", "a) rich", "1️⃣ rich", "①rich",
        "❷ rich", "・rich", "‣ rich", "◦rich", "▪ rich", "➤ rich", "✅ rich", "✔️rich", "– rich",
        "- [ ] rich", "- [x] rich",
    ],
)  # fmt: skip
def test_markers(line: str) -> None:
    marker = marker_of(line).match(line)
    assert marker is not None
    assert line[marker.end() :] == "rich"


@pytest.mark.parametrize(
    "line", ["rich", "-rich", "--rich", "A: rich", "**rich**", "1.5 rich", "“rich”", "（rich）", ""]
)
def test_no_markers(line: str) -> None:
    assert marker_of(line).match(line) is None


@pytest.mark.parametrize("question", ["Q: What?", "**Q1:** What?", "Question: What?", "问：什么"])
@pytest.mark.parametrize("answer", ["A: ", "**A1:** ", "Answer: "])
def test_an_answer_counts_behind_a_question(question: str, answer: str) -> None:
    marker = marker_of(f"{question}\n{answer}rich").match(f"{answer}rich")
    assert marker is not None
    assert marker["answer"] == answer.rstrip()
    assert marker.end() == len(answer)


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["<li>", "</li>", "<", ">", "a", "<b ", "<ul>", "\n", "</"])))
def test_each_character_keeps_its_place(parts: list[str]) -> None:
    text = "".join(parts)
    plain = without_tags(text)
    assert len(plain) == len(text)
    assert all(plain[at] == "a" for at, char in enumerate(plain) if char == "a")


def test_what_words_speak_of() -> None:
    of_packages = ("npm packages", "Benötigte Pakete", "Bibliothèques utiles", "需要安装的库")
    of_need = ("You need", "Du brauchst", "Necesitas", "Il vous faut", "可以使用")
    of_neither = ("packing", "Vorteile", "Rebuilding", "It is fast", "", "123")
    assert all(map(speaks_of_packages, of_packages))
    assert all(map(speaks_of_need, of_need))
    assert not any(map(speaks_of_packages, (*of_need, *of_neither)))
    assert not any(map(speaks_of_need, of_neither))


def test_words_are_in_lower_case() -> None:
    assert all(word == word.lower() for word in CATEGORIES | LABELS | NEVER)


def test_an_array_comes_before_a_package_json() -> None:
    text = '```json\n["httpx", "respx"]\n```'
    refs = extract(text, expect_list=True)
    assert [ref.raw for ref in refs if ref.kind is RefKind.LIST] == ["httpx", "respx"]
    assert extract(text) == []
