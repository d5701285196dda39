"""The command lines that stand in the documentation, as a shell would split them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SESSION = "console"
"""label of a block in which ``$ `` begins a command; all else there is what it printed"""
SCRIPTS = ("sh", "bash")
"""labels of blocks in which every line is a command"""
KEYED = {"yaml": r"^\s*(?:- )?run: ", "ini": r"^Exec\w+="}
"""labels of blocks in which what is behind a key is a command, and the key"""
_NOT_FOLLOWED = re.compile(r"<!-- not followed: [^\n]* -->")
_BEFORE = {"sudo", "exec", "nohup", "time"}
_ENDS = {"|", "||", "&&", ";", "&", "(", ")", "{", "}"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """of its fence, from 1"""
    label: str
    text: str
    title: str = ""
    """the file that the block is to be saved as"""
    followed: bool = True
    """False below a comment ``not followed: why``: what stands for something of the reader's"""

    def commands(self) -> Iterator[Command]:
        """Every program that the block calls; none for blocks of other labels."""
        for line in _lines(self):
            for words in _programs(line):
                yield Command(self.page, self.line, words)


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments; a pipeline has several."""

    page: Path
    line: int
    """of its block's fence, from 1"""
    words: tuple[str, ...]
    """the program and its arguments, without variables set in front and without redirections"""

    @property
    def arguments(self) -> list[str] | None:
        """What ghostbust is called with; None where it isn't called."""
        for index, word in enumerate(self.words):
            begins = index == 0 or self.words[index - 1] == "-m"
            if (begins and word == "ghostbust") or word.endswith("/bin/ghostbust"):
                return list(self.words[index + 1 :])
        return None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line} {shlex.join(self.words)}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    for found in re.finditer(r"^(`{3,})([^`\n]*)\n(.*?)^\1$", text, re.M | re.S):
        label, _, more = found[2].partition(" ")
        title = re.search(r'title="([^"]+)"', more)
        line = text.count("\n", 0, found.start()) + 1
        followed = not text[: found.start()].rstrip().endswith(tuple(_NOT_FOLLOWED.findall(text)))
        yield Block(page, line, label, found[3], title[1] if title else "", followed)


def mentions(page: Path) -> Iterator[list[str]]:
    """The words behind ``ghostbust`` wherever running text has it as code, such as a command."""
    text = re.sub(r"^(`{3,})[^`\n]*\n.*?^\1$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for found in re.finditer(r"`ghostbust ([^`]+)`", text):
        yield found[1].split()


def _lines(block: Block) -> Iterator[str]:
    """Whole command lines, continued ones joined, here-documents left out."""
    text = re.sub(r"<<'?(\w+)'?(.*?)\n.*?^\1$", r"\2", block.text, flags=re.M | re.S)
    text = re.sub(r"\\\n\s*(?:> )?", " ", text)
    for line in text.splitlines():
        if block.label == SESSION and line.startswith("$ "):
            yield line[2:]
        elif block.label in SCRIPTS:
            yield line
        elif (key := KEYED.get(block.label)) and (found := re.match(key, line)):
            yield line[found.end() :]


def _programs(line: str) -> Iterator[tuple[str, ...]]:
    """The programs of one line, by the operators between them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    lexer.wordchars += "@:,+%$[]{}…"  # what a shell takes for part of a word, here at least
    words: list[str] = []
    redirected = False
    for token in [*lexer, ";"]:
        if token in _ENDS:
            while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
                words = words[1:]
            if words and words[0] != "export":
                yield tuple(words)
            words = []
        elif token[0] in "<>":
            redirected = True
        elif redirected:
            redirected = False
        else:
            words.append(token)


COMMANDS = [command for page in PAGES for block in blocks(page) for command in block.commands()]
"""every program that the docs call, page by page"""
