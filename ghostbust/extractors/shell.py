"""Install commands in shell scripts and in prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ghostbust.extractors.installers import (
    PROGRAMS,
    Form,
    IndexSetting,
    Takes,
    Tool,
    few,
    index_of_option,
    latest,
    setting_of_command,
    setting_of_variable,
    with_indexes,
    without_usual,
)
from ghostbust.extractors.interface import SENTENCE_SIGNS, TOOL_WORDS, Extractor, Placed, word_set
from ghostbust.extractors.literals import Entry, read_literal
from ghostbust.extractors.names import canonical, is_placeholder, read_requirement
from ghostbust.extractors.shell_words import (
    Document,
    is_foreign,
    is_of_command,
    is_of_sentence,
    is_set_apart,
    is_spoken_of,
    may_be_a_word,
    prose_words,
    read_script,
    sentence_end,
)
from ghostbust.records import Ecosystem, NamedIndex, PackageRef, RefKind

# --- install_commands
# Recognises install commands in a row of words, and reads the packages they name.
#
# Which programs install, and what their options take, is a table in ``install_tools``.

_FILE_OPTIONS = word_set(
    "-r --requirement --requirements --with-requirements -c --constraint --constraints"
)
_EDITABLE = word_set("-e --editable")
_REDIRECTS = word_set("> >> < <<< 1> 2> &> &>> 2>> 1>> == >= <= ~= != === @ ^")
_BRACKETS = {"<": ">", "[": "]", "{": "}", "$": ")"}
_OPEN_BRACKETS = ("<", "[", "{", "$(")
_OPENING = "`\"'(=>"
_LEADING = "`\"'*_(“”„‘’‚«»‹›「『（【"
_CLOSING = "`\"'*.,;:)“”‘’«»‹›」』）】"
_UNCLOSED = "\"'"
"""quotes that are still there where a script has been cut into words: nothing closes them"""
_PROMPTS = "!%$>@^"
_SHORT = 40
"""characters of a word that is remembered: most words of a text have been seen before"""
_TRUTHS = ("true", "false")


@dataclass(slots=True)
class InstallCommand:
    """An install command that is being read."""

    tool: Tool
    form: Form
    index: int
    """of the next word to read"""
    settings: Sequence[IndexSetting] = ()
    """what is set in front of it"""
    indexes: list[NamedIndex] = field(default_factory=list)
    """what its options name"""
    no_index: bool = False
    """an option says that the usual index isn't asked"""
    cautious: bool = False
    """it stands in a sentence whose words the vocabulary may lack"""
    spoken_of: bool = False
    """it is what a sentence speaks of, not what it says to run: ``the pip install process``"""
    alone: bool = False
    """it is all that a line has, or that follows a colon, quote or bracket"""
    replaced: bool = False
    """an option has said which packages it takes, so that positional words are none"""
    elsewhere: bool = False
    """an option has said that the package comes from no registry"""
    positionals: int = 0
    found: list[tuple[int, int, str]] = field(default_factory=list)
    """names as (start, end, raw)"""
    files: list[Placed] = field(default_factory=list)
    """requirements and constraints files that options of a Python installer name"""
    passed_over: list[Placed] = field(default_factory=list)
    """arguments in scripts that name no package of a registry: paths, addresses, variables"""

    @property
    def names(self) -> str:
        """Its program and verb, such as ``pip install``."""
        return " ".join((self.tool.programs[0], *self.form.verb))

    def refs(self) -> Iterator[PackageRef]:
        """What it installs from an index."""
        if self.elsewhere:
            return
        ecosystem = self.tool.ecosystem
        own = few(without_usual(self.indexes) if self.no_index else self.indexes)
        for start, end, raw in self.found:
            name = canonical(ecosystem, raw)
            ref = PackageRef(ecosystem, RefKind.INSTALL, raw, start, end, name)
            said = [one.index for one in self.settings if one.is_for(ecosystem, name)]
            yield with_indexes(ref, (*own, *said))


def installs(
    words: Sequence[Placed], *, prose: bool, settings: Sequence[IndexSetting] = ()
) -> Iterator[PackageRef]:
    """The packages that install commands anywhere in ``words`` name, spans as the words have them.

    A command takes in a script all words up to the operator, in prose those up to the first
    that belongs to the sentence, or to the punctuation behind one. ``settings``: the indexes
    that something in front of the words has set.
    """
    for command in read_commands(words, prose=prose, settings=settings):
        yield from command.refs()


