"""What is wrong with an answer as an answer: empty, malformed, looping, with undefined names.

The definitions are coarse, and the base has such answers too: only the difference to it means
something, and only if it is larger than between the base and itself. Apart from `measure`, since
it needs a parser, which light commands don't load.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from tree_sitter import Language, Node, Parser, Tree

from ghostbust.records import Answer, Context, Ecosystem, Sample
from ghostbust.undefined_roots import javascript_roots, python_roots

FAULTS = ("empty", "malformed", "looping", "undefined")
REPEATS = 4
"""how often the same words come in a loop, without a gap"""
LONGEST_LOOP = 40
"""words of the longest repeated part"""
SHORTEST_LOOP = 12
"""words that all repetitions together have at least"""
LONGEST_MARKS, SHORTEST_MARKS = 4, 8
"""the same of lines that hold no letter and no digit, such as fences and comment signs"""

_INCOMPLETE = 0x4000  # PyCF_ALLOW_INCOMPLETE_INPUT, as codeop has it (CPython 3.11 to 3.14)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([^\s`]*)")
_MARKER = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s+(?=\S)")
_LABELS = {
    Ecosystem.PYPI: ("python", "py", "python3", "ipython", ""),
    Ecosystem.NPM: ("javascript", "js", "jsx", "mjs", "cjs", "typescript", "ts", "tsx", ""),
}
_INSTALLERS = ("pip", "pip3", "uv", "conda", "poetry", "npm", "npx", "yarn", "pnpm", "$")


@dataclass(frozen=True, slots=True)
class FencedBlock:
    """A fenced block of an answer, or the whole of one that has no fence."""

    label: str
    """the language behind the fence, in lower case; empty where none is given"""
    code: str
    closed: bool
    """False where the answer ends before the fence does"""


def faults_of(answer: Answer) -> tuple[str, ...]:
    """Which of ``FAULTS`` an answer has. An empty one has no other.

    empty
        no text but blanks.
    malformed
        a fence that is left open by an answer that the token limit did not cut off; or, where
        code was asked for, no block in the language, or one that doesn't parse; or, where a list
        was asked for, no list item, no line of one word (a fence is neither), and no package.
        Without a fence the whole answer is the code. A block that was cut off must parse as the
        beginning of something, its last line left aside. Install commands among the code are
        passed over.
    looping
        a sequence of up to 40 words comes 4 times or more without a gap, 12 words or more in
        all, one of them with a letter; numbers and bullets of list items don't count as words. Or
        one of up to 4 lines without letter or digit, blank ones aside, 8 lines or more in all.
    undefined
        code that uses a root which nothing in the answer binds (`undefined_roots`).
    """
    return faults_of_form(answer) + ("undefined",) * bool(undefined_roots(answer))


def faults_of_form(answer: Answer) -> tuple[str, ...]:
    """The same without ``undefined``, which an answer of sound form may be: what training asks."""
    if not answer.sample.text.strip():
        return ("empty",)
    malformed, looping = is_malformed(answer), is_looping(answer.sample.text)
    return ("malformed",) * malformed + ("looping",) * looping


def undefined_roots(answer: Answer) -> set[str]:
    """The names of which an answer to a CODE prompt takes an attribute, or which it calls, though
    nothing in its blocks of that language binds them.

    Empty where one of the blocks doesn't parse, which is a fault by itself: it may bind anything.
    """
    sample = answer.sample
    ecosystem = sample.prompt.ecosystem
    if sample.prompt.context is not Context.CODE or is_malformed(answer):
        return set()
    code = _code_blocks(sample)
    if ecosystem is Ecosystem.NPM:
        read = ((_javascript_tree(block), block.closed) for block in code)
        return javascript_roots((tree.root_node, whole) for tree, whole in read if tree)
    if ecosystem is Ecosystem.PYPI:
        parsed = ((_python_tree(block), block.closed) for block in code)
        return python_roots((tree, whole) for tree, whole in parsed if tree)
    return set()


def is_malformed(answer: Answer) -> bool:
    """True for a malformed answer, as ``faults_of`` says."""
    sample = answer.sample
    if any(not block.closed for block in blocks(sample.text)) and not sample.truncated:
        return True
    if sample.prompt.context is not Context.CODE:
        return not answer.judged and not any(map(_is_item, sample.text.splitlines()))
    code = _code_blocks(sample)
    return not code or not all(parses(block, sample.prompt.ecosystem) for block in code)


def _code_blocks(sample: Sample) -> list[FencedBlock]:
    """The blocks in the language that was asked for; without a fence, the whole answer."""
    fenced = list(blocks(sample.text))
    fenced = fenced or [FencedBlock("", sample.text, closed=not sample.truncated)]
    labels = _LABELS.get(sample.prompt.ecosystem, ("",))
    return [block for block in fenced if block.label in labels]


def breaks_off(text: str) -> bool:
    """True for a text that can't be a whole answer: blank, about to list, or within a fence."""
    text = text.rstrip()
    return not text or text.endswith(":") or any(not block.closed for block in blocks(text))


