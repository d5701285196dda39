"""Literals, TOML and YAML, whole and broken, with places."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest

from ghostbust.extractors.literals import (
    Entry,
    read_literal,
    read_object,
    toml_entries,
    yaml_entries,
)


def told(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Each entry as (its path, its string or scalar)."""
    return [("/".join(entry.keys), entry.text) for entry in entries]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('{"a": "b"}', [("a", "b")]),
        ('{"a": {"b": ["c", "d"]}, "e": 1}', [("a/b", "c"), ("a/b", "d"), ("e", "1")]),
        ('"a": "b", "c": {"d": "e"}', [("a", "b"), ("c/d", "e")]),
        ("{a = 'b', c = true}", [("a", "b"), ("c", "true")]),
        ('{"a": "b" /* c */, // d\n "e": "f", # g\n}', [("a", "b"), ("e", "f")]),
        ('{"a": "b\n"c": "d"}', [("a", "b"), ("c", "d")]),
        ('{"a": ["b"}', [("a", "b")]),
        ('{"a": "b"]}', [("a", "b")]),
        ('{"a": "b"', [("a", "b")]),
        ('{"a": "b', [("a", "b")]),
        ('{"a": {"b', [("a", ""), ("a/b", "")]),
        ('{"a": ', [("a", "")]),
        ("", []),
    ],
)
def test_objects(text: str, entries: list[tuple[str, str]]) -> None:
    assert told(read_object(text)) == entries or told(read_object(text)) == entries[::-1]


def test_a_literal_ends_where_it_closes() -> None:
    text = "x = ['a', f\"b\", ('c',)] + ['d']"
    entries, end = read_literal(text, 4)
    assert told(entries) == [("", "a"), ("", "b"), ("", "c")]
    assert text[end:] == " + ['d']"


def test_only_toml_takes_a_statement_for_the_end_of_a_list() -> None:
    text = "['a',\n'b'\n[table]\n'c'"
    assert told(read_literal(text, 0, toml=True)[0]) == [("", "a"), ("", "b")]
    assert len(read_literal(text, 0)[0]) == 4


@pytest.mark.parametrize(
    "written",
    ['"a\\n\\t\\"b\\\\"', '"\\u00e9\\ud83d\\ude00x"', '"\\ud83dx"', '"a\\/b"', '"plain"', '""'],
)
def test_escapes_are_read_as_json_reads_them(written: str) -> None:
    (entry,) = read_literal(written, 0)[0]
    assert entry.value is not None
    placed = entry.value.placed()
    assert placed.value == json.loads(written)
    assert all(
        written[at] in (char, "\\") for char, at in zip(placed.value, placed.at, strict=True)
    )


@pytest.mark.parametrize("written", ['"\\u12"', '"\\uzzzz"', '"\\U99999999"', '"\\', "'\\x4"])
def test_broken_escapes_do_not_raise(written: str) -> None:
    for entry in read_literal(written, 0)[0]:
        assert entry.value is not None
        assert len(entry.value.placed().value) == len(entry.value.placed().at)


def test_what_the_text_cuts_off_is_marked() -> None:
    (entry,) = read_literal('["req', 0)[0]
    assert entry.value is not None
    assert not entry.value.closed
    assert not all(e.key_closed for e in read_object('"a": {"req'))


def test_toml_single_quotes_know_no_escapes() -> None:
    assert told(read_literal(r"'a\'", 0, toml=True)[0]) == [("", "a\\")]


def test_holders_tell_objects_apart() -> None:
    entries = read_object('{"a": [{"b": "1", "c": ["2"]}, {"b": "3"}]}')
    assert entries[0].holder == entries[1].holder != entries[2].holder


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_parser_on_valid_json(seed: int) -> None:
    rng = random.Random(seed)

    def value(depth: int) -> object:
        kind = rng.randrange(4 if depth < 4 else 2)
        if kind == 2:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        if kind == 3:
            return {f"k{n}": value(depth + 1) for n in range(rng.randrange(4))}
        return rng.choice(["", "a", 'q"\\', "é\n😀", "//x", "#", "{", "]"])

    def strings(tree: object) -> list[str]:
        if isinstance(tree, str):
            return [tree]
        assert isinstance(tree, (dict, list))
        inner = tree.values() if isinstance(tree, dict) else tree
        return [text for child in inner for text in strings(child)]

    tree = {"root": value(0), "last": [value(0)]}
    for text in (
        json.dumps(tree), json.dumps(tree, indent=2), json.dumps(tree, ensure_ascii=False)
    ):  # fmt: skip
        assert [said for _, said in told(read_object(text))] == strings(tree)


