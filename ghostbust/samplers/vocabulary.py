"""What each token of a tokenizer writes, as bytes: a character may be cut between two tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol


class Tokenizer(Protocol):
    """What a vocabulary asks of a tokenizer of transformers."""

    @property
    def all_special_ids(self) -> list[int]: ...

    def __len__(self) -> int: ...

    def convert_ids_to_tokens(self, ids: list[int]) -> str | list[str]: ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a model."""

    pieces: Sequence[bytes]
    """by token id; empty for special tokens"""
    end_tokens: frozenset[int]
    """special tokens that end an answer"""
    characters: list[int] = field(init=False)
    """ids of the tokens that are one ASCII character"""
    _texts: list[str | None] = field(init=False)

    def __post_init__(self) -> None:
        single = [i for i, piece in enumerate(self.pieces) if len(piece) == 1 and piece.isascii()]
        object.__setattr__(self, "characters", single)
        object.__setattr__(self, "_texts", [None] * len(self.pieces))

    @classmethod
    def of(cls, tokenizer: Tokenizer, end_tokens: Collection[int]) -> Vocabulary:
        """The tokens of a byte-level or a SentencePiece tokenizer."""
        ids = list(range(len(tokenizer)))
        tokens = [token or "" for token in tokenizer.convert_ids_to_tokens(ids)]
        is_byte_level = any(token.startswith("Ġ") for token in tokens)
        special = frozenset(tokenizer.all_special_ids)
        read = _byte_level if is_byte_level else _of_sentencepiece
        pieces = [b"" if i in special else read(token) for i, token in enumerate(tokens)]
        return cls(pieces, frozenset(end_tokens))

    def read(self, tokens: Iterable[int]) -> str:
        """The text of tokens, without special ones."""
        known = (self.pieces[token] for token in tokens if token < len(self.pieces))
        return b"".join(known).decode("utf-8", "replace")

    def text(self, token: int) -> str:
        """What a token writes; a line's end for one that ends the answer."""
        if token >= len(self.pieces):  # a model's table is often longer than its vocabulary
            return ""
        found = self._texts[token]
        if found is None:
            found = self.pieces[token].decode("utf-8", "replace")
            if token in self.end_tokens:
                found = "\n"
            self._texts[token] = found
        return found


def _byte_level(token: str) -> bytes:
    table = _byte_of()
    if all(char in table for char in token):
        return bytes(table[char] for char in token)
    return token.encode()  # an added token, which stands for itself


def _of_sentencepiece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


@cache
def _byte_of() -> dict[str, int]:
    """The byte that a character of a byte-level token stands for (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {chr(byte): byte for byte in shown}
    return table | {chr(256 + place): byte for place, byte in enumerate(hidden)}