def is_looping(text: str) -> bool:
    """True where words or lines of mere marks repeat without end, as ``faults_of`` says."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    words = [word for line in lines for word in _MARKER.sub("", line).split()]
    return any(
        any(map(str.isalpha, "".join(part)))
        for part in _repeated(words, LONGEST_LOOP, SHORTEST_LOOP)
    ) or any(
        not any(map(str.isalnum, "".join(part)))
        for part in _repeated(lines, LONGEST_MARKS, SHORTEST_MARKS)
    )


def _repeated(items: Sequence[str], longest: int, shortest: int) -> Iterator[Sequence[str]]:
    """Each part of up to ``longest`` items that comes ``REPEATS`` times or more without a gap,
    ``shortest`` items or more in all.
    """
    for period in range(1, min(longest, len(items) // REPEATS) + 1):
        needed = max(REPEATS * period, shortest) - period
        run = 0
        for place in range(len(items) - period):
            run = run + 1 if items[place] == items[place + period] else 0
            if run >= needed:
                # The first items of a run that long are the whole part that repeats.
                yield items[place + 1 - run : place + 1 - run + period]


def blocks(text: str) -> Iterator[FencedBlock]:
    """The fenced blocks of a text, in order."""
    label, fence, code = "", "", list[str]()
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, label, code = mark[1], mark[2].lower(), []
        elif fence and mark and not mark[2] and mark[1].startswith(fence):
            yield FencedBlock(label, "\n".join(code), closed=True)
            fence = ""
        elif fence:
            code.append(line)
    if fence:
        yield FencedBlock(label, "\n".join(code), closed=False)


def parses(block: FencedBlock, ecosystem: Ecosystem) -> bool:
    """True where the block is code of the ecosystem's language, or the beginning of such."""
    if ecosystem is Ecosystem.NPM:
        return _javascript_tree(block) is not None
    return _python_parses(_code_of(block), closed=block.closed)


def _code_of(block: FencedBlock) -> str:
    """The code without commands, and without the line in the middle of which it was cut off."""
    lines = block.code.splitlines()
    if not block.closed:
        del lines[-1:]  # it may end in the middle of a word
    return "\n".join("" if _is_command(line) else line for line in lines) + "\n"


def _python_parses(code: str, *, closed: bool) -> bool:
    try:
        _compiled(code, 0 if closed else _INCOMPLETE)
    except SyntaxError as exc:
        return not closed and "incomplete input" in str(exc)
    except (ValueError, RecursionError, MemoryError):  # a null byte; nested too deeply
        return False
    return True


def _compiled(code: str, flags: int = 0) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "\\d" and the like
        tree = compile(code, "<answer>", "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
    return cast("ast.Module", tree)


def _python_tree(block: FencedBlock) -> ast.Module | None:
    """The tree of code that ``parses``: of a cut one as many of its first lines as are whole."""
    lines = _code_of(block).splitlines()
    while lines:
        try:
            return _compiled("\n".join(lines) + "\n")
        except SyntaxError:
            lines.pop()
    return None


def _javascript_tree(block: FencedBlock) -> Tree | None:
    """The tree of the code, open brackets closed where it was cut off; None if it has errors."""
    code, label = _code_of(block), block.label
    parser = _parser("tsx" if label == "tsx" else "ts" if label in ("ts", "typescript") else "js")
    tree = parser.parse(code.encode())
    if tree.root_node.has_error and not block.closed:
        tree = parser.parse((code + _missing_closers(tree.root_node)).encode())
    return None if tree.root_node.has_error else tree


def _missing_closers(root: Node) -> str:
    """The brackets that are still open at the end, closed."""
    closers = {"(": ")", "[": "]", "{": "}", "${": "}"}
    waiting: list[str] = []
    stack = [root]
    while stack:
        node = stack.pop()
        stack += reversed(node.children)
        if node.type in closers:
            waiting.append(closers[node.type])
        elif waiting and node.type == waiting[-1] and not node.is_missing:
            waiting.pop()
    return "".join(reversed(waiting))


@cache
def _parser(grammar: str) -> Parser:
    if grammar == "js":
        import tree_sitter_javascript

        return Parser(Language(tree_sitter_javascript.language()))
    import tree_sitter_typescript

    if grammar == "ts":
        return Parser(Language(tree_sitter_typescript.language_typescript()))
    return Parser(Language(tree_sitter_typescript.language_tsx()))


def _is_command(line: str) -> bool:
    """True for an install command or a notebook's own command, which isn't code."""
    words = line.split(maxsplit=1)
    return bool(words) and (
        (words[0] in _INSTALLERS and len(words) > 1)
        or words[0][0] in "!%"
        or line.lstrip().startswith(("python -m pip ", "python3 -m pip "))
    )


def _is_item(line: str) -> bool:
    """True for a list item or a line of one word; a fence is neither, nor are mere marks."""
    one = bool(_MARKER.match(line)) or len(line.split()) == 1
    return one and any(map(str.isalnum, line)) and not _FENCE.match(line)
