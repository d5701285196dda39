"""Reads literals of JSON, Python, TOML and YAML into entries, and says where each string stands.

The parsers of these languages give no positions and refuse what is cut off or broken, which
answers often are. `read_literal` takes the first three notations at once: ``[…]``,
``{key: value}``, ``{key = value}``, strings in any quotes, comments of any kind; commas and closing
brackets may be missing. It reads in one pass, without recursion, and never raises. `toml_entries`
reads whole TOML files line by line, as tolerantly. `yaml_entries` is strict: only lock files need
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ghostbust.extractors.interface import Placed, behind, line_end, plain

_DEEPEST = 24
"""keys in a path; what is nested deeper is read, but its path is cut"""
_CLOSES = {"]": "[", "}": "{", ")": "("}
_BARE = re.compile(r"[^\s,:=\[\]{}()\"'#]+")
_BODY = {'"': re.compile(r'(?:[^"\\\n]|\\.)*', re.S), "'": re.compile(r"(?:[^'\\\n]|\\.)*", re.S)}
_NEXT_STATEMENT = re.compile(
    r"(?:\[{1,2}[A-Za-z_][\w.\" -]*\]{1,2}[ \t]*(?:#.*)?$|[A-Za-z_][\w.-]*[ \t]*=)", re.M
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "e": "\x1b", "0": "\0"}
_DIGITS = {"u": 4, "U": 8, "x": 2}


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A string literal."""

    text: str
    """the whole text that it stands in"""
    start: int
    """offset behind the opening quotes"""
    end: int
    """offset of the closing quotes, or of where the string breaks off"""
    has_escapes: bool
    closed: bool = True
    """False where the text ends within the string"""

    def placed(self) -> Placed:
        """What the literal says, escapes resolved."""
        if not self.has_escapes or self.text.find("\\", self.start, self.end) < 0:
            return plain(self.text, self.start, self.end)
        value: list[str] = []
        at: list[int] = []
        index = self.start
        while index < self.end:
            char, behind = self.text[index], index + 1
            if char == "\\":
                char, behind = _escaped(self.text, index, self.end)
            if char:
                value.append(char)
                at.append(index)
            index = behind
        return Placed("".join(value), tuple(at))


@dataclass(frozen=True, slots=True)
class Entry:
    """One string or other scalar in a literal."""

    path: tuple[Placed, ...]
    """the keys that lead to it, outermost first, without positions in lists"""
    value: StringLiteral | None
    """None for what is no string, and for a key whose value is missing"""
    scalar: str = ""
    """as written, where it is no string"""
    holder: int = -1
    """offset of the innermost brace that holds it; -1 outside of any"""
    key_closed: bool = True
    """False where the text ends within the last key"""

    @property
    def keys(self) -> tuple[str, ...]:
        """What the keys of the path say."""
        return tuple(part.value for part in self.path)

    @property
    def text(self) -> str:
        """What the string says; any other scalar as it is written."""
        return self.value.placed().value if self.value else self.scalar


def read_literal(
    text: str, start: int, path: tuple[Placed, ...] = (), *, toml: bool = False
) -> tuple[list[Entry], int]:
    """(every scalar in the literal at ``start``, offset behind it).

    ``path`` is what leads to the literal. ``toml``: single quotes know no escapes, and a line
    that can only be the next statement ends a list that nothing closes.
    """
    reader = _Reader(text, start, toml=toml)
    reader.frames.append(_Frame("", path, -1))
    reader.read(whole=False)
    return reader.entries, reader.position


def read_object(text: str) -> list[Entry]:
    """Every scalar in a text of ``key: value`` pairs, with or without braces around them."""
    reader = _Reader(text, 0, toml=False)
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    if text.startswith("{", start):
        return read_literal(text, start)[0]
    reader.frames.append(_Frame("{", (), -1))
    reader.read(whole=True)
    return reader.entries


@dataclass(slots=True)
class _Frame:
    """A bracket that is open."""

    kind: str
    path: tuple[Placed, ...]
    holder: int
    key: StringLiteral | None = None
    has_colon: bool = False


