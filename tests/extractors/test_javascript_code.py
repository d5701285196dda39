"""JavaScript and TypeScript as models write it, whole or broken: names, exact places, flags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.javascript import (
    JavaScriptExtractor,
    JavaScriptLineExtractor,
    has_javascript_imports,
    is_javascript,
)
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

SERVER = """\
// server.js: a small API. Install first: npm install express cors
const express = require('express');
const cors = require("cors"), path = require('node:path');
const { readFile } = require('fs/promises');
const routes = require('./routes');
require('dotenv').config();
let sharp;
try { sharp = require('sharp'); } catch (err) { sharp = null; }
const app = express();
app.get('/', async (req, res) => {
  const { default: got } = await import('got');
  const plugin = await import(`./plugins/${req.query.name}.js`);
  res.json(await got('https://api.example.test/').json());
});
"""
COMPONENT = """\
'use client'

import React, { useState, type FC } from "react";
import type { AxiosResponse } from 'axios';
import * as d3 from 'd3-selection';
import { Button } from '@/components/ui/button';
import { formatDate } from '~/lib/dates'
import styles from './Chart.module.css';
import '@scope1/theme/dist/index.css';
export { default as Legend } from '@scope1/charts/legend';
export * from './types';
const Map = dynamic(() => import('react-leaflet').then((m) => m.MapContainer), { ssr: false });

/**
 * Draws it. Needs `npm install d3-selection@3`.
 * import { no } from 'in-a-comment'
 */
export const Chart: FC<Props> = ({ data }) => {
  const [n, setN] = useState<number>(0);
  const code = `import x from 'in-a-template'`;
  return (
    <>
      <p>Don't import x from 'jsx-text' here {n}</p>
      <Suspense fallback={<span>…</span>}><Map points={data.map((d) => d.x)} /></Suspense>
    </>
  );
};
"""
TYPESCRIPT = """\
/// <reference types="vite/client" />
import fs = require("fs");
import { Entity, Column } from "typeorm";
import type Koa from "koa";
declare module "koa" { interface State { user: string } }
@Entity()
export class User<T extends object = {}> {
  @Column({ nullable: true }) name!: string;
  constructor(private readonly repo: import("typeorm").Repository<User>) {}
}
const cast = <any>globalThis;
export type { Context } from "koa";
"""
DENO = """\
import chalk from "npm:chalk@5.3.0";
import { z } from "npm:zod";
import { assertEquals } from "jsr:@std/assert@1";
import { serve } from "https://deno.example.test/std/http/server.ts";
import data from "./data.json" with { type: "json" };
"""
MINIFIED = (
    '"use strict";var e=require("react"),t=require("react-dom/client");import("lodash-es").then'
    "(n=>{n.get(e,'a')}),function(e){e.exports={a:require('tiny-emitter')}}(module);"
)
VUE = """\
<template>
  <p>import x from 'no'</p>
</template>

<script setup lang="ts">
import { ref } from 'vue'
import { useStore } from 'pinia'
const n = ref<number>(0)
</script>

