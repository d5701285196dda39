"""Blocks of an answer."""

from __future__ import annotations

import pytest

from ghostbust.extractors.markdown import BlockKind, split

FENCE, INLINE, PROSE = BlockKind.FENCE, BlockKind.INLINE, BlockKind.PROSE


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("just text", [(PROSE, "just text", "")]),
        ("a\n```py\nx\n```\nb", [(PROSE, "a\n", ""), (FENCE, "x\n", "py"), (PROSE, "b", "")]),
        ("~~~\nx\n~~~", [(FENCE, "x\n", "")]),
        ("```py\nx", [(FENCE, "x", "py")]),
        ("```", [(FENCE, "", "")]),
        ("````\n```\nx\n```\n````", [(FENCE, "```\nx\n```\n", "")]),
        ("```\n~~~\n```", [(FENCE, "~~~\n", "")]),
        ("1. ```sh\n   x\n   ```", [(FENCE, "   x\n", "sh")]),
        ("> ```sh\n> x\n> ```", [(FENCE, "> x\n", "sh")]),
        ("```sh\na\n```python\nb\n```", [(FENCE, "a\n", "sh"), (FENCE, "b\n", "python")]),
        ("`a` ``b ` c``", [(PROSE, "`a` ``b ` c``", ""), (INLINE, "a", ""), (INLINE, "b ` c", "")]),
        ("```pip i x```", [(PROSE, "```pip i x```", ""), (INLINE, "pip i x", "")]),
        ("open `a\nb` c", [(PROSE, "open `a\nb` c", "")]),
        (" \n", []),
        ("", []),
    ],
)
def test_split(text: str, blocks: list[tuple[BlockKind, str, str]]) -> None:
    assert [(b.kind, text[b.start : b.end], b.info) for b in split(text)] == blocks


def test_unclosed_fence_is_marked() -> None:
    assert [block.closed for block in split("```\na\n```\n```\nb")] == [True, False]


def test_a_million_blanks_are_no_fence() -> None:
    assert split(" " * 1_000_000) == []
