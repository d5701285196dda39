"""Recognises install commands in a row of words, and reads the packages they name.

Knows pip (also as ``python -m pip`` and ``uv pip``), pipx, uv, poetry, pdm, rye, pipenv,
easy_install, npm, yarn, pnpm and bun. conda isn't here: its channels are other registries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ghostbust.extractors.package_names import canonical, is_placeholder, read_requirement
from ghostbust.extractors.shell_words import Word
from ghostbust.extractors.vocabulary import SENTENCE_WORDS, word_set
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind


@dataclass(frozen=True, slots=True)
class Tool:
    """One installer and the words that make its install command."""

    ecosystem: Ecosystem
    program: str
    verbs: tuple[tuple[str, ...], ...]
    """the sub-commands that install; an empty one where the program itself does"""


_PYPI, _NPM = Ecosystem.PYPI, Ecosystem.NPM
TOOLS = (
    Tool(_PYPI, "pip", (("install",),)),
    Tool(_PYPI, "pipx", (("install",),)),
    Tool(_PYPI, "uv", (("add",), ("tool", "install"))),
    Tool(_PYPI, "poetry", (("add",),)),
    Tool(_PYPI, "pdm", (("add",),)),
    Tool(_PYPI, "rye", (("add",),)),
    Tool(_PYPI, "pipenv", (("install",),)),
    Tool(_PYPI, "easy_install", ((),)),
    Tool(_NPM, "npm", (("install",), ("i",), ("add",))),
    Tool(_NPM, "yarn", (("add",), ("global", "add"))),
    Tool(_NPM, "pnpm", (("add",), ("install",), ("i",))),
    Tool(_NPM, "bun", (("add",), ("install",), ("i",))),
)
_VALUE_OPTIONS = {
    _PYPI: word_set(
        "-r --requirement --requirements -c --constraint --constraints -e --editable -t --target "
        "--platform --python-version --implementation --abi --root --prefix -b --build --src "
        "-C --config-settings --config-setting --global-option --install-option --no-binary "
        "--only-binary --no-build-isolation-package --progress-bar --root-user-action --report "
        "-i --index-url --extra-index-url -f --find-links --log --proxy --retries --timeout "
        "--default-timeout --exists-action --trusted-host --allow-insecure-host --cert "
        "--client-cert --cache-dir --python --upgrade-strategy --group -G --use-feature "
        "--use-deprecated --keyring-provider --index --default-index --index-strategy -p "
        "--extra --extras -E --optional --package --script --tag --branch --rev -m --marker "
        "--markers --bounds --directory --project --source --suffix --pip-args --categories "
        "--pypi-mirror --exclude-newer --link-mode --config-file --save-strategy"
    ),
    _NPM: word_set(
        "--prefix -w --workspace --registry --tag --cache --omit --include --loglevel "
        "--install-strategy --userconfig --cwd --filter -C --dir --network-timeout"
    ),
}
_INDEX_OPTIONS = word_set(
    "-i --index-url --extra-index-url --index --default-index -f --find-links --source "
    "--pypi-mirror --registry"
)
_INDEX_VARIABLES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
_INDEX_SETTINGS = ("INDEX_URL", "DEFAULT_INDEX", "UV_INDEX", "FIND_LINKS", "REGISTRY", "registry")
_REDIRECTS = word_set("> >> < 1> 2> &> 2>> == >= <= ~= != === @ ^")
_BRACKETS = {"<": ">", "[": "]", "{": "}"}
_OPENING = "`\"'(=>"
_LEADING = "`\"'*_("
_CLOSING = "`\"'*.,;:)"
_PROMPTS = "!%$>"


@dataclass(frozen=True, slots=True)
class _Head:
    """An install command's beginning."""

    ecosystem: Ecosystem
    after: int
    """index of the first word behind it"""
    private: bool
    """an option or variable in front of the arguments names an index"""


def installs(words: Sequence[Word], *, prose: bool) -> Iterator[PackageRef]:
    """The packages that install commands anywhere in ``words`` name, spans as the words have them.

    A command takes in a script all words up to the operator, in prose those up to the first
    that belongs to the sentence, or to the punctuation behind one.
    """
    indexed_from = next((i for i, w in enumerate(words) if _names_index(w.value)), len(words))
    index = 0
    while index < len(words):
        head = _head(words, index, indexed=indexed_from < index)
        if head is None:
            index += 1
            continue
        index, found, private = _arguments(words, head, prose=prose)
        flags = frozenset({Flag.PRIVATE_INDEX}) if private else frozenset()
        for start, end, raw in found:
            name = canonical(head.ecosystem, raw)
            yield PackageRef(
                head.ecosystem, RefKind.INSTALL, raw, start, end, name, flags=flags
            )  # fmt: skip