class _Reader:
    """One pass over a literal."""

    def __init__(self, text: str, position: int, *, toml: bool) -> None:
        self.text = text
        self.position = position
        self.toml = toml
        self.entries: list[Entry] = []
        self.frames: list[_Frame] = []
        self.opened = {"[": 0, "{": 0, "(": 0}
        self.done = False

    def read(self, *, whole: bool) -> None:
        """Reads one value; the whole text if ``whole``."""
        while self.position < len(self.text) and (whole or not self.done):
            self._step(self.text[self.position])
        for frame in self.frames:
            self._lone_key(frame)

    def _step(self, char: str) -> None:
        text, frame = self.text, self.frames[-1]
        if char == "\n" and not frame.kind:
            self.done = True  # a value that isn't there
        elif (
            char == "\n"
            and self.toml
            and frame.kind == "["
            and _NEXT_STATEMENT.match(text, self.position + 1)
        ):
            self.done = True
        elif char.isspace():
            self.position += 1
        elif char == "#" or text.startswith("//", self.position):
            self.position = line_end(text, self.position)
        elif text.startswith("/*", self.position):
            end = text.find("*/", self.position)
            self.position = len(text) if end < 0 else end + 2
        elif char in "\"'":
            self._take(self._string(char), is_string=True)
        elif char in "[{(":
            path = frame.path
            if frame.kind == "{" and frame.key is not None and len(path) < _DEEPEST:
                path = (*path, frame.key.placed())
            holder = self.position if char == "{" else frame.holder
            self.frames.append(_Frame(char, path, holder))
            self.opened[char] += 1
            self.position += 1
        elif char in "]})":
            self._close(_CLOSES[char])
        elif char not in ",:=":
            end = max(behind(_BARE, text, self.position), self.position + 1)
            self._take(StringLiteral(text, self.position, end, False), is_string=False)
            self.position = end
        elif not frame.kind:
            self.done = True
        else:
            self.position += 1
            if char == ",":
                frame.key, frame.has_colon = None, False
            elif frame.key is not None:
                frame.has_colon = True

    def _string(self, mark: str) -> StringLiteral:
        """The string literal at the position, which moves behind it."""
        escapes = not (self.toml and mark == "'")
        start = self.position + 1
        if self.text.startswith(mark * 3, self.position):
            start, end = start + 2, self._behind_long(mark * 3, start + 2, escapes=escapes)
            closed = end < len(self.text)
            self.position = min(end + 3, len(self.text))
            return StringLiteral(self.text, start, end, escapes, closed)
        if escapes:
            body = _BODY[mark].match(self.text, start)
            end = body.end() if body else start
        else:
            closing = self.text.find(mark, start)
            closing = len(self.text) if closing < 0 else closing
            end = self.text.find("\n", start, closing)
            end = closing if end < 0 else end
        is_closed = self.text.startswith(mark, end)
        self.position = end + is_closed
        return StringLiteral(self.text, start, end, escapes, is_closed or end < len(self.text))

    def _behind_long(self, mark: str, start: int, *, escapes: bool) -> int:
        end = self.text.find(mark, start)
        while escapes and end > 0 and self.text[end - 1] == "\\":
            end = self.text.find(mark, end + 1)
        return len(self.text) if end < 0 else end

    def _close(self, opening: str) -> None:
        """Closes the innermost of these brackets and all within it; passes over one too many."""
        if not self.opened[opening]:
            self.done |= not self.frames[-1].kind
            self.position += not self.done
            return
        self.position += 1
        is_open = True
        while is_open:
            frame = self.frames.pop()
            is_open = frame.kind != opening
            self._lone_key(frame)
            self.opened[frame.kind] -= 1
            self._delivered(self.frames[-1])

    def _take(self, found: StringLiteral, *, is_string: bool) -> None:
        """Takes a string or another scalar for a key or for a value."""
        frame = self.frames[-1]
        if frame.kind == "{" and not frame.has_colon:
            frame.key = found
        elif is_string or not self.text.startswith(('"', "'"), found.end):  # a string's prefix
            path = frame.path
            if frame.kind == "{" and frame.key is not None:
                path = (*path[:_DEEPEST], frame.key.placed())
            scalar = "" if is_string else self.text[found.start : found.end]
            self.entries.append(Entry(path, found if is_string else None, scalar, frame.holder))
            self._delivered(frame)

    def _delivered(self, frame: _Frame) -> None:
        """The frame has got the value that it waited for."""
        frame.key, frame.has_colon = None, False
        self.done |= not frame.kind

    def _lone_key(self, frame: _Frame) -> None:
        """Adds a key whose value is missing because the text ends."""
        if frame.kind == "{" and frame.key is not None and self.position >= len(self.text):
            path = (*frame.path, frame.key.placed())
            self.entries.append(Entry(path, None, "", frame.holder, frame.key.closed))


def _escaped(text: str, index: int, end: int) -> tuple[str, int]:
    """(the character that the escape at ``index`` stands for, offset behind it)."""
    if index + 1 >= end:
        return "", end
    mark = text[index + 1]
    if mark in _DIGITS:
        code, behind = _code(text, index, end)
        pair, after = _code(text, behind, end) if 0xD800 <= code < 0xDC00 else (-1, behind)
        if 0xDC00 <= pair < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + (pair - 0xDC00)), after
        return (chr(code), behind) if 0 <= code < 0x110000 else (mark, index + 2)
    if mark == "\n":
        behind = index + 2
        while behind < end and text[behind].isspace():
            behind += 1
        return "", behind
    return _ESCAPES.get(mark, mark), index + 2


def _code(text: str, index: int, end: int) -> tuple[int, int]:
    """(code point of the numeric escape at ``index`` or -1, offset behind it)."""
    mark = text[index + 1 : index + 2]
    behind = index + 2 + _DIGITS.get(mark, 0)
    digits = text[index + 2 : behind]
    if text[index : index + 1] != "\\" or not digits or behind > end or not digits.isalnum():
        return -1, index + 2
    try:
        return int(digits, 16), behind
    except ValueError:
        return -1, index + 2