def read_commands(
    words: Sequence[Placed], *, prose: bool = False, settings: Sequence[IndexSetting] = ()
) -> Iterator[InstallCommand]:
    """The install commands anywhere in ``words``; see `installs`."""
    inline = [
        (place, setting)
        for place, word in enumerate(words)
        if "=" in word.value and (setting := setting_of_variable(word.value))
    ]
    # told once for a line, which may hold many commands
    foreign: bool | None = None
    said_until: int | None = None
    last_sign = max((n for n, w in enumerate(words) if w.value in SENTENCE_SIGNS), default=-1)
    index = 0
    while index < len(words):
        command = _head(words, index)
        if command is None:
            index += 1
            continue
        said = (setting for place, setting in inline if place < index)
        command.settings = latest((*settings, *said)) if inline else settings
        apart = is_set_apart(words, index)
        if prose and apart:
            said_until = sentence_end(words) if said_until is None else said_until
            command.alone = command.index > said_until
        elif prose:
            foreign = is_foreign(words) if foreign is None else foreign
            command.cautious = foreign
            command.spoken_of = is_spoken_of(words[index - 1].value, command.form.verb)
        _read(words, command, prose=prose or command.index <= last_sign)
        index = max(command.index, index + 1)
        yield command


def _head(words: Sequence[Placed], index: int) -> InstallCommand | None:
    """The install command that starts at ``words[index]``, or None."""
    tool = _tool(words[index].value)
    if tool is None:
        return None
    command = InstallCommand(tool, tool.forms[0], index + 1)
    if () not in (form.verb for form in tool.forms):
        _skip_options(words, command)
    for form in tool.forms:
        behind = words[command.index : command.index + len(form.verb)]
        if len(behind) == len(form.verb) and all(
            part in ("*", word.value) for part, word in zip(form.verb, behind, strict=True)
        ):
            command.form = form
            command.index += len(form.verb)
            return command
    return None


def _tool(word: str) -> Tool | None:
    """The tool that a word calls; None for any other word."""
    return _tool_of_short(word) if len(word) <= _SHORT else PROGRAMS.get(_program(word))


@lru_cache(maxsize=8192)
def _tool_of_short(word: str) -> Tool | None:
    return PROGRAMS.get(_program(word))


def _program(word: str) -> str:
    """The program that a word calls, without its folder, marks around it and version.

    What stands in front of it without a blank in Chinese or Japanese, or in typographic quotes,
    is left out too, as is make's mark for a command that may fail (``-npm``).
    """
    if not word.isascii():
        word = word[max(i for i, char in enumerate(word) if not char.isascii()) + 1 :]
    for mark in _OPENING:
        word = word.rpartition(mark)[2]
    word = word.lstrip(_LEADING + _PROMPTS)
    word = word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe").removesuffix(".cmd")
    if word[:1] == "-" and word[1:2] != "-" and word != "-mpip":
        word = word[1:].lstrip("@")
    if word == "-mpip" or word.rstrip("0123456789.-") == "pip":
        return "pip"
    return word


def _read(words: Sequence[Placed], command: InstallCommand, *, prose: bool) -> None:
    """Reads the words behind the verb, as far as they belong to the command."""
    while command.index < len(words):
        value = words[command.index].value
        if value == "--":
            command.index += 1
        elif _is_option(value):
            _skip_options(words, command)
            last = words[min(command.index, len(words)) - 1].value
            if prose and (last[-1:] in _CLOSING or not last.isascii()):
                return
        elif value in _REDIRECTS:
            command.index += 2
            if value == "@" and command.found:
                command.found.pop()
        elif value.startswith(_OPEN_BRACKETS):
            command.index = _behind_brackets(words, command.index)
            command.positionals += 1
            if command.form.takes is Takes.FIRST:
                return
        elif command.form.takes is Takes.NONE or _is_over(words, command, prose=prose):
            return


def _is_over(words: Sequence[Placed], command: InstallCommand, *, prose: bool) -> bool:
    """Reads one positional word; True where the command ends with it or in front of it."""
    takes = command.form.takes
    if takes is Takes.FIRST and command.replaced:
        return True
    if prose and is_of_command(words, command.index, alone=command.alone, noun=command.spoken_of):
        return True
    name, ends = _argument(words[command.index], command.tool, prose=prose)
    is_noun = takes is Takes.FIRST and words[command.index].value.lower() in TOOL_WORDS
    if prose and ((name is None and ends) or is_noun):
        return True
    if command.cautious and name is not None and _is_doubtful(words[command.index], name, command):
        return True
    if name is None and not prose and not _is_redirect(words[command.index].value):
        command.passed_over.append(words[command.index])
    command.positionals += 1
    wanted = not command.replaced and not (takes is Takes.BUT_FIRST and command.positionals == 1)
    if name is not None and wanted:
        command.found.append(name)
    if takes is Takes.FIRST:
        return True  # what follows may hold a command of its own: `uvx pip install x`
    command.index += 1
    return prose and ends


