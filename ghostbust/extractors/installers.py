"""Install commands in a row of words: which program, which packages, from which index.

``ghostbust/data/installers.tsv`` says which words make an installer or a runner install something,
and what its options take (`TOOLS`). `read_commands` reads the commands by it. `index_of_option`
and `setting_of_command` say which indexes a text names for what is installed.

conda is in the table: its channels are other registries, so its refs have an ecosystem of their
own. ``npm create x`` and ``yarn create x`` aren't: they fetch ``create-x``, which nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from ghostbust.extractors.interface import Placed, word_set
from ghostbust.extractors.names import (
    WORDS,
    canonical,
    is_foreign,
    is_of_command,
    is_of_sentence,
    is_placeholder,
    is_set_apart,
    is_spoken_of,
    may_be_a_word,
    read_requirement,
    sentence_end,
)
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind


class Takes(StrEnum):
    """Which words behind the verb name packages."""

    ALL = "all"
    FIRST = "first"
    """the first one; what follows belongs to the program that is run"""
    BUT_FIRST = "but-first"
    NONE = "none"
    """only values of options; the first word begins the command that is run"""
    FILES = "files"
    """no package: they are requirements files"""


@dataclass(frozen=True, slots=True)
class InstallForm:
    """One way to install or run with a tool."""

    verb: tuple[str, ...]
    """the sub-commands; an empty one where the program itself does it, ``*`` for any word"""
    takes: Takes = Takes.ALL
    adding: frozenset[str] = frozenset()
    """options whose value is a package too, several set apart by commas"""
    replacing: frozenset[str] = frozenset()
    """the same, for options that say that the words behind the verb are no packages"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One program."""

    ecosystem: Ecosystem
    programs: tuple[str, ...]
    forms: tuple[InstallForm, ...]
    values: frozenset[str]
    """options that take the next word as their value, besides those of the form"""
    prefix: str = ""
    """what a name must begin with to belong to the ecosystem"""
    elsewhere: frozenset[str] = frozenset()
    """options that say that the package comes from no registry"""


INDEX_OPTIONS = {
    Ecosystem.PYPI: word_set(
        "-i --index-url --extra-index-url --index --default-index -f --find-links --source "
        "--pypi-mirror --pip-args"
    ),
    Ecosystem.NPM: word_set("--registry"),
    Ecosystem.CARGO: word_set("--registry --index"),
    Ecosystem.CONDA: frozenset[str](),
}
"""options that name another index, or a page of links; ``--pip-args`` where it holds one"""

_Verbs = dict[str, frozenset[str]]
"""program to the words that make it install; none: every word does"""


def _read_table() -> tuple[tuple[Tool, ...], _Verbs, _Verbs]:
    """(the tools, what installs of other ecosystems, what installs whole projects)."""
    text = files("ghostbust.data").joinpath("installers.tsv").read_text(encoding="utf-8")
    options: dict[str, frozenset[str]] = {}
    tools: list[Tool] = []
    others: dict[str, _Verbs] = {"other": {}, "whole": {}}
    for line in text.splitlines():
        kind, *cells = line.split("\t")
        one, two, three, four, five = (*cells, *[""] * 5)[:5]
        if kind == "options":
            words = two.split()
            own = {word for word in words if word.startswith("-")}
            more = (options[word[1:]] for word in words if word.startswith("+"))
            without = {word[1:] for word in words if word.startswith("!")}
            options[one] = options.get(one, frozenset()).union(own, *more) - without
        elif kind == "tool":
            programs = tuple(two.split())
            tool = Tool(Ecosystem(one), programs, (), options[three], four, word_set(five))
            tools.append(tool)
        elif kind == "form":
            verbs = (tuple(verb.split()) for verb in two.split(","))
            forms = (InstallForm(v, Takes(one), word_set(three), word_set(four)) for v in verbs)
            tools[-1] = replace(tools[-1], forms=(*tools[-1].forms, *forms))
        elif kind in others:
            others[kind] |= dict.fromkeys(two.split(), word_set(one))
    return tuple(tools), others["other"], others["whole"]


TOOLS, OTHERS, WHOLE = _read_table()
PROGRAMS = {program: tool for tool in TOOLS for program in tool.programs}
"""each tool under the names of its program"""


