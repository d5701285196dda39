"""Splits a diff into the files that it changes, so that each is read as what its name says.

The name is that behind ``+++``. A diff stands in a fence, or between prose from a line
``diff --git`` up to the first line that no diff has.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import replace

from ghostbust.extractors.code_lines import DIFF_INFOS, DIFF_SIGNS
from ghostbust.extractors.markdown import Block, BlockKind
from ghostbust.extractors.vocabulary import word_set

_OPEN = word_set("text txt plaintext plain none code") | frozenset({*DIFF_INFOS, ""})
_GIT = "diff --git "
_HEADS = (
    *DIFF_SIGNS, "new file mode ", "deleted file mode ", "old mode ", "new mode ", "similarity ",
    "dissimilarity ", "rename ", "copy ", "Binary files ",
)  # fmt: skip


def with_diffs_split(text: str, blocks: list[Block]) -> list[Block]:
    """The blocks, with one for each changed file of a diff instead of the block that holds it."""
    split = [part for block in blocks for part in _parts(text, block)]
    ends = {part.start: part.end for part in split if part.is_diff}
    starts = sorted(ends)

    def is_inside(part: Block) -> bool:
        number = bisect(starts, part.start) - 1
        return number >= 0 and part.start < ends[starts[number]]

    return [part for part in split if part.kind is not BlockKind.INLINE or not is_inside(part)]


def _parts(text: str, block: Block) -> Iterator[Block]:
    """The files of a diff in a block and the prose around it; else the block itself."""
    body = text[block.start : block.end]
    label = (block.info.strip("{}.").lower().split() or [""])[0]
    if block.kind is BlockKind.INLINE or "+++ " not in body:
        yield block
    elif block.kind is BlockKind.PROSE:
        yield from _in_prose(text, block) if _GIT in body else [block]
    elif label in _OPEN and not block.quotes:
        yield from _files(text, block) or [block]
    else:
        yield block


def _in_prose(text: str, block: Block) -> Iterator[Block]:
    """Prose and the diffs in it, in turn."""
    prose = start = block.start
    diff: int | None = None
    for line in [*text[block.start : block.end].splitlines(keepends=True), "end"]:
        if diff is None and line.startswith(_GIT):
            diff = start
            yield from _unless_blank(text, replace(block, start=prose, end=start))
        elif diff is not None and line.strip() and not line.startswith(_HEADS):
            yield from _files(text, replace(block, start=diff, end=start))
            diff, prose = None, start
        start += len(line)
    yield from _unless_blank(text, replace(block, start=min(prose, block.end), end=block.end))


def _unless_blank(text: str, block: Block) -> Iterator[Block]:
    if text[block.start : block.end].strip():
        yield block


def _files(text: str, block: Block) -> list[Block]:
    """One block for each ``+++`` line: what follows it up to the head of the next file."""
    files: list[Block] = []
    name, body = "", -1
    start = block.start
    previous = ""
    for line in [*text[block.start : block.end].splitlines(keepends=True), _GIT]:
        if line.startswith(_GIT) or (line.startswith("+++ ") and previous.startswith("--- ")):
            end = start - (len(previous) if line.startswith("+") else 0)
            if body >= 0 and name:
                files.append(Block(BlockKind.FENCE, body, min(end, block.end), name, is_diff=True))
            body = start + len(line) if line.startswith("+") else -1
            name = _name(line)
        start, previous = start + len(line), line
    return files


def _name(line: str) -> str:
    """The file behind ``+++``; empty where there is none, as for one that is deleted."""
    path = line[len("+++ ") :].partition("\t")[0].strip().strip('"')
    return "" if path == "/dev/null" else path.removeprefix("b/")
