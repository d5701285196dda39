"""Crates that Rust code imports."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import examine, extract
from ghostbust.records import Ecosystem, Flag, RefKind


def imported(code: str) -> dict[str, bool]:
    """Name to whether it may be the code's own; no built-in ones."""
    refs = extract(f"```rust\n{code}\n```")
    assert all(f"```rust\n{code}\n```"[ref.start : ref.end] == ref.raw for ref in refs)
    assert all(ref.ecosystem is Ecosystem.CARGO for ref in refs)
    return {str(ref.name): Flag.LOCAL_MODULE in ref.flags for ref in refs if not ref.builtin}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("use serde::{Deserialize, Serialize};", "serde"),
        ("pub(crate) use tokio_stream::StreamExt as _;", "tokio-stream"),
        ("use {tokio::net, anyhow as a, rand::{self, Rng}};", "tokio anyhow rand"),
        ("use ::rand::Rng;", "rand"),
        ("extern crate lazy_static as ls;", "lazy-static"),
        ("#[macro_use] extern crate log;", "log"),
        ("use prelude_crate::*;", "prelude-crate"),
        ("use serde;", "serde"),
        ("fn main() { use chrono::Utc; }", "chrono"),
        ("use std::fs; use core::fmt; extern crate alloc;", ""),
        ("use crate::a::b; use self::c; use super::d::*;", ""),
        ("enum Color { Red } use Color::*;", ""),  # a type
        ('let s = "use fake::x;"; // use other::y;', ""),
        ("use broken::thing\nuse serde::Serialize;\nfn (", "serde"),
    ],
)
def test_what_is_imported(code: str, names: str) -> None:
    assert set(names.split()) <= set(imported(code))
    if "broken" not in code:
        assert set(imported(code)) == set(names.split())


@pytest.mark.parametrize(
    ("code", "own"),
    [
        ("mod utils;\nuse utils::x;", {"utils": True}),
        ("mod a { pub mod b {} }\nuse a::b;\nuse b::c;", {"a": True, "b": True}),
        ("use std::collections;\nuse collections::HashMap;", {"collections": True}),
        ("use serde as s;\nuse s::Serialize;", {"serde": False, "s": True}),
        ("use tokio::sync;\nmod t { use sync::mpsc; }", {"tokio": False, "sync": False}),
        ("use tokio::sync;\nmod t { use super::*; use sync::mpsc; }",
         {"tokio": False, "sync": True}),
        ("use crate::prelude::*;\nuse things::x;", {"things": True}),
        ("mod rand {}\nuse ::rand::Rng;", {"rand": False}),
        ("use tokio::sync::*;\nuse serde::Serialize;", {"tokio": False, "serde": False}),
    ],
)  # fmt: skip
def test_what_may_be_the_codes_own(code: str, own: dict[str, bool]) -> None:
    assert imported(code) == own


def test_an_answers_own_crates() -> None:
    answer = """Run `cargo new shop-app`:
```toml
[package]
name = "shop-lib"
[dependencies]
json = { package = "serde_json", version = "1" }
near = { path = "../near" }
```
```rs
use shop_lib::run; use json::Value; use near::x; use shop_app::y; use hyper::Body;
```
"""
    flags = {ref.name: ref.flags for ref in extract(answer) if ref.kind is RefKind.IMPORT}
    assert [name for name, held in flags.items() if Flag.LOCAL_MODULE not in held] == ["hyper"]
    assert len(flags) == 5


def test_code_without_a_label_and_a_files_name() -> None:
    code = "use serde::Serialize;\n\nfn main() {}\n"
    assert [ref.name for ref in extract(code, filename="src/main.rs")] == ["serde"]
    assert [ref.name for ref in extract(f"```\n{code}```")] == ["serde"]
    assert not extract("Then use serde::Serialize; it is fine.")


def test_what_takes_too_much_work_is_reported() -> None:
    deep = "use serde::x;\n" + "fn f() { (" * 200_000
    found = examine(deep, filename="x.rs")
    assert len(found.unread) == 1 or found.refs
