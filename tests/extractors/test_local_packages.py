"""Packages and files that the answer itself defines."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import split
from ghostbust.extractors.marks import local_packages
from ghostbust.records import Flag

TSCONFIG = '```json\n{"compilerOptions": {"paths": {"@db1/*": ["./x"], "*": []}}}\n```'


@pytest.mark.parametrize(
    ("text", "specifier", "expected"),
    [
        ('```json\n{"name": "@mine1/ui", "version": "1.0.0"}\n```', "@mine1/ui/button", True),
        ('```json\n{"name": "@mine1/ui"}\n```', "@mine1/ui-kit", False),
        (TSCONFIG, "@db1/x", True),
        (TSCONFIG, "other", False),
        ('```json\n{"name": 1, "compilerOptions": {"paths": []}}\n```', "x", False),
        ('```json\n{"name": "x",\n```', "x", False),
        ('```json\n["name"]\n```', "name", False),
        ('Name: {"name": "x"}', "x", False),
        ("```js title=\"db1/models.js\"\n1\n```", "db1/models", True),
        ("```ts:src/db1/index.ts\n1\n```", "db1", True),
        ("```js\n// db1.js\n1\n```", "db1", True),
        ("```js\n// File: db1.js\n1\n```", "db1", True),
        ("```js\n/* db1.js */\n1\n```", "db1", True),
        ("```js\n// uses db1.js for that\n1\n```", "db1", False),
        ("```js\n1\n// db1.js\n```", "db1", False),
        ("Create `db1.js`.", "db1", False),
    ],
)  # fmt: skip
def test_what_an_answer_defines(text: str, specifier: str, expected: bool) -> None:
    assert local_packages(text, split(text)).hold(specifier, len(text)) is expected


def test_a_file_is_not_its_own_module() -> None:
    text = "```js\n// three.js\nimport 'three'\n```\n```js\nimport 'three'\n```"
    assert [Flag.LOCAL_MODULE in ref.flags for ref in extract(text)] == [False, True]


def test_builtins_and_installs_are_never_local() -> None:
    text = '```json\n{"name": "zlib"}\n```\n```js\nrequire("zlib")\n// npm install zlib\n```'
    assert [ref.flags for ref in extract(text)] == [frozenset(), frozenset()]