# The indexes that options and environment settings name. Whether an index is asked instead of the
# usual one or beside it is what its tool does:
#
# - pip: ``--index-url`` replaces; ``--extra-index-url`` and ``--find-links`` are asked beside it,
#   but behind ``--no-index`` the links alone are.
# - uv: ``--default-index`` and ``--index-url`` replace; ``--index`` is asked first, and what it
#   lacks is asked of the usual one.
# - poetry's ``--source``, pipenv's ``--index`` and ``--pypi-mirror``: replace.
# - npm, Yarn, pnpm, Bun: ``--registry`` replaces; ``@scope:registry`` for the names of that scope.
# - cargo: ``--registry`` (a name that its settings define) and ``--index`` replace.

_BESIDE = word_set("--extra-index-url -f --find-links")
_PYTHON = ("PIP_", "UV_")
_NODE = ("NPM_CONFIG_", "npm_config_", "YARN_")
_BESIDE_SETTINGS = ("EXTRA_INDEX_URL", "UV_INDEX", "FIND_LINKS")
_SETTINGS = (
    "INDEX_URL", "DEFAULT_INDEX", "REGISTRY", "registry", "REGISTRY_SERVER", *_BESIDE_SETTINGS,
)  # fmt: skip
_MOST_SETTINGS, _MOST_BESIDE = 64, 15


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """An index that is set for what comes behind: by the environment or a configuration."""

    ecosystem: Ecosystem
    index: NamedIndex
    scope: str = ""
    """the npm scope whose names come from there; empty for all names"""

    def is_for(self, ecosystem: Ecosystem, name: str) -> bool:
        """True where an installer asks the index for a package of that name."""
        return self.ecosystem is ecosystem and name.startswith(self.scope)


def index_of_option(
    ecosystem: Ecosystem, option: str, value: str, *, is_uv: bool = False
) -> NamedIndex | None:
    """The index that an option names; None for an option that names none."""
    if option not in INDEX_OPTIONS[ecosystem]:
        return None
    if option == "--pip-args":
        words = value.replace("=", " ").split()
        pairs = [pair for pair in zip(words, [*words[1:], ""], strict=False) if pair[0] != option]
        named = [one for pair in pairs if (one := index_of_option(ecosystem, *pair)) is not None]
        return next((index for index in named if index.replaces), named[0] if named else None)
    is_beside = option in _BESIDE or (is_uv and option == "--index")
    return NamedIndex(value, replaces=not is_beside)


def latest(settings: Iterable[IndexSetting]) -> tuple[IndexSetting, ...]:
    """Of settings of the same kind the last one, which an installer goes by; at most 64 of all."""
    kept = {(one.ecosystem, one.scope, one.index.replaces): one for one in settings}
    return tuple(kept.values())[-_MOST_SETTINGS:]


def few(indexes: Iterable[NamedIndex]) -> tuple[NamedIndex, ...]:
    """The last index that replaces the usual one, and up to 15 of those asked beside it."""
    distinct = list(dict.fromkeys(indexes))
    replacing = [index for index in distinct if index.replaces]
    beside = [index for index in distinct if not index.replaces]
    return (*replacing[-1:], *beside[:_MOST_BESIDE])


def without_usual(indexes: Iterable[NamedIndex]) -> tuple[NamedIndex, ...]:
    """The indexes behind ``--no-index``: whatever is named is all that is asked."""
    return tuple(replace(index, replaces=True) for index in indexes)


def with_indexes(ref: PackageRef, indexes: Sequence[NamedIndex]) -> PackageRef:
    """The ref, marked where a text names indexes for it."""
    if not indexes:
        return ref
    return replace(ref, flags=ref.flags | {Flag.PRIVATE_INDEX}, indexes=(*ref.indexes, *indexes))


def setting_of_variable(assignment: str) -> IndexSetting | None:
    """What an environment setting such as ``PIP_INDEX_URL=…`` says; None for any other."""
    variable, is_set, value = assignment.removeprefix("$env:").partition("=")
    if not is_set or not variable.endswith(_SETTINGS) or not variable.startswith(_PYTHON + _NODE):
        return None
    ecosystem = Ecosystem.PYPI if variable.startswith(_PYTHON) else Ecosystem.NPM
    replaces = not variable.endswith(_BESIDE_SETTINGS)
    return IndexSetting(ecosystem, NamedIndex(value.strip("'\" "), replaces))


