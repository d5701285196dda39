"""Install commands in shell scripts and in prose.

`read_script` cuts a script into words that know where each of their characters stands. ``shlex``
gives no offsets, and tree-sitter's Bash grammar wants valid Bash, which answers seldom are: prompts
(``$``, ``PS C:\\>``), output, Dockerfile and YAML keywords, ``pkg>=2`` without quotes. Hence this
one. It follows POSIX quoting, comments, operators, line continuation and here-documents, with
these liberties:

- a quote that isn't closed on its line (or on a line it continues to) is an ordinary character: in
  a broken script it would swallow the rest;
- a continuation may have blanks or a comment behind it and comment lines after it, as in a
  Dockerfile, if the line behind them goes on with the command (`_holds_arguments`);
- the continuations of cmd and PowerShell count too, and so do their paths: a backslash in front of
  a letter or digit stands for itself;
- lines that can only be a tool's output are passed over.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from unicodedata import east_asian_width

from ghostbust.extractors.installers import (
    PROGRAMS,
    IndexSetting,
    installs,
    latest,
    setting_of_command,
    setting_of_variable,
)
from ghostbust.extractors.interface import (
    Extractor,
    Placed,
    behind,
    line_end,
    moved,
    plain,
    word_set,
)
from ghostbust.extractors.literals import Entry, read_literal
from ghostbust.records import PackageRef

_SETTING = word_set("export ENV ARG set setx")
_REDIRECTIONS = word_set("> >> 1> 1>> tee -a")
_SAYING = word_set("echo printf Write-Host Write-Output git gh")
"""programs whose quoted texts are for people"""
_SHELLS = word_set("sh bash zsh dash ksh RUN ssh sudo")
_MAY_CALL = re.compile("|".join(map(re.escape, PROGRAMS))).search
"""finds the name of a program that installs, whatever is around it: most sentences have none"""


_NO_QUOTES = dict.fromkeys(map(ord, "'\"\\"))
"""a shell reads ``p''ip`` as it reads pip"""
ReadersOf = Callable[[str], Iterable[Extractor]]
"""the readers for a here-document, by the name of the file or program that takes it"""


def shell_refs(text: str, offset: int, readers_of: ReadersOf | None = None) -> Iterator[PackageRef]:
    """INSTALL refs of a script, a terminal session, a Dockerfile or a notebook line.

    Comments and the output of tools aren't read. Quoted texts (``sh -c "pip install x"``) are
    scripts of their own, and so is the exec form of a Dockerfile (``["pip", "install", "x"]``).
    Variables aren't resolved. Without ``readers_of``, here-documents are read as prose.
    """
    unquoted = text.translate(_NO_QUOTES)
    if not any(program in unquoted for program in PROGRAMS) and "<<" not in text:
        return
    script = read_script(text)
    settings: tuple[IndexSetting, ...] = ()
    refs: list[PackageRef] = []
    for command in script.commands:
        refs += installs(command, prose=False, settings=settings)
        settings = latest((*settings, *_index_settings(command)))
        refs += _quoted(text, command, readers_of)
    for words in _exec_forms(text):
        refs += installs(words, prose=False)
        refs += _quoted(text, words, readers_of)
    for document in script.documents:
        refs += _document(text, document, readers_of)
    yield from (moved(ref, offset) for ref in refs)


def _quoted(
    text: str, words: Sequence[Placed], readers_of: ReadersOf | None
) -> Iterator[PackageRef]:
    """What quoted texts hold as scripts of their own, or as prose where a program prints them."""
    is_printed = any(word.value in _SAYING for word in words[:3])
    for word in words:
        if " " not in word.value:
            continue
        value = behind(ASSIGNMENT, word.value, 0)  # X='pip install x'
        if (span := word.span(value, len(word.value))) is not None:
            body = text[slice(*span)]
            yield from (
                prose_refs(body, span[0]) if is_printed else shell_refs(body, span[0], readers_of)
            )


def _document(text: str, document: Document, readers_of: ReadersOf | None) -> Iterator[PackageRef]:
    """The refs of a here-document, read as what it is written into or fed to."""
    body = text[document.start : document.end]
    name = _target(document.command)
    if name in _SHELLS:
        yield from shell_refs(body, document.start, readers_of)
        return
    for reader in tuple(readers_of(name) if readers_of else ()) or (prose_refs,):
        yield from reader(body, document.start)


def command_list_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """INSTALL refs of commands written as a list of strings, in files of any kind."""
    for words in _exec_forms(text):
        yield from (moved(ref, offset) for ref in installs(words, prose=False))


def _exec_forms(text: str) -> Iterator[list[Placed]]:
    """The words of each list of strings that stands on its own."""
    position = text.find("[")
    while position >= 0:
        entries: list[Entry] = []
        end = position + 1
        if text[position + 1 : position + 3].lstrip(" ")[:1] in ('"', "'"):
            entries, end = read_literal(text, position)
        yield [entry.value.placed() for entry in entries if entry.value is not None]
        position = text.find("[", end)


def prose_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """INSTALL refs of commands in sentences, comments, docstrings and string literals.

    A command ends with its line (unless a backslash continues it), at the first word that
    belongs to the sentence, or at punctuation: ``run pip install requests and then`` names
    requests only. Lines that are commented out don't count: those of a notebook
    (``# !pip install x``), and those right beside a line that is a command without a comment mark.
    """
    words: list[Placed] = []
    start = 0
    is_script, script_end = False, 0
    while start < len(text):
        end = line_end(text, start)
        if start >= script_end and "#" in text:
            is_script, script_end = _commands_from(text, start)
        line = text[start:end]
        if words or line.rstrip().endswith("\\") or _MAY_CALL(line):
            if not _is_commented_out(line, is_script=is_script):
                words += prose_words(text, start, end)
            if words and words[-1].value == "\\":
                words.pop()
            else:
                yield from (moved(ref, offset) for ref in installs(words, prose=True))
                words = []
        start = end + 1
    yield from (moved(ref, offset) for ref in installs(words, prose=True))


def _is_commented_out(line: str, *, is_script: bool) -> bool:
    """True for a notebook's shell line behind a ``#``; in a script for any command behind one."""
    bare = line.lstrip()
    behind = bare.lstrip("# \t")
    return bare.startswith("#") and (behind[:1] in ("!", "%") or (is_script and _calls(behind)))


def _commands_from(text: str, start: int) -> tuple[bool, int]:
    """(whether one of the lines from ``start`` up to a blank one is a command, their end)."""
    is_script = False
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end].strip()
        start = end
        if not line:
            break
        is_sentence = line.endswith((".", ":", "!", "?")) and not line.endswith(" .")
        is_script |= _calls(line) and not is_sentence
    return is_script, start