<style scoped>@import 'normalize.css';</style>
"""
TESTS = """\
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
jest.mock('axios');
vi.mock('../api', () => ({ get: vi.fn() }));
const actual = jest.requireActual('react-router-dom');
"""
INSTALLS = """\
const { execSync, spawn } = require('child_process');
execSync('npm install left1 left2', { stdio: 'inherit' });
spawn('npm', ['install', '--save-dev', 'left3@1']);
spawn("yarn", ["add", name, "left4"]);
run(['pnpm', 'add', 'left5']);
// half a command: install left6
"""

CODE = [
    (SERVER, [
        "express", "cors", "express", "cors", "node:path", "fs", "dotenv", "sharp", "got",
    ]),
    (COMPONENT, [
        "react", "axios", "d3-selection", "@scope1/theme", "@scope1/charts", "react-leaflet",
        "d3-selection",
    ]),
    (TYPESCRIPT, ["fs", "typeorm", "koa", "typeorm", "koa"]),
    (DENO, ["chalk", "zod"]),
    (MINIFIED, ["react", "react-dom", "lodash-es", "tiny-emitter"]),
    (VUE, ["vue", "pinia"]),
    (TESTS, ["@testing-library/react", "@testing-library/user-event", "react-router-dom"]),
    (INSTALLS, ["child_process", "left1", "left2", "left3", "left4", "left5"]),
]  # fmt: skip
STATEMENTS = "".join(
    f"import x{n} from 'alpha{n}';\nconst y{n} = require('beta{n}');\n" for n in (1, 2)
)


def found(code: str) -> list[PackageRef]:
    refs = list(JavaScriptExtractor().find(code, 5))
    for ref in refs:
        assert code[ref.start - 5 : ref.end - 5] == ref.raw
        assert ref.ecosystem is Ecosystem.NPM
    by_span = {ref.start: ref for ref in reversed(refs)}
    return [by_span[start] for start in sorted(by_span)]


@pytest.mark.parametrize(("code", "expected"), CODE)
def test_code(code: str, expected: list[str]) -> None:
    assert [ref.raw for ref in found(code)] == expected


@pytest.mark.parametrize(("code", "expected"), CODE)
def test_windows_line_ends(code: str, expected: list[str]) -> None:
    assert [ref.raw for ref in found(code.replace("\n", "\r\n"))] == expected


def test_fields_of_an_import() -> None:
    (ref,) = found("import get from '@scope1/pkg/get';")
    assert ref == PackageRef(
        Ecosystem.NPM, RefKind.IMPORT, "@scope1/pkg", 22, 33, name="@scope1/pkg",
        import_name="@scope1/pkg/get",
    )  # fmt: skip


def test_flags_and_builtins() -> None:
    flags = {ref.raw: ref.flags for ref in found(SERVER)}
    assert flags.pop("sharp") == {Flag.OPTIONAL}
    assert set(flags.values()) == {frozenset()}
    assert [ref.raw for ref in found(SERVER) if ref.builtin] == ["node:path", "fs"]
    typed = [Flag.TYPE_CHECKING in ref.flags for ref in found(TYPESCRIPT)]
    assert typed == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("function f( {\n  return x\n}\nimport x from 'y'\nconst z = require('w');\n", ["y", "w"]),
        ("import a from 'a1\nimport b from 'b1'\n", ["a1", "b1"]),
        ("npm install a1\nimport b from 'b1'\n", ["a1", "b1"]),
        ("import {\n  a,\n  b\n} from 'a1'\nfoo(((\n", ["a1"]),
        ("...\nimport a from 'a1'\n...\nconst b = require('b1')\n// ... rest }", ["a1", "b1"]),
        ("> const a = require('a1')\nundefined\n> a.b(", ["a1"]),
        ("const s = `import a from 'no'\nimport b from 'no'`\nimport c from 'c1'\n}{", ["c1"]),
        ("/*\nimport a from 'no'\n*/\nimport b from 'b1'\n)(", ["b1"]),
        ("try {\n  var a = require('a1')\n} catch (e) {}\n)(", ["a1"]),
        ("import typeof A from 'a1'", ["a1"]),
        ("def f():\n  pass\nimport x from 'y'", ["y"]),
    ],
)
def test_broken_code(code: str, expected: list[str]) -> None:
    assert [ref.raw for ref in found(code)] == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a from 'a1'\nimport b from 'b1", {"a1": False, "b1": True}),
        ('const a = require("a1', {"a1": True}),
        ("const a = require('a1'", {"a1": False}),
        ("import {\n  a,\n} from '@s1/a", {"@s1/a": True}),
        ("import a from 'lodash/ge", {"lodash": False}),
        ("const a = await import(`a1", {"a1": True}),
        ("f(x, function () {\n  const a = require('a1", {"a1": True}),
        ("import a from '@s1", {}),
        ("import a from '@s1/", {}),
        ("import a from './a", {}),
        ("import a from '", {}),
        ("import a fro", {}),
        ("import a from 'a1\n", {"a1": False}),
        ("// import a from 'no", {}),
    ],
)
def test_code_that_breaks_off(code: str, expected: dict[str, bool]) -> None:
    assert {ref.raw: Flag.TRUNCATED in ref.flags for ref in found(code)} == expected


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
    ("text", "expected"),
    [
        ("Use it:\n\nimport a from 'a1'\nconst b = require('b1');\n\nDon't worry.", ["a1", "b1"]),
        ("  import {\n    a\n  } from 'a1';", ["a1"]),
        ("import a from 'a1' at the top of your file.", []),
        ("You can import a from 'a1'.", []),
        ("Call require('a1') first.", []),
        ("importing 'a1' and such", []),
        ("The code:\nimport a from 'a1", ["a1"]),
    ],
)
def test_lines_between_prose(text: str, expected: list[str]) -> None:
    refs = list(JavaScriptLineExtractor().find(text, 3))
    assert [ref.raw for ref in refs] == expected
    assert all(text[ref.start - 3 : ref.end - 3] == ref.raw for ref in refs)


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
            st.sampled_from([SERVER, COMPONENT, TYPESCRIPT, VUE, MINIFIED, INSTALLS]).flatmap(
                lambda code: st.integers(0, len(code)).map(lambda n: code[n : n + 60])
            ),
            st.text(alphabet="'\"`{}()[]</>\\\n$;🎉é\x00\ud800 import", max_size=8),
        ),
        max_size=8,
    )
)
def test_no_input_breaks_it(parts: list[str]) -> None:
    text = "".join(parts)
    for ref in [*found(text), *JavaScriptLineExtractor().find(text, 0)]:
        assert ref.raw
        assert ref.name == ref.raw


@pytest.mark.parametrize(
    "code",
    [
        "(" * 50_000 + ")" * 50_000, "a" + ".b('x')" * 30_000, "try{" * 30_000, "`${" * 30_000,
        "<a>" * 30_000, "{'a':[" * 30_000, "x" * 300_000, "import {\n" * 10_000,
        "import a from 'x\n" * 5_000, "<script>" * 10_000,
    ],
    ids=["parens", "chain", "try", "template", "jsx", "json", "word", "imports", "open", "scripts"],
)  # fmt: skip
def test_long_or_deep_code_ends(code: str) -> None:
    names = [ref.raw for ref in found("import a from 'a1'\n" + code)]
    assert names == ["a1"] + ["x"] * code.count("from 'x\n")


@pytest.mark.parametrize("code", ["/* off\nimport a from 'b1'", "  /*\nconst a = require('b1')"])
def test_a_comment_that_nothing_closes_holds_no_code(code: str) -> None:
    refs = JavaScriptExtractor().find(f"/* x */ import p from 'a1'\n{code}", 0)
    assert [ref.raw for ref in refs] == ["a1"]


def test_a_glob_opens_no_comment() -> None:
    code = "const a = 'src/**/*.js';\nconst b = require('a1')\nif ("
    assert {ref.raw for ref in JavaScriptExtractor().find(code, 0)} == {"a1"}
