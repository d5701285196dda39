"""Scripts in component files and pages."""

from __future__ import annotations

import pytest

from ghostbust.extractors.javascript import is_markup, scripts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<template/>\n<script setup lang='ts'>\na\n</script>", ["\na\n"]),
        ("<script>a</script><style/><SCRIPT type=module>b</SCRIPT >", ["a", "b"]),
        ("<script>a", ["a"]),
        ("// App.vue\n\n<template/>\n<script>a</script>", ["a"]),
        ('<script type="application/json">{}</script><script>a</script>', ["a"]),
        ('<script type="importmap">{}</script>', []),
        ('<script src="x.js"></script>', [""]),
        ("\n---\nimport a\n---\n<p/>\n<script>b</script>", ["import a\n", "b"]),
        ("---\nimport a", ["import a"]),
    ],
)
def test_scripts(text: str, expected: list[str]) -> None:
    assert is_markup(text)
    assert [text[start:end] for start, end in scripts(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "const a = 1;\n<script>a</script>",
        "const a = '<script>x</script>'",
        "<div/>",
        "",
        "<p>---</p>",
        "-- a\n",
        "----\n",
    ],
)
def test_no_markup(text: str) -> None:
    assert not is_markup(text)
