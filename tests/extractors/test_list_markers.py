"""What a list item begins with, and lists in HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.list_lines import marker_of, without_tags


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
    "line",
    [
        "rich",
        "-rich",
        "--rich",
        "A: rich",
        "**rich**",
        "1.5 rich",
        "“rich”",
        "（rich）",
        "…rich",
        "",
    ],
)
def test_no_markers(line: str) -> None:
    assert marker_of(line).match(line) is None


@pytest.mark.parametrize(
    ("text", "is_marker"),
    [
        ("-rich\n-typer", True),
        ("- rich\n-typer", False),
        ("-rich", False),
        ("-v\n-q", False),
        ("-rich\n-v", False),
        ("-rich\n-typer\n--flag", True),
    ],
)
def test_a_dash_without_a_blank_counts_if_all_are_so(text: str, is_marker: bool) -> None:
    assert (marker_of(text).match("-rich") is not None) == is_marker


@pytest.mark.parametrize("question", ["Q: What?", "**Q1:** What?", "Question: What?", "问：什么"])
@pytest.mark.parametrize("answer", ["A: ", "**A1:** ", "Answer: "])
def test_an_answer_counts_behind_a_question(question: str, answer: str) -> None:
    marker = marker_of(f"{question}\n{answer}rich").match(f"{answer}rich")
    assert marker is not None
    assert marker["answer"] == answer.rstrip()
    assert marker.end() == len(answer)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<ul><li>a</li></ul>", "\n   \n - a\n    \n    "),
        ("<li><code>a</code>: b", "\n -      `a`      : b"),
        ('<LI class="x"><b>a</b>', "\n -            **a**  "),
        ('<li><a href="x">a</a>', "\n -            [a]   "),
        ("<li><p>a</p>", "\n -    a    "),
        ("<b>a</b>", "<b>a</b>"),
        ("a <li", "a <li"),
    ],
)
def test_without_tags(text: str, plain: str) -> None:
    assert without_tags(text) == plain


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["<li>", "</li>", "<", ">", "a", "<b ", "<ul>", "\n", "</"])))
def test_each_character_keeps_its_place(parts: list[str]) -> None:
    text = "".join(parts)
    plain = without_tags(text)
    assert len(plain) == len(text)
    assert all(plain[at] == "a" for at, char in enumerate(plain) if char == "a")