def setting_of_command(values: Sequence[str]) -> IndexSetting | None:
    """What ``pip config set global.index-url …`` or ``npm config set registry …`` says."""
    if "config" not in values or "set" not in values:
        return None
    for at, word in enumerate(values):
        key, joined, value = word.partition("=")
        if key.endswith(("index-url", "registry")):
            address = value if joined else next(iter(values[at + 1 :]), "")
            is_python = key.endswith("index-url")
            scope, is_scoped, _ = key.partition(":registry")
            return IndexSetting(
                Ecosystem.PYPI if is_python else Ecosystem.NPM,
                NamedIndex(address, replaces="extra-index-url" not in key),
                f"{scope}/" if is_scoped and scope.startswith("@") else "",
            )
    return None


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
"""characters of a word that is cached: most words of a text come again"""
_TRUTHS = ("true", "false")
_Named = tuple[int, int, str, str]
"""a name as (start, end, raw, wanted version or range)"""


@dataclass(slots=True)
class InstallCommand:
    """An install command that is being read."""

    tool: Tool
    form: InstallForm
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
    """a sentence speaks of it and asks nobody to run it: ``the pip install process``"""
    alone: bool = False
    """it is all that a line has, or that follows a colon, quote or bracket"""
    replaced: bool = False
    """an option names the packages, so positional words don't"""
    elsewhere: bool = False
    """an option says that the package comes from no registry"""
    positionals: int = 0
    found: list[_Named] = field(default_factory=list)
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
        for start, end, raw, wanted in self.found:
            name = canonical(ecosystem, raw)
            ref = PackageRef(ecosystem, RefKind.INSTALL, raw, start, end, name, wanted=wanted)
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
    # The next two depend on the whole line, which may hold many commands: worked out once.
    foreign: bool | None = None
    said_until: int | None = None
    last_sign = max(
        (n for n, w in enumerate(words) if w.value in WORDS["sentence_signs"]), default=-1
    )
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
    word = words[index].value
    tool = _tool(word) if len(word) <= _SHORT else _tool.__wrapped__(word)
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