def _calls(line: str) -> bool:
    """True where a line begins with the name of an installer."""
    return line.removeprefix("$ ").partition(" ")[0] in PROGRAMS


def _index_settings(words: Sequence[Placed]) -> Iterator[IndexSetting]:
    """The indexes that the installers ask after a command."""
    values = [word.value for word in words[:8]]
    said: list[IndexSetting | None] = [setting_of_command(values)]
    if values and values[0] in _SETTING:
        for value, behind in zip(values[1:], [*values[2:], ""], strict=False):
            said.append(setting_of_variable(value if "=" in value else f"{value}={behind}"))
    elif values and values[0].startswith("$env:"):
        said.append(setting_of_variable("".join(values)))
    yield from (setting for setting in said if setting is not None)


def _target(words: Sequence[Placed]) -> str:
    """The file that a command writes to, else the program that it runs; empty for neither."""
    values = [word.value for word in words]
    for number, value in enumerate(values[:-1]):
        if value in _REDIRECTIONS and not values[number + 1].startswith("-"):
            return values[number + 1]
    glued = next((v.lstrip("1>") for v in values if v.startswith((">", "1>")) and len(v) > 2), "")
    return glued or (values[0].rpartition("/")[2] if values else "")


ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_BLANKS = re.compile(r"[ \t\r]*")
_QUOTED = {"'": re.compile(r"'[^'\n]*'"), '"': re.compile(r'"(?:[^"\\\n]|\\.)*"', re.S)}
_DOCUMENT = re.compile(r"<<-?[ \t]*(?P<mark>[\w'\"\\!.-]*)")
_OPERATORS = frozenset(";&|()\n")
_CONTINUING = "\\^`"
_TEMPLATE = r"\{\{[^{}\n]{0,200}\}\}"
"""``{{ … }}`` of workflows and templates; the bound keeps a row of open ones linear"""
_FILLED_IN = re.compile(rf"{_TEMPLATE}|\$\{{[^{{}}\n]{{0,200}}\}}")
_PIECE = re.compile(
    rf"(?:{_TEMPLATE}"
    r"|(?<!\S)([\"'])[^\s\"';]{1,100};(?:(?!\1)[^\n]){0,200}\1|\S)+"
)
"""a word of prose: with blanks in it only in a template, or behind ``"name;``"""
_OPENING = "`$<>@({"
_SUBSTITUTES = ("$(", "<(", ">(", "@(")
_OUTPUT = (
    "WARNING: ", "[notice]", "npm notice", "npm WARN", "npm warn", "npm ERR!", "npm error",
    "ERROR: ", "Error: ", "error: ", "hint: ", "Collecting ", "Requirement ",
    "Successfully ", "Downloading ", "DEPRECATION: ", "ModuleNotFoundError", "ImportError",
    "warning ", "REM ", "rem ", "::", "yarn add v1.", "yarn install v1.", "yarn global v1.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A here-document."""

    start: int
    end: int
    command: list[Placed]
    """the words of the command that reads it"""


@dataclass(slots=True)
class Script:
    """A shell script as simple commands and here-documents, comments left out."""

    commands: list[list[Placed]] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)


