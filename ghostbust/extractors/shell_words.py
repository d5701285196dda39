"""Cuts shell scripts and prose into words that know where each of their characters stands.

``shlex`` gives no offsets, hence this one. It follows POSIX quoting, comments, operators and
line continuation, with one liberty: a quote that isn't closed on its line (or on a line it
continues to) is an ordinary character, since in broken scripts it would swallow the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_OPERATORS = frozenset(";&|()\n")
_CONTINUATIONS = ("\\\r\n", "\\\n", "^\n", "^\r\n")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, quotes removed."""

    value: str
    at: tuple[int, ...]
    """offset of each character of ``value`` in the text it was cut from"""

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Place of ``value[start:end]`` in the text; None where it isn't in one piece there."""
        first, last = self.at[start], self.at[end - 1]
        return (first, last + 1) if last - first == end - 1 - start else None


@dataclass(slots=True)
class Script:
    """A shell script as simple commands and comments."""

    commands: list[list[Word]] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    """start and end of each comment, without its ``#``"""


def read_script(text: str) -> Script:
    """All simple commands of a script, in order, operators left out; never raises."""
    return _Reader(text).read()


def plain_word(text: str, start: int, end: int) -> Word:
    """The word ``text[start:end]``, every character standing for itself."""
    return Word(text[start:end], tuple(range(start, end)))


def prose_words(text: str, start: int, end: int) -> list[Word]:
    """The words of ``text[start:end]`` between white space, quoting not looked at."""
    words = []
    position = start
    for piece in text[start:end].split():
        position = text.index(piece, position)
        words.append(plain_word(text, position, position + len(piece)))
        position += len(piece)
    return words


class _Reader:
    """One pass over a script."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.script = Script()
        self.command: list[Word] = []
        self.value: list[str] = []
        self.at: list[int] = []
        self.quoted = False

    def read(self) -> Script:
        while self.position < len(self.text):
            self._step(self.text[self.position])
        self._end_command()
        return self.script

    def _step(self, char: str) -> None:
        if self.text.startswith(_CONTINUATIONS, self.position):
            self.position = self.text.index("\n", self.position) + 1
        elif char in _OPERATORS:
            self._end_command()
            self.position += 1
        elif char.isspace():
            self._end_word()
            self.position += 1
        elif char == "#" and not self.value and not self.quoted:
            self._comment()
        elif char in "'\"":
            self._quote(char)
        elif char == "\\" and self.position + 1 < len(self.text):
            self._take(self.position + 1)
            self.position += 2
        else:
            self._take(self.position)
            self.position += 1

    def _take(self, index: int) -> None:
        self.value.append(self.text[index])
        self.at.append(index)

    def _comment(self) -> None:
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        self.script.comments.append((self.position + 1, end))
        self.position = end

    def _quote(self, mark: str) -> None:
        closing = self._closing(mark)
        if closing is None:
            self._take(self.position)
            self.position += 1
            return
        self.quoted = True
        index = self.position + 1
        while index < closing:
            if mark == '"' and self.text[index] == "\\" and self.text[index + 1] in '"\\$`\n':
                index += 1
            self._take(index)
            index += 1
        self.position = closing + 1

    def _closing(self, mark: str) -> int | None:
        """Offset of the closing quote; None where the line ends first."""
        index = self.position + 1
        while index < len(self.text):
            char = self.text[index]
            if char == mark:
                return index
            if char == "\n":
                return None
            index += 2 if char == "\\" and mark == '"' else 1
        return None

    def _end_word(self) -> None:
        if self.value or self.quoted:
            self.command.append(Word("".join(self.value), tuple(self.at)))
        self.value, self.at, self.quoted = [], [], False

    def _end_command(self) -> None:
        self._end_word()
        if self.command:
            self.script.commands.append(self.command)
        self.command = []
