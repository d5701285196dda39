"""Scalars of YAML with their keys and places."""

from __future__ import annotations

import pytest

from ghostbust.extractors.literals import yaml_entries


def read(text: str) -> list[tuple[str, str]]:
    """(keys, value) of each scalar, which must stand where it is said to."""
    found = []
    for entry in yaml_entries(text):
        for one in (*entry.path, entry.value):
            span = one.span(0, len(one.value))
            assert span is None or text[slice(*span)] == one.value
        found.append((".".join(part.value for part in entry.path), entry.value.value))
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
    (_, entry) = yaml_entries("a: {}\n")
    assert [part.value for part in entry.path] == ["a"]


@pytest.mark.parametrize("text", [r'"\x61b": 1', "'it''s': 1", "a: 'x\n  y'"])
def test_what_is_not_in_one_piece_has_no_place(text: str) -> None:
    (entry,) = (one for one in yaml_entries(text) if one.value.value)
    parts = (*entry.path, entry.value)
    assert any(part.span(0, len(part.value)) is None for part in parts)


@pytest.mark.parametrize(
    "text",
    ["a: &x [1]\nb: *x", "<<: {a: 1}", "!!str a: 1", "? [a]\n: b", "[" * 41 + "]" * 41, "a: [",
     "\0", "a: \ud800"],
)  # fmt: skip
def test_what_no_tool_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(yaml_entries(text))