def _skip_options(words: Sequence[Placed], command: InstallCommand) -> None:
    """Reads options and their values, up to the first word that is none."""
    tool, form = command.tool, command.form
    while command.index < len(words) and _is_option(words[command.index].value):
        word = words[command.index]
        option, joined, value = word.value.partition("=")
        command.index += 1
        taken: Placed | None = word.part(len(option) + 1, len(word.value)) if joined else None
        behind = words[command.index] if command.index < len(words) else None
        if not joined and _takes_value(option, tool.values | form.adding | form.replacing):
            taken = behind
            command.index += 1
            value = taken.value if taken else ""
        elif not joined and behind and tool.ecosystem is Ecosystem.NPM:
            command.index += behind.value in _TRUTHS  # `--unsafe-perm true`
        is_uv = "--default-index" in tool.values
        if named := index_of_option(tool.ecosystem, option, value, is_uv=is_uv):
            command.indexes.append(named)
        command.no_index |= option == "--no-index"
        if tool.ecosystem is Ecosystem.PYPI and option[:2] in _FILE_OPTIONS and option[2:]:
            command.files.append(word.part(2, len(word.value)))  # -rbase.txt
        elif tool.ecosystem is Ecosystem.PYPI and taken is not None and option in _FILE_OPTIONS:
            command.files.append(taken)
        if taken is not None and option in _EDITABLE and option in tool.values:
            command.passed_over.append(taken)
        command.elsewhere |= option in tool.elsewhere
        command.replaced |= option in form.replacing
        if taken is not None and (option in form.replacing or option in form.adding):
            command.found += _listed(taken, tool)


def _takes_value(option: str, values: frozenset[str]) -> bool:
    """True where the word behind an option is its value, also for the last of ``-Ur``."""
    if option in values or option.startswith("--"):
        return option in values
    return next((f"-{x}" in values and n == len(option) - 1
                 for n, x in enumerate(option) if n and f"-{x}" in values), False)  # fmt: skip


def _listed(word: Placed, tool: Tool) -> Iterator[tuple[int, int, str]]:
    """The packages in the value of an option, which commas may set apart."""
    position = 0
    for piece in word.value.split(","):
        name, _ = _argument(word.part(position, position + len(piece)), tool, prose=True)
        if name is not None:
            yield name
        position += len(piece) + 1


def _behind_brackets(words: Sequence[Placed], index: int) -> int:
    """Index behind a placeholder such as ``<name of the package>``, which may have many words."""
    closing = _BRACKETS[words[index].value[0]]
    for later in range(index, min(index + 6, len(words))):
        if closing in words[later].value:
            return later + 1
    return index + 1


def _argument(word: Placed, tool: Tool, *, prose: bool) -> tuple[tuple[int, int, str] | None, bool]:
    """(the name in an argument or None, whether the command ends with or at this word)."""
    value = word.value
    stripped = value.lstrip(_LEADING if prose else _UNCLOSED)
    lead = len(value) - len(stripped)
    if prose and "(" in value[:lead]:
        return None, True
    requirement = read_requirement(stripped, tool.ecosystem)
    if requirement is None or not stripped.startswith(tool.prefix):
        return None, not _is_argument(stripped)
    ends = requirement.ends_sentence or _unbalanced(value[:lead], stripped[requirement.end :])
    if prose and is_of_sentence(requirement.name, stripped[requirement.end :], tool.ecosystem):
        return None, True
    if is_placeholder(requirement.name) or _is_no_package(requirement.name, tool):
        return None, ends
    span = word.span(lead + requirement.start, lead + requirement.end)
    return ((*span, requirement.name) if span else None), ends


def _is_doubtful(word: Placed, name: tuple[int, int, str], command: InstallCommand) -> bool:
    """True for a word that a sentence in another language may go on with."""
    raw = name[2]
    is_further = command.positionals > 0 or len(raw) == 1
    return is_further and may_be_a_word(raw, word.value.partition(raw)[2])


def _is_no_package(name: str, tool: Tool) -> bool:
    """True for what a runner takes besides packages: interpreters and scripts."""
    is_runner = tool.programs in (("uvx",), ("pipx",))
    return is_runner and (name == "python" or name.endswith(".py"))


def _unbalanced(lead: str, rest: str) -> bool:
    """True where a quote closes behind the word that opened in front of the command.

    The star of ``==5.*`` closes nothing, nor do the quotes around a marker's value.
    """
    if rest.startswith(("==", "!=")):
        rest = rest.replace(".*", "")
    closed = {mark: rest.count(mark) - lead.count(mark) for mark in "\"'`*"}
    return any(count > 0 and (count % 2 or mark in "`*") for mark, count in closed.items())


