"""TOML read with places, whole and broken."""

from __future__ import annotations

import pytest

from ghostbust.extractors.literals import toml_entries


def told(text: str) -> list[tuple[str, str]]:
    return [
        (
            "/".join(part.value for part in e.path),
            e.value.placed().value if e.value else e.scalar,
        )
        for e in toml_entries(text)
    ]


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
    assert told(text) == entries


def test_tables_of_an_array_are_told_apart() -> None:
    one, two, three = toml_entries("[[a]]\nx = 1\ny = 2\n[[a]]\nx = 3")
    assert one.holder == two.holder != three.holder


def test_parts_of_a_key_know_their_place() -> None:
    text = '[a]\n"b.c" . d = "e"'
    (entry,) = toml_entries(text)
    assert [entry.path[n].at[0] for n in range(3)] == [1, 5, 12]
