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
        ("```md\na `b`\n```", [(PROSE, "a `b`\n", ""), (INLINE, "b", "")]),
        ("````Markdown x\n```py\na\n```\n````\nb", [(FENCE, "a\n", "py"), (PROSE, "b", "")]),
        ("```README.md\na\n```", [(PROSE, "a\n", "")]),
        ("````md\n```md\na\n```\n````", [(FENCE, "a\n", "md")]),
        ("```mdx\n`a`\n```", [(FENCE, "`a`\n", "mdx")]),
        ("```md\n```", []),
        ("```\n\na `b`", [(PROSE, "```\n\na `b`", ""), (INLINE, "b", "")]),
        ("\n```\n\na\n```py\nb", [(PROSE, "\n```\n\na\n", ""), (FENCE, "b", "py")]),
        ("```\n\na:\n```\nb\n```", [(PROSE, "```\n\na:\n", ""), (FENCE, "b\n", "")]),
        ("```\n\na\n```\nb", [(FENCE, "\na\n", ""), (PROSE, "b", "")]),
        ("a\n```\n\nb", [(PROSE, "a\n", ""), (FENCE, "\nb", "")]),
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


def test_many_fences_of_markdown_end() -> None:
    assert len(split("```md\na `b`\n```\n" * 20_000)) == 40_000
    assert len(split("".join("`" * n + "md\n" for n in range(800, 2, -1)))) == 1
