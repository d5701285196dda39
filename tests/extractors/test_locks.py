"""Lock files of every tool, in the forms that the tools write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.locks import LOCKS, lock_of
from ghostbust.records import Flag, PackageRef

LOCK_FILES = Path(__file__).parents[1] / "assets" / "locks"
FILES = [  # names of no other index, those of one, those from elsewhere
    ("package-lock.json", "npm-1.json", "@types/node undici-types left-pad",
     {"@types/node"}, ["forked", "beside"]),
    ("npm-shrinkwrap.json", "npm-3.json", "@types/node undici-types left-pad ours",
     {"ours"}, ["@mine/lib", "forked"]),
    ("pnpm-lock.yaml", "pnpm-5.yaml", "@types/node react-dom @ours/a", {"@ours/a"}, ["forked"]),
    ("pnpm-lock.yaml", "pnpm-6.yaml", "@types/node react-dom @ours/a", {"@ours/a"}, ["forked"]),
    ("pnpm-lock.yaml", "pnpm-9.yaml", "@types/node left-pad ours", {"ours"}, ["forked"]),
    ("yarn.lock", "yarn-1.txt", "@babel/code-frame js-tokens left-pad",
     {"@babel/code-frame"}, ["forked"]),
    ("yarn.lock", "yarn-8.yaml", "@types/node ours left-pad typescript", {"ours"}, ["lib"]),
    ("uv.lock", "uv.toml", "requests", {"requests"}, ["forked", "lib"]),
    ("poetry.lock", "poetry.toml", "certifi ours", {"ours"}, ["forked"]),
    ("pdm.lock", "pdm.toml", "a1", set[str](), ["b1"]),
    ("pylock.toml", "pylock.toml", "attrs cattrs", {"attrs"}, ["forked"]),
    ("Pipfile.lock", "pipfile.json", "requests pytest sphinx",
     {"requests", "pytest", "sphinx"}, ["forked"]),
    ("Cargo.lock", "cargo.toml", "serde ours", {"ours"}, ["forked"]),
]  # fmt: skip


def found(path: str, text: str) -> list[PackageRef]:
    refs = extract(text, filename=path)
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)
    return refs


@pytest.mark.parametrize(("path", "file", "names", "of_other_index", "elsewhere"), FILES)
def test_a_lock_file(
    path: str, file: str, names: str, of_other_index: set[str], elsewhere: list[str]
) -> None:
    refs = found(path, (LOCK_FILES / file).read_text(encoding="utf-8"))
    away = [ref.name for ref in refs if Flag.ELSEWHERE in ref.flags]
    here = [ref for ref in refs if Flag.ELSEWHERE not in ref.flags]
    assert " ".join(str(ref.name) for ref in here) == names
    assert away == elsewhere
    assert {ref.name for ref in here if ref.indexes} == of_other_index
    assert all("example.test" in one.address for ref in here for one in ref.indexes)
    assert {ref.ecosystem for ref in refs} == {LOCKS[lock_of(path)].ecosystem}


def test_all_kinds_are_tried() -> None:
    assert {path.lower() for path, *_ in FILES} >= set(LOCKS) - {"package-lock.json"}


@pytest.mark.parametrize(
    ("path", "lock"),
    [("a/uv.lock", "uv.lock"), ("pylock.dev.toml", "pylock.toml"), ("pylock.a.b.toml", ""),
     ("C:\\x\\Pipfile.lock", "pipfile.lock"), ("Cargo.lock", "cargo.lock"), ("xyarn.lock", "")],
)  # fmt: skip
def test_names_of_lock_files(path: str, lock: str) -> None:
    assert lock_of(path) == lock


def deep(levels: int) -> str:
    """A version 1 lock file whose dependencies lie within each other."""
    inner: dict[str, object] = {"zz-deep": {"version": "1"}}
    for level in range(levels):
        inner = {f"a{level}": {"version": "1", "dependencies": inner}}
    return json.dumps({"lockfileVersion": 1, "dependencies": inner})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package-lock.json", "{"),
        ("package-lock.json", "[]"),
        ("package-lock.json", "[" * 100_000),
        ("package-lock.json", '{"packages": {"node_modules/z\\u007a": {"version": "1"}}}'),
        ("package-lock.json", '{"packages": {"node_modules/zz": {}}}'),
        ("package-lock.json", deep(30)),
        ("pnpm-lock.yaml", "packages: {zz@1: {}}"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: &x\n  zz@1: {}\nsnapshots: *x\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  <<: {zz@1: {}}\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: !!map {zz@1: {}}\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  \"z\\u007a@1\": {}\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  ? {a: b}\n  : {}\n"),
        ("pnpm-lock.yaml", "a: " + "[" * 5_000),
        ("pnpm-lock.yaml", "a: [\n"),
        ("yarn.lock", "<<<<<<< HEAD\nleft-pad@1:\n  version 1\n"),
        ("yarn.lock", "left-pad@1\n  version 1\n"),
        ("yarn.lock", '"z\\u007a@1":\n  version "1"\n'),
        ("yarn.lock", "  version 1\n"),
        ("uv.lock", "[[package]]\n"),
        ("uv.lock", "package = 1"),
        ("uv.lock", '[[package]]\nname = "z\\u007a"\n'),
        ("uv.lock", '[[package]]\nname = "a"\n[[package]\n'),
        ("uv.lock", '[[package]]\nversion = "1"\n'),
        ("Pipfile.lock", '{"default": {"z\\u007a": {"version": "1"}}}'),
    ],
)
def test_what_is_not_sound_is_refused_as_a_whole(path: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        LOCKS[lock_of(path)].read(text)
    assert found(path, text) == []


def test_nested_dependencies_are_all_found() -> None:
    assert "zz-deep" in [ref.name for ref in found("package-lock.json", deep(8))]


def test_a_lock_file_that_says_it_is_a_notebook_is_none() -> None:
    data = {"cells": [], "packages": {"node_modules/zz": {"version": "1"}}}
    assert [ref.name for ref in found("package-lock.json", json.dumps(data))] == ["zz"]


def test_a_fence_with_the_name_of_a_lock_file_is_one() -> None:
    (ref,) = extract("```yarn.lock\njs-tokens@^4.0.0:\n  version 4.0.0\n```\n")
    assert ref.name == "js-tokens"
