"""Nested literals in any notation, whole and broken."""

from __future__ import annotations

import json
import random

import pytest

from ghostbust.extractors.literals import Entry, read_literal, read_object


def told(entries: list[Entry]) -> list[tuple[str, str]]:
    """Each entry as (its path, its string or scalar)."""
    return [
        (
            ".".join(part.value for part in e.path),
            e.value.placed().value if e.value is not None else e.scalar,
        )
        for e in entries
    ]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('{"a": "b"}', [("a", "b")]),
        ('{"a": {"b": ["c", "d"]}, "e": 1}', [("a.b", "c"), ("a.b", "d"), ("e", "1")]),
        ('"a": "b", "c": {"d": "e"}', [("a", "b"), ("c.d", "e")]),
        ("{a = 'b', c = true}", [("a", "b"), ("c", "true")]),
        ('{"a": "b" /* c */, // d\n "e": "f", # g\n}', [("a", "b"), ("e", "f")]),
        ('{"a": "b\n"c": "d"}', [("a", "b"), ("c", "d")]),
        ('{"a": ["b"}', [("a", "b")]),
        ('{"a": "b"]}', [("a", "b")]),
        ('{"a": "b"', [("a", "b")]),
        ('{"a": "b', [("a", "b")]),
        ('{"a": {"b', [("a", ""), ("a.b", "")]),
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
    text = r"'a\'"
    (entry,) = read_literal(text, 0, toml=True)[0]
    assert entry.value is not None
    assert entry.value.placed().value == "a\\"


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