def read_script(text: str) -> Script:
    """All simple commands of a script, in order, operators left out; never raises."""
    return _Reader(text).read()


def prose_words(text: str, start: int, end: int) -> list[Placed]:
    """The words of ``text[start:end]`` between white space; quotes hold none together.

    A word begins behind Chinese, Japanese or Korean too, which sets no blanks: ``运行pip``.
    """
    words = []
    for piece in _PIECE.finditer(text, start, end):
        cut = piece.start()
        if not piece[0].isascii():
            for place in range(cut + 1, piece.end()):
                if text[place].isascii() and east_asian_width(text[place - 1]) in "WF":
                    words.append(plain(text, cut, place))
                    cut = place
        words.append(plain(text, cut, piece.end()))
    return words


@dataclass(slots=True)
class _Outer:
    """What was read of a command when a bracket within it opened."""

    opening: str
    """``$(`` and the like, a grave accent, or ``(`` of a subshell, which is no part of a word"""
    start: int
    command: list[Placed]
    value: list[str]
    at: list[int]
    quoted: bool


class _Reader:
    """One pass over a script."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.script = Script()
        self.command: list[Placed] = []
        self.value: list[str] = []
        self.at: list[int] = []
        self.quoted = False
        self.loose = False
        """True where a line without indentation continued the command"""
        self.awaited: list[tuple[str, list[Placed]]] = []
        """end marks of the here-documents that begin behind this line, with their commands"""
        self.outer: list[_Outer] = []
        """the brackets that are open, the innermost last"""
        self.accented = False
        """True where one of them is a grave accent"""

    def read(self) -> Script:
        self._skip_output()
        while self.position < len(self.text):
            self._step(self.text[self.position])
        self._end_command()
        while self.outer:
            self._close()
        self._end_command()
        return self.script

    def _step(self, char: str) -> None:
        if char in _CONTINUING and (behind := self._behind_continuation(char)):
            self.position = behind
        elif char == "`" and self.accented:
            self._close_accents()
            self.position += 1
        elif char in _OPENING and self._opens(char):
            pass
        elif char in _OPERATORS and not self._redirects(char):
            self._end_command()
            self.position += 1
            if char == ")" and self.outer and self.outer[-1].opening != "`":
                self._close()
            if char == "\n":
                self._close_accents()
                self._read_documents()
                self._skip_output()
        elif char.isspace():
            self._end_word()
            self.position += 1
        elif char == "#" and not self.value and not self.quoted:
            self.position = line_end(self.text, self.position)
        elif char == "<" and self.text.startswith("<<", self.position):
            self._await_document()
        elif char in "'\"":
            self._quote(char)
        elif char == "\\" and self.position + 1 < len(self.text):
            if self.text[self.position + 1].isalnum() or self.text[self.position + 1] in "._":
                self._take(self.position)
            self._take(self.position + 1)
            self.position += 2
        else:
            self._take(self.position)
            self.position += 1

    def _opens(self, char: str) -> bool:
        """Begins what is put into a word, or a subshell; False where the sign opens nothing."""
        opening = self.text[self.position : self.position + 2]
        if char == "`":
            closing = self.text.find("`", self.position + 1)
            if closing < 0 or "\n" in self.text[self.position : closing]:
                return False
            opening, self.accented = char, True
        elif char == "(":
            self._end_command()
            opening = char
        elif opening not in _SUBSTITUTES:  # what stands in `{{ … }}` and `${…}` is left out
            if filled := _FILLED_IN.match(self.text, self.position):
                for place in (filled.start(), filled.start() + 1, filled.end() - 1):
                    self._take(place)
                self.position = filled.end()
            return filled is not None
        self.outer.append(
            _Outer(opening, self.position, self.command, self.value, self.at, self.quoted)
        )
        self.command, self.value, self.at, self.quoted = [], [], [], False
        self.position += len(opening)
        return True

    def _close(self) -> None:
        """Returns to the command around the innermost bracket, which is now closed."""
        self._end_command()
        outer = self.outer.pop()
        if outer.opening == "`":
            self.accented = False
        if outer.opening == "(":
            return
        self.command, self.value, self.at = outer.command, outer.value, outer.at
        self.quoted = outer.quoted
        self.value += "$()"
        self.at += [outer.start] * len("$()")

    def _close_accents(self) -> None:
        """Ends the text between grave accents, if one is open, and all that is open in it."""
        while self.accented:
            self._close()

    def _redirects(self, char: str) -> bool:
        """True for the ``&`` of ``2>&1`` and ``&>``, which ends no command; takes it."""
        around = self.text[max(self.position - 1, 0) : self.position + 2]
        is_one = char == "&" and ">" in (around[:1], around[-1:])
        if is_one:
            self._take(self.position)
            self.position += 1
        return is_one

    def _take(self, index: int) -> None:
        self.value.append(self.text[index])
        self.at.append(index)

    def _behind_continuation(self, mark: str) -> int:
        """Offset of the line that continues the command; 0 where the mark means something else.

        PowerShell's grave accent counts behind a blank only: elsewhere it ends a substitution.
        Behind comments it is the line's end where the next line doesn't go on.
        """
        if mark == "`" and not self.text[self.position - 1 : self.position].isspace():
            return 0
        index = behind(_BLANKS, self.text, self.position + 1)
        is_remarked = mark == "\\" and self.text[self.position + 1 : index + 1].endswith(
            (" #", "\t#")
        )
        if is_remarked:  # `x \ # why`: for a shell no continuation, but it is meant as one
            index = line_end(self.text, index)
        if index >= len(self.text) or self.text[index] != "\n":
            return 0
        index += 1
        if mark != "`" and index - self.position > 2 + (self.text[index - 2] == "\r"):
            self._end_word()
        while (line := self._comment_line(index)) is not None:
            is_remarked = True
            index = line
        if is_remarked:
            self._end_word()
            is_end = self.text[index - 1] == "\n" and not self._goes_on(index)
            return index - 1 if is_end else index
        return index

    def _goes_on(self, start: int) -> bool:
        """True where the line at ``start``, behind a comment, still belongs to the command."""
        line = self.text[start : min(line_end(self.text, start), start + 200)]
        first = self.command[0].at[:1] if self.command else ()
        lead = self.text[max(first[0] - 200, 0) : first[0]].rpartition("\n")[2] if first else ""
        indent = len(lead) - len(lead.lstrip())
        command = [word.value for word in (self.command[:1] + self.command[-1:])]
        if not _holds_arguments(line, command, indent=indent, loose=self.loose):
            return False
        self.loose |= not line[:1].isspace()
        return True

    def _comment_line(self, start: int) -> int | None:
        """Offset behind the line at ``start`` if it is nothing but a comment; else None."""
        index = behind(_BLANKS, self.text, start)
        if not self.text.startswith("#", index):
            return None
        return min(line_end(self.text, index) + 1, len(self.text))

    def _skip_output(self) -> None:
        """Passes over the lines from here on that a tool has printed, or cmd's comments."""
        while self.position < len(self.text):
            start = behind(_BLANKS, self.text, self.position)
            if not self.text.startswith(_OUTPUT, start):
                return
            self.position = min(line_end(self.text, start) + 1, len(self.text))

    def _await_document(self) -> None:
        """Notes a here-document that its end mark, on a line of its own, closes further down."""
        index = self.position + 2
        if self.text.startswith("<", index):  # <<<: a here-string, its text follows as a word
            self._end_word()
            for place in range(self.position, index + 1):
                self._take(place)
            self._end_word()
            self.position = index + 1
            return
        found = _DOCUMENT.match(self.text, self.position)
        end = found.end() if found else index
        mark = found["mark"].strip("'\"\\") if found else ""
        if not mark or self._next_line(mark, end) is None:
            self._take(self.position)
            self._take(self.position + 1)
            self.position += 2
            return
        self._end_word()
        self.awaited.append((mark, self.command))
        self.position = end

    @cached_property
    def _lines(self) -> dict[str, list[int]]:
        """Offsets of all lines by what stands on them."""
        lines: dict[str, list[int]] = {}
        position = 0
        for line in self.text.split("\n"):
            if len(line) < 200:
                lines.setdefault(line.strip(), []).append(position)
            position += len(line) + 1
        return lines

    def _next_line(self, wanted: str, start: int) -> int | None:
        """Offset of the first line behind ``start`` that is ``wanted``, blanks aside."""
        places = self._lines.get(wanted, [])
        index = bisect_left(places, start)
        return places[index] if index < len(places) else None

    def _read_documents(self) -> None:
        for mark, command in self.awaited:
            end = self._next_line(mark, self.position)
            if end is not None:
                self.script.documents.append(Document(self.position, end, command))
                self.position = min(line_end(self.text, end) + 1, len(self.text))
        self.awaited = []

    def _quote(self, mark: str) -> None:
        quoted = _QUOTED[mark].match(self.text, self.position)
        if quoted is None:
            self._take(self.position)
            self.position += 1
            return
        self.quoted = True
        index = self.position + 1
        self.position = quoted.end()
        while index < self.position - 1:
            if mark == '"' and self.text[index] == "\\" and self.text[index + 1] in '"\\$`\n':
                index += 1
            self._take(index)
            index += 1

    def _end_word(self) -> None:
        if self.value or self.quoted:
            self.command.append(Placed("".join(self.value), tuple(self.at)))
        self.value, self.at, self.quoted = [], [], False

    def _end_command(self) -> None:
        self._end_word()
        if self.command:
            self.script.commands.append(self.command)
        self.command, self.loose = [], False