@lru_cache(maxsize=8192)
def _tool(word: str) -> Tool | None:
    """The tool that a word calls, whatever its folder, the marks around it and its version.

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
    is_pip = word == "-mpip" or word.rstrip("0123456789.-") == "pip"
    return PROGRAMS.get("pip" if is_pip else word)


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
            closing = _BRACKETS[value[0]]  # <name of the package>, which may have many words
            ahead = range(command.index, min(command.index + 6, len(words)))
            closed = (n for n in ahead if closing in words[n].value)
            if not prose:  # what a substitution or braces stand for
                command.passed_over.append(words[command.index])
            command.index = next(closed, command.index) + 1
            command.positionals += 1
            if command.form.takes is Takes.FIRST:
                return
        elif command.form.takes is Takes.NONE or _is_over(words, command, prose=prose):
            return


def _is_over(words: Sequence[Placed], command: InstallCommand, *, prose: bool) -> bool:
    """Reads one positional word; True where the command ends with it or in front of it."""
    takes, word = command.form.takes, words[command.index]
    if takes is Takes.FIRST and command.replaced:
        return True
    if takes is Takes.FILES:
        if not prose:
            command.files.append(word)
            command.index += 1
        return prose
    if prose and is_of_command(words, command.index, alone=command.alone, noun=command.spoken_of):
        return True
    name, ends = _argument(word, command.tool, prose=prose)
    is_noun = takes is Takes.FIRST and word.value.lower() in WORDS["tool_words"]
    if prose and ((name is None and ends) or is_noun):
        return True
    if command.cautious and name is not None:
        is_further = command.positionals > 0 or len(name[2]) == 1
        if is_further and may_be_a_word(name[2], word.value.partition(name[2])[2]):
            return True  # a word of a sentence in another language
    is_redirect = word.value.lstrip("012&")[:1] in ("<", ">")  # >log, 2>/dev/null
    if name is None and not prose and not is_redirect:
        command.passed_over.append(word)
    command.positionals += 1
    wanted = not command.replaced and not (takes is Takes.BUT_FIRST and command.positionals == 1)
    if name is not None and wanted:
        command.found.append(name)
    if takes is Takes.FIRST:
        return True  # what follows may hold a command of its own: `uvx pip install x`
    command.index += 1
    return prose and ends


def _skip_options(words: Sequence[Placed], command: InstallCommand) -> None:
    """Reads options and their values, up to the first other word."""
    tool, form = command.tool, command.form
    while command.index < len(words) and _is_option(words[command.index].value):
        word = words[command.index]
        option, joined, value = word.value.partition("=")
        command.index += 1
        taken: Placed | None = word.part(len(option) + 1, len(word.value)) if joined else None
        behind = words[command.index] if command.index < len(words) else None
        if not joined and takes_value(option, tool.values | form.adding | form.replacing):
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
        last = option if option.startswith("--") else f"-{option[-1]}"  # the r of -qr
        is_last = taken is not None and (option == last or not joined)
        if tool.ecosystem is Ecosystem.PYPI and taken and is_last and last in _FILE_OPTIONS:
            command.files.append(taken)
        if taken is not None and last in _EDITABLE and last in tool.values:
            command.passed_over.append(taken)
        command.elsewhere |= option in tool.elsewhere
        command.replaced |= option in form.replacing
        if taken is not None and (option in form.replacing or option in form.adding):
            listed = list(_listed(taken, tool))
            command.found += listed
            if not listed:  # a path, an address, a variable
                command.passed_over.append(taken)


def takes_value(option: str, values: frozenset[str]) -> bool:
    """True where the word behind an option is its value, also for the last of ``-Ur``."""
    if option in values or option.startswith("--"):
        return option in values
    first = next((n for n, mark in enumerate(option) if n and f"-{mark}" in values), 0)
    return 0 < first == len(option) - 1


def _listed(word: Placed, tool: Tool) -> Iterator[_Named]:
    """The packages in the value of an option, which commas may set apart."""
    position = 0
    for piece in word.value.split(","):
        name, _ = _argument(word.part(position, position + len(piece)), tool, prose=True)
        if name is not None:
            yield name
        position += len(piece) + 1


def _argument(word: Placed, tool: Tool, *, prose: bool) -> tuple[_Named | None, bool]:
    """(the name in an argument or None, whether the command ends with or at this word)."""
    value = word.value
    stripped = value.lstrip(_LEADING if prose else _UNCLOSED)
    lead = len(value) - len(stripped)
    if prose and "(" in value[:lead]:
        return None, True
    requirement = read_requirement(stripped, tool.ecosystem)
    if requirement is None or not stripped.startswith(tool.prefix):
        is_other = stripped.startswith((".", "~", "$")) or "/" in stripped  # path, URL, variable
        return None, stripped == "/" or not is_other
    ends = requirement.ends_sentence or _unbalanced(value[:lead], stripped[requirement.end :])
    if prose and is_of_sentence(requirement.name, stripped[requirement.end :], tool.ecosystem):
        return None, True
    is_runner = tool.programs in (("uvx",), ("pipx",))  # they take interpreters and scripts, too
    is_script = requirement.name == "python" or requirement.name.endswith(".py")
    if is_placeholder(requirement.name) or (is_runner and is_script):
        return None, ends
    span = word.span(lead + requirement.start, lead + requirement.end)
    return ((*span, requirement.name, requirement.wanted) if span else None), ends


def _unbalanced(lead: str, rest: str) -> bool:
    """True where a quote closes behind the word that opened in front of the command.

    The star of ``==5.*`` closes nothing, nor do the quotes around a marker's value.
    """
    if rest.startswith(("==", "!=")):
        rest = rest.replace(".*", "")
    closed = {mark: rest.count(mark) - lead.count(mark) for mark in "\"'`*"}
    return any(count > 0 and (count % 2 or mark in "`*") for mark, count in closed.items())


def _is_option(value: str) -> bool:
    if value[:1] == "+":  # cargo +nightly install
        return value[1:2].isalpha()
    return value.startswith("-") and value.lstrip("-")[:1].isalpha()
