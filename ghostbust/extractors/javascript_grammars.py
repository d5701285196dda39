"""The tree-sitter grammars of JavaScript and TypeScript, loaded at their first use."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Tree


_MOST_OPEN = 100


class Grammar(StrEnum):
    """One way to read the text. TSX reads JavaScript and JSX as well."""

    TSX = "tsx"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"


def parse(data: bytes, grammar: Grammar) -> Tree:
    """The syntax tree of UTF-8 text; a tree with errors in it where the text isn't valid."""
    from tree_sitter import Parser

    return Parser(_language(grammar)).parse(_without_open_comments(data))


def _without_open_comments(data: bytes) -> bytes:
    """The text up to a comment that nothing closes, if very many could be that one.

    From each of them the lexer looks for its end in vain, up to the end of the text.
    """
    closed = data.rfind(b"*/")
    start = closed + 2 if closed >= 0 else 0
    return data[: data.find(b"/*", start)] if data.count(b"/*", start) > _MOST_OPEN else data


@cache
def _language(grammar: Grammar) -> Language:
    from tree_sitter import Language

    if grammar is Grammar.JAVASCRIPT:
        import tree_sitter_javascript

        return Language(tree_sitter_javascript.language())
    import tree_sitter_typescript

    if grammar is Grammar.TSX:
        return Language(tree_sitter_typescript.language_tsx())
    return Language(tree_sitter_typescript.language_typescript())
