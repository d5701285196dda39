"""Turns places in UTF-8 bytes, as tree-sitter gives them, into places in code points."""

from __future__ import annotations

from bisect import bisect_right

_BLOCK = 256


class ByteOffsets:
    """A text as UTF-8, and the way back. A lone surrogate becomes ``?``, still one code point."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "replace")
        """the text in UTF-8"""
        self._ascii = len(self.data) == len(text)
        self._starts = [0]
        if not self._ascii:
            for end in range(_BLOCK, len(text) + 1, _BLOCK):
                block = text[end - _BLOCK : end]
                self._starts.append(self._starts[-1] + len(block.encode("utf-8", "replace")))

    def code_point(self, offset: int) -> int:
        """How many code points stand in front of a byte; constant time."""
        if self._ascii:
            return offset
        block = bisect_right(self._starts, offset) - 1
        piece = self.data[self._starts[block] : offset]
        return block * _BLOCK + len(piece.decode("utf-8", "ignore"))

    def byte(self, code_point: int) -> int:
        """The place in the bytes of a code point of the text; constant time."""
        if self._ascii:
            return code_point
        block, rest = divmod(code_point, _BLOCK)
        piece = self.data[self._starts[block] : self._starts[block] + 4 * rest]
        return self._starts[block] + len(piece.decode("utf-8", "ignore")[:rest].encode())
