"""JavaScript and TypeScript, whole or broken; see also assets/rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.evaluation.extraction import read_corpus
from ghostbust.extractors import javascript
from ghostbust.extractors.javascript import (
    has_javascript_imports,
    is_javascript,
    javascript_line_refs,
    javascript_refs,
    read_specifier,
    scripts,
)
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind
from ghostbust.registries.names import is_builtin

ROWS = Path(__file__).parents[1] / "assets" / "rows" / "javascript-rows.txt"
FILES = [row.text for row in read_corpus(ROWS) if row.id.startswith("file-")]
STATEMENTS = "".join(
    f"import x{n} from 'alpha{n}';\nconst y{n} = require('beta{n}');\n" for n in (1, 2)
)


def found(code: str) -> list[PackageRef]:
    refs = list(javascript_refs(code, 5))
    for ref in refs:
        assert code[ref.start - 5 : ref.end - 5] == ref.raw
        assert ref.ecosystem is Ecosystem.NPM
    by_span = {ref.start: ref for ref in reversed(refs)}
    return [by_span[start] for start in sorted(by_span)]


def test_fields_of_an_import() -> None:
    (ref,) = found("import get from '@scope1/pkg/get';")
    assert ref == PackageRef(
        Ecosystem.NPM, RefKind.IMPORT, "@scope1/pkg", 22, 33, name="@scope1/pkg",
        import_name="@scope1/pkg/get",
    )  # fmt: skip


@pytest.mark.parametrize("cut", range(0, len(STATEMENTS), 3))
def test_whatever_is_whole_in_front_of_a_cut_is_found(cut: int) -> None:
    text = STATEMENTS[:cut]
    names = ("alpha1", "beta1", "alpha2", "beta2")
    whole = [name for name in names if f"'{name}'" in text]
    refs = found(text)
    assert [ref.raw for ref in refs if Flag.TRUNCATED not in ref.flags] == whole
    assert len(refs) - len(whole) <= 1


def test_places_are_code_points() -> None:
    code = "const 日本 = '🎉 größe'; import a from 'a1'; /* é */ require('b1')\n"
    assert [code[ref.start - 5 : ref.end - 5] for ref in found(code * 40)[:2]] == ["a1", "b1"]
    assert len(found(code * 40)) == 80


@pytest.mark.parametrize(
    ("text", "plain", "whole"),
    [
        ("import a from 'a1'", True, True),
        ("const a = require('a1');\na.b()", True, True),
        ("a.b(require('a1'))", False, True),
        ("import 'a1'", False, True),
        ("export * from 'a1'\n)(", True, False),
        ("let a = import('a1", True, False),
        ('package main\n\nimport "fmt"\n', False, False),
        ('local a = require("socket")\na.b()', False, False),
        ("require 'json'", False, False),
        ("<?php\nrequire('a.php');", False, False),
        ('pragma solidity ^0.8.0;\nimport "@x1/y.sol";', False, False),
        ("import 'package:flutter/material.dart';\nvoid main() {}", False, False),
        ("import numpy as np\nx = 'a'", False, False),
        ("from a import b", False, False),
        ("const a = 1", False, False),
        ("", False, False),
    ],
)
def test_what_is_taken_for_javascript(text: str, plain: bool, whole: bool) -> None:
    assert has_javascript_imports(text) is plain
    assert is_javascript(text) is whole


@settings(max_examples=150, database=None, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(FILES).flatmap(
                lambda code: st.integers(0, len(code)).map(lambda n: code[n : n + 60])
            ),
            st.text(alphabet="'\"`{}()[]</>\\\n$;🎉é\x00\ud800 import", max_size=8),
        ),
        max_size=8,
    )
)
def test_no_input_breaks_it(parts: list[str]) -> None:
    text = "".join(parts)
    for ref in [*found(text), *javascript_line_refs(text, 0)]:
        assert ref.raw
        assert ref.name == ref.raw


@pytest.mark.parametrize("part", ["(", ".b('x')", "try{", "`${", "<a>", "{'a':[", "<script>"])
def test_deep_code_hides_no_import(part: str) -> None:
    assert [ref.raw for ref in found("import a from 'a1'\n" + part * 30_000)] == ["a1"]


@pytest.mark.parametrize("code", ["/* off\nimport a from 'b1'", "  /*\nconst a = require('b1')"])
def test_a_comment_that_nothing_closes_holds_no_code(code: str) -> None:
    refs = javascript_refs(f"/* x */ import p from 'a1'\n{code}", 0)
    assert [ref.raw for ref in refs] == ["a1"]


def test_a_glob_opens_no_comment() -> None:
    code = "const a = 'src/**/*.js';\nconst b = require('a1')\nif ("
    assert {ref.raw for ref in javascript_refs(code, 0)} == {"a1"}


@settings(max_examples=300, database=None, deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("ab@/:.-_~#$!?% é1\u2028\x00"), max_size=12))
def test_what_is_named_stands_there(specifier: str) -> None:
    found = read_specifier(specifier)
    if found is not None:
        assert found.name
        assert specifier[found.start : found.end] == found.name
        assert not set(found.name) & set(" !?#$%é\u2028\x00")


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
        ("const a = 1;\n<script>a</script>", ["const a = 1;\n<script>a</script>"]),
        ("<div/>", ["<div/>"]),
        ("<p>---</p>", ["<p>---</p>"]),
        ("----\n", ["----\n"]),
    ],
)
def test_scripts(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in scripts(text)] == expected


def test_the_registries_list_says_the_same() -> None:
    """Layers keep the two lists apart; an install of a built-in name is judged by the other."""
    from ghostbust.registries import names

    modules = javascript._MODULES - {"bun"}
    tops = {path.partition("/")[0] for path in modules if not path.startswith("_")}
    assert all(is_builtin(Ecosystem.NPM, path) for path in tops)
    assert tops >= names._NODE
    assert {f"{scheme}:" for scheme in javascript._RUNTIMES} == set(names._SCHEMES)