# Lines behind a comment in a command that a backslash continues: ``pip install a \``, ``  # why``,
# ``  b``. A shell ends the command with the comment. Yet models write comments between arguments,
# as a Dockerfile may, and people who run it mend that.

_CONTINUATIONS = word_set("\\ ^ `")
_PROMPTS = ("$", "%", ">", "PS ")
_NO_COMMAND = ("-", "&&", "|", ";", '"', "'")
_VERSIONS = ("==", ">=", "<=", "~=", "[")
_VERBS = word_set("install add i")
_CALLED = word_set(
    "pip3 python python3 py node cd export source echo sudo git docker make apt apt-get brew mkdir "
    "cp mv rm set curl wget chmod cat sh bash exit if for while"
) | set(PROGRAMS)


def _holds_arguments(line: str, command: Sequence[str], *, indent: int, loose: bool) -> bool:
    """True where ``line`` holds further arguments of ``command``: its first and last word.

    So it does in a Dockerfile, behind a bare verb, and where it begins as no command can, is
    indented more than the command (``indent`` columns), is continued itself, or is one word and
    an earlier line without indentation held some (``loose``). Not where it calls a program.
    """
    words = line.split()
    if not words or not command or line.lstrip().startswith(_PROMPTS):
        return False
    if command[0] == "RUN" or words[0].startswith(_NO_COMMAND):
        return True
    is_called = len(words) > 1 and words[1] not in _CONTINUATIONS  # else a package such as `pip`
    if is_called and words[0].rpartition("/")[2] in _CALLED:
        return False
    is_argument = any(mark in words[0] for mark in _VERSIONS) or command[-1] in _VERBS
    is_deeper = len(line) - len(line.lstrip()) > indent
    is_continued = words[-1] in _CONTINUATIONS
    return is_argument or is_deeper or is_continued or (loose and len(words) == 1)