def _is_option(value: str) -> bool:
    return value.startswith("-") and value.lstrip("-")[:1].isalpha()


def _is_redirect(value: str) -> bool:
    """True for ``>log``, ``2>/dev/null`` and the like."""
    return value.lstrip("012&")[:1] in ("<", ">")


def _is_argument(value: str) -> bool:
    """True for what a command may take besides names: paths, URLs, variables, quoted texts."""
    return value != "/" and (value.startswith((".", "~", "$")) or "/" in value)


_SETTING = word_set("export ENV ARG set setx")
_REDIRECTIONS = word_set("> >> 1> 1>> tee -a")
_SAYING = word_set("echo printf Write-Host Write-Output git gh")
"""programs whose quoted texts are for people"""
_SHELLS = word_set("sh bash zsh dash ksh RUN ssh sudo")
_MAY_CALL = re.compile("|".join(map(re.escape, PROGRAMS))).search
"""finds the name of a program that installs, whatever is around it: most sentences have none"""


@dataclass(frozen=True, slots=True)
class ShellExtractor:
    """Install commands of a script, a terminal session, a Dockerfile or a notebook line.

    Comments and the output of tools aren't read. Quoted texts (``sh -c "pip install x"``) are
    scripts of their own, and so is the exec form of a Dockerfile (``["pip", "install", "x"]``).
    Variables are not followed.
    """

    reader_of: Callable[[str], Iterable[Extractor]] | None = None
    """the readers for a here-document, by the name of the file or program that takes it;
    without it, here-documents are read as prose"""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs, and what here-documents hold; see ``Extractor.find``."""
        if not any(program in text for program in PROGRAMS) and "<<" not in text:
            return []
        return [moved(ref, offset) for ref in self._script(text)]

    def _script(self, text: str) -> Iterator[PackageRef]:
        script = read_script(text)
        settings: tuple[IndexSetting, ...] = ()
        for command in script.commands:
            yield from installs(command, prose=False, settings=settings)
            settings = latest((*settings, *_index_settings(command)))
            yield from self._quoted(text, command)
        for words in _exec_forms(text):
            yield from installs(words, prose=False)
            yield from self._quoted(text, words)
        for document in script.documents:
            yield from self._document(text, document)

    def _quoted(self, text: str, words: Sequence[Placed]) -> Iterator[PackageRef]:
        """What quoted texts hold as scripts of their own, or as prose where they are said."""
        says = any(word.value in _SAYING for word in words[:3])
        reader: Extractor = ProseExtractor() if says else self
        for word in words:
            if " " in word.value and (span := word.span(0, len(word.value))) is not None:
                yield from reader.find(text[slice(*span)], span[0])

    def _document(self, text: str, document: Document) -> Iterator[PackageRef]:
        """The refs of a here-document, read as what it is written into or fed to."""
        body = text[document.start : document.end]
        readers: Iterable[Extractor] = (ProseExtractor(),)
        name = _target(document.command)
        if name in _SHELLS:
            readers = (self,)
        elif self.reader_of is not None:
            readers = tuple(self.reader_of(name)) or readers
        for reader in readers:
            yield from reader.find(body, document.start)


class CommandListExtractor:
    """Install commands written as a list of strings, in files of any kind; nothing else."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
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


class ProseExtractor:
    """Install commands in sentences, comments, docstrings and string literals.

    A command ends with its line (unless a backslash continues it), at the first word that
    belongs to the sentence, or at punctuation: ``run pip install requests and then`` names
    requests only. A line that is commented out is none: one of a notebook (``# !pip install x``),
    and one right beside a line that is a command without any comment mark.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """INSTALL refs; see ``Extractor.find``."""
        refs: list[PackageRef] = []
        words: list[Placed] = []
        start = 0
        is_script, script_end = False, 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            if start >= script_end and "#" in text:
                is_script, script_end = _commands_from(text, start)
            line = text[start:end]
            if not words and not line.rstrip().endswith("\\") and not _MAY_CALL(line):
                start = end + 1
                continue
            if not _is_commented_out(line, is_script=is_script):
                words += prose_words(text, start, end)
            start = end + 1
            if words and words[-1].value == "\\":
                words.pop()
                continue
            refs += (moved(ref, offset) for ref in installs(words, prose=True))
            words = []
        refs += (moved(ref, offset) for ref in installs(words, prose=True))
        return refs


def moved(ref: PackageRef, by: int) -> PackageRef:
    """The same ref in a text that holds this one at ``by``."""
    return replace(ref, start=ref.start + by, end=ref.end + by)


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