# TOML files

_BARE_KEY = re.compile(r"[\w-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANKS = re.compile(r"[ \t\r\n\ufeff]*")


def toml_entries(text: str) -> Iterator[Entry]:
    """Every scalar of a TOML text; the path begins with the names of its table.

    The ``holder`` of an entry outside of braces is the offset of its table's header, so that
    the tables of an array (``[[name]]``) can be distinguished. A line that is no TOML is passed
    over. Never raises.
    """
    table: tuple[Placed, ...] = ()
    holder = -1
    position = 0
    while position < len(text):
        position = behind(_BLANKS, text, position)
        end = line_end(text, position)
        if text.startswith("[", position):
            opening = 2 if text.startswith("[[", position) else 1
            found, after = _keys(text, position + opening)
            if found and (text.startswith("]", after) or after >= end):
                table, holder = found, position
            position = end
            continue
        keys, after = _keys(text, position)
        if keys and text.startswith("=", after):
            entries, position = read_literal(text, after + 1, (*table, *keys), toml=True)
            for entry in entries:
                held = entry.holder if entry.holder >= 0 else holder
                yield Entry(entry.path, entry.value, entry.scalar, held, entry.key_closed)
            end = line_end(text, position)
        elif keys and after >= len(text):
            yield Entry((*table, *keys), None, "", holder, key_closed=False)
        position = end


def _keys(text: str, position: int) -> tuple[tuple[Placed, ...], int]:
    """(the parts of a dotted key, offset of what follows it); no parts where there is no key."""
    parts: list[Placed] = []
    while True:
        position = behind(_SPACE, text, position)
        mark = text[position : position + 1]
        if mark in ('"', "'") and mark:
            end = text.find(mark, position + 1, position + 200)
            if end < 0 or "\n" in text[position:end]:
                return (), position
            parts.append(StringLiteral(text, position + 1, end, mark == '"').placed())
            position = end + 1
        elif bare := _BARE_KEY.match(text, position):
            parts.append(plain(text, position, bare.end()))
            position = bare.end()
        else:
            return (), position
        position = behind(_SPACE, text, position)
        if not text.startswith(".", position) or len(parts) > _DEEPEST:
            return tuple(parts), position
        position += 1


# YAML files. Works on the events of PyYAML's parser, so nothing is built or run. Aliases, merge
# keys, tags and keys that are no scalars are refused: no program writes them for a program, and
# nested aliases can grow without bound.

_DEEPEST_YAML = 40
"""collections within each other; what is nested deeper is refused"""


@dataclass(slots=True)
class _YamlFrame:
    is_mapping: bool
    path: tuple[Placed, ...]
    key: Placed | None = None


def yaml_entries(text: str) -> Iterator[tuple[tuple[Placed, ...], Placed]]:
    """Every scalar of all documents, with the keys that lead to it as in ``Entry``.

    It has places that are no span where it isn't written in one piece. A key that holds an empty
    collection gives an empty scalar. Raises ValueError for what is no YAML, or refused.
    """
    # Imported here: few texts are YAML that has to be parsed.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    frames = [_YamlFrame(False, ())]
    lead = len(text) - len(text.removeprefix("\ufeff"))
    try:
        for event in yaml.parse(text[lead:], Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("it has an alias, which no tool writes")
            if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
                raise ValueError("it has a tag, which no tool writes")
            frame = frames[-1]
            path = (*frame.path, frame.key) if frame.key is not None else frame.path
            is_key = frame.is_mapping and frame.key is None
            if isinstance(event, yaml.CollectionStartEvent):
                if len(frames) > _DEEPEST_YAML:
                    raise ValueError("it is nested too deeply")
                if is_key:
                    raise ValueError("it has a key that is no text")
                frames.append(_YamlFrame(isinstance(event, yaml.MappingStartEvent), path))
                yield path, plain("", 0, 0)
            elif isinstance(event, yaml.CollectionEndEvent):
                frames.pop()
                frames[-1].key = None
            elif isinstance(event, yaml.ScalarEvent):
                marks = (event.start_mark, event.end_mark)
                start, end = (mark.index + lead if mark else 0 for mark in marks)
                value = _placed(text, event.value, start, end)
                if is_key and value.value == "<<":
                    raise ValueError("it has a merge key, which no tool writes")
                if not is_key:
                    yield path, value
                frame.key = value if is_key else None
    except yaml.YAMLError as exc:
        raise ValueError(f"it isn't valid YAML ({' '.join(str(exc).split())[:120]})") from exc


def _placed(text: str, value: str, start: int, end: int) -> Placed:
    """The scalar between two marks; places that form no span where it has escapes or line ends."""
    for margin in (0, 1):  # plain, or between quotes
        if text[start + margin : end - margin] == value:
            return plain(text, start + margin, end - margin)
    return Placed(value, tuple(range(0, 2 * len(value), 2)))