def test_deep_nesting_is_read() -> None:
    assert told(read_literal("[" * 50_000 + "'a'", 0)[0]) == [("", "a")]
    assert len(read_object('{"a":' * 20_000 + '"b"')[0].path) <= 26


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('a = "b"', [("a", "b")]),
        ("[t]\na = 'b'\n[u.v]\nc = 1", [("t/a", "b"), ("u/v/c", "1")]),
        ('[t."x.y"]\n"a b".c = "d"', [("t/x.y/a b/c", "d")]),
        ('a = [\n  "b", # c\n  "d",\n]\ne = "f"', [("a", "b"), ("a", "d"), ("e", "f")]),
        ('a = {b = "c", d = ["e"]}', [("a/b", "c"), ("a/d", "e")]),
        ('a = """b\nc"""\nd = 1', [("a", "b\nc"), ("d", "1")]),
        ('a = [\n"b",\n\n[t]\nc = "d"', [("a", "b"), ("t/c", "d")]),
        ('a = [\n"b",\nc = "d"', [("a", "b"), ("c", "d")]),
        ('this is no toml\na = "b"', [("a", "b")]),
        ('a =\nb = "c"', [("b", "c")]),
        ('a = "b\nc = "d"', [("a", "b"), ("c", "d")]),
        ("[t]\nabc", [("t/abc", "")]),
        ("[t\na = 1", [("t/a", "1")]),
        ("[t]]\n[]\na = 1", [("t/a", "1")]),
        ("# a = 1\r\nb = 2\r\n", [("b", "2")]),
    ],
)
def test_entries(text: str, entries: list[tuple[str, str]]) -> None:
    assert told(toml_entries(text)) == entries


def test_tables_of_an_array_are_told_apart() -> None:
    one, two, three = toml_entries("[[a]]\nx = 1\ny = 2\n[[a]]\nx = 3")
    assert one.holder == two.holder != three.holder


def test_parts_of_a_key_know_their_place() -> None:
    text = '[a]\n"b.c" . d = "e"'
    (entry,) = toml_entries(text)
    assert [entry.path[n].at[0] for n in range(3)] == [1, 5, 12]


def read(text: str) -> list[tuple[str, str]]:
    """(keys, value) of each scalar, which must stand where it is said to."""
    found = []
    for path, value in yaml_entries(text):
        for one in (*path, value):
            span = one.span(0, len(one.value))
            assert span is None or text[slice(*span)] == one.value
        found.append((".".join(part.value for part in path), value.value))
    return [pair for pair in found if pair[1]]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_scalars_of_every_kind(mark: str) -> None:
    text = mark + "# 🎉\na: 1\n'b c':\n  - \"x\"\n  - {d: 'y', e: [z]}\r\nf: >\n  long\n  text\n"
    assert read(text) == [
        ("a", "1"), ("b c", "x"), ("b c.d", "y"), ("b c.e", "z"), ("f", "long text\n"),
    ]  # fmt: skip


def test_all_documents_are_read() -> None:
    assert read("a: 1\n---\nb: 2\n") == [("a", "1"), ("b", "2")]


def test_an_empty_collection_has_an_entry() -> None:
    (_, (path, _)) = yaml_entries("a: {}\n")
    assert [part.value for part in path] == ["a"]


@pytest.mark.parametrize("text", [r'"\x61b": 1', "'it''s': 1", "a: 'x\n  y'"])
def test_what_is_not_in_one_piece_has_no_place(text: str) -> None:
    ((path, value),) = (one for one in yaml_entries(text) if one[1].value)
    parts = (*path, value)
    assert any(part.span(0, len(part.value)) is None for part in parts)


@pytest.mark.parametrize(
    "text",
    ["a: &x [1]\nb: *x", "<<: {a: 1}", "!!str a: 1", "? [a]\n: b", "[" * 41 + "]" * 41, "a: [",
     "\0", "a: \ud800"],
)  # fmt: skip
def test_what_no_tool_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(yaml_entries(text))
