"""Escapes of HTML: which are undone, and that each character keeps its place."""

from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import unescaped


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


def test_a_text_of_nothing_but_entities_ends() -> None:
    assert extract("&amp;" * 100_000 + "&lt;") == []