def _head(words: Sequence[Word], index: int, *, indexed: bool) -> _Head | None:
    """The install command that starts at ``words[index]``, or None.

    ``indexed``: a variable in front of it names an index.
    """
    program = words[index].value
    for mark in _OPENING:
        program = program.rpartition(mark)[2]
    program = program.lstrip(_LEADING + _PROMPTS)
    program = program.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    if program.rstrip("0123456789.") == "pip":
        program = "pip"
    for tool in TOOLS:
        if tool.program == program:
            after, private = _skip_options(words, index + 1, tool.ecosystem)
            for verb in tool.verbs:
                if tuple(word.value for word in words[after : after + len(verb)]) == verb:
                    return _Head(tool.ecosystem, after + len(verb), indexed or private)
    return None


def _names_index(assignment: str) -> bool:
    """True for an environment setting such as ``PIP_INDEX_URL=…``."""
    variable, is_set, _ = assignment.partition("=")
    return bool(
        is_set and variable.startswith(_INDEX_VARIABLES) and variable.endswith(_INDEX_SETTINGS)
    )


def _skip_options(words: Sequence[Word], index: int, ecosystem: Ecosystem) -> tuple[int, bool]:
    """(index of the first word from ``index`` on that is no option, True if one sets an index)."""
    private = False
    while index < len(words) and _is_option(words[index].value):
        option, joined, _ = words[index].value.partition("=")
        private |= option in _INDEX_OPTIONS
        index += 2 if option in _VALUE_OPTIONS[ecosystem] and not joined else 1
    return index, private


def _arguments(
    words: Sequence[Word], head: _Head, *, prose: bool
) -> tuple[int, list[tuple[int, int, str]], bool]:
    """(index behind the command, names as (start, end, raw), whether it names an index)."""
    index, private = head.after, head.private
    found: list[tuple[int, int, str]] = []
    while index < len(words):
        value = words[index].value
        if _is_option(value):
            index, indexed = _skip_options(words, index, head.ecosystem)
            private |= indexed
            if prose and words[min(index, len(words)) - 1].value[-1] in _CLOSING:
                break
            continue
        if value in _REDIRECTS:
            index += 2
            if value == "@" and found:
                found.pop()
            continue
        if value[:1] in _BRACKETS:
            index = _behind_brackets(words, index)
            continue
        name, ends = _argument(words[index], head.ecosystem, prose=prose)
        if prose and name is None and ends:
            break
        index += 1
        if name is not None:
            found.append(name)
        if prose and ends:
            break
    return index, found, private


def _behind_brackets(words: Sequence[Word], index: int) -> int:
    """Index behind a placeholder such as ``<name of the package>``, which may have many words."""
    closing = _BRACKETS[words[index].value[0]]
    for later in range(index, min(index + 6, len(words))):
        if closing in words[later].value:
            return later + 1
    return index + 1


def _argument(
    word: Word, ecosystem: Ecosystem, *, prose: bool
) -> tuple[tuple[int, int, str] | None, bool]:
    """(the name in an argument or None, whether the command ends with or at this word)."""
    value = word.value
    stripped = value.lstrip(_LEADING) if prose else value
    lead = len(value) - len(stripped)
    if prose and "(" in value[:lead]:
        return None, True
    requirement = read_requirement(stripped, ecosystem)
    if requirement is None:
        return None, not _is_argument(stripped)
    ends = requirement.ends_sentence or _unbalanced(value[:lead], stripped[requirement.end :])
    if prose and requirement.name.lower() in SENTENCE_WORDS:
        return None, True
    if is_placeholder(requirement.name):
        return None, ends
    span = word.span(lead, lead + requirement.end)
    return ((*span, requirement.name) if span else None), ends


def _unbalanced(lead: str, rest: str) -> bool:
    """True where a quote closes behind the word that opened in front of the command."""
    return any(rest.count(mark) > lead.count(mark) for mark in "\"'`*")


def _is_option(value: str) -> bool:
    return value.startswith("-") and value.lstrip("-")[:1].isalpha()


def _is_argument(value: str) -> bool:
    """True for what a command may take besides names: paths, URLs, variables, quoted texts."""
    return value != "/" and (value.startswith((".", "~", "$")) or "/" in value)
