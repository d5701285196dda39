"""What a shell command would install: packages, the files it names, the projects it stands in.

A command is about to run, so more counts than in a text: names that are placeholders elsewhere,
what ``npm create`` fetches, and what is left to files, variables and pipes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from ghostbust.cli.source_text import (
    CalledScript,
    NamedFile,
    Project,
    SourceText,
    Unchecked,
    shown_address,
)
from ghostbust.cli.sources import unread_parts
from ghostbust.extractors.extract import examine
from ghostbust.extractors.installers import InstallCommand, Takes, read_commands
from ghostbust.extractors.interface import Language, Placed, behind, word_set
from ghostbust.extractors.names import is_placeholder, scan_name
from ghostbust.extractors.shell import ASSIGNMENT, Document, Script, read_script
from ghostbust.extractors.unnamed import created, not_looked_up, whole_project
from ghostbust.records import Ecosystem, PackageRef
from ghostbust.registries.names import canonical_name
from ghostbust.results import is_builtin_import

_DEEPEST_QUOTES = 3
_SAYING = word_set("echo printf grep egrep fgrep rg ag awk sed git gh")
"""programs whose words are for people, or patterns"""
_BARE = (("install",), ("i",), ("in",), ("isntall",))
"""verbs that install a project's packages where nothing stands behind them"""
_NEVER_BARE = ("pip", "pipx", "easy_install")
_SHELLS = word_set("sh bash zsh dash ksh source .")
_VERBS = word_set("install add i")
_NEAR = 40
"""characters behind a command in which a pipe is looked for"""
_FEEDING = word_set("xargs parallel")
_FOLDER_OPTIONS = word_set("--prefix -C --cwd --dir --directory --project --path")


def source_of_command(command: str) -> SourceText:
    """A shell command, the packages that it would install, and what of it isn't looked at.

    Names such as ``foo`` are no placeholders here: somebody asks about this very command.
    """
    found = installs_of(command)
    skipped = [*found.skipped, *(project.unread for project in found.projects)]
    if not (found.refs or found.files or skipped):
        skipped.append(Unchecked(command.strip() or "the command", "it names no package"))
    return replace(found, skipped=skipped, projects=(), scripts=())


def installs_of(command: str, folder: str = "") -> SourceText:
    """The same, with the projects apart; nothing at all of a command that installs nothing.

    What is only printed or searched for installs nothing (``grep "pip install x"``), unless it
    goes on through a pipe or into a file. Paths are seen from where the command runs: ``folder``,
    and what ``cd`` in front of it says.
    """
    script = _without_placeholders(command)
    read = read_script(script)
    commands = read.commands
    said = {at for words in commands if _is_said(script, words) for word in words for at in word.at}
    refs = []
    found = examine(script, language=Language.SHELL)
    for ref in found.refs:
        if is_builtin_import(ref) or ref.start in said:
            continue
        raw = command[ref.start : ref.end]
        name = ref.name if raw == ref.raw else canonical_name(ref.ecosystem, raw)
        refs.append(replace(ref, raw=raw, name=name))
    parts: list[_Part] = list(unread_parts(found, command, "the command"))
    for words in commands:
        if not _is_said(script, words):
            folder = _entered(folder, words)
            parts += _installs_in(words, folder)
            for inner in _commands_within(words):
                parts += _installs_in(inner, folder, is_quoted=True)
    source = SourceText(
        [*refs, *(part for part in parts if isinstance(part, PackageRef))],
        command,
        skipped=[part for part in parts if isinstance(part, Unchecked)],
        files=[part for part in parts if isinstance(part, NamedFile)],
        projects=[part for part in parts if isinstance(part, Project)],
        scripts=[part for part in parts if isinstance(part, CalledScript)],
    )
    return _without_new_files(source, read)


_Part = PackageRef | Unchecked | NamedFile | Project | CalledScript


def _installs_in(
    words: Sequence[Placed], folder: str, *, is_quoted: bool = False
) -> Iterator[_Part]:
    """What a simple command installs besides names that are written in it."""
    if (ref := created(words)) is not None:
        yield ref
        return
    installs = list(read_commands(words))
    where = _joined(folder, _project_option(words))
    if not installs and (unseen := not_looked_up(words)):
        ecosystem = whole_project(words)
        unread = Unchecked(*unseen)
        yield unread if ecosystem is None else Project(where, ecosystem, unread, is_certain=True)
    is_fed = any(word.value in _FEEDING for word in words)
    for one in installs:
        yield from (NamedFile(_joined(folder, file.value), 0, True) for file in one.files)
        if is_fed:
            yield Unchecked(f"xargs {one.names}", "its names come from a file or a pipe")
        for path, unread in _passed_over(one):
            if path is None or one.tool.ecosystem is Ecosystem.CONDA:
                yield unread
            elif is_quoted and not path and one.tool.programs[0] in _NEVER_BARE:
                yield Unchecked(one.names, "its names stand elsewhere")  # X="pip install"
            elif path or one.tool.programs[0] not in _NEVER_BARE:
                place = _joined(folder, path) if path else where
                is_certain = one.form.takes is not Takes.NONE
                yield Project(place, one.tool.ecosystem, unread, is_certain)
        run = words[one.index].value if one.index < len(words) else ""
        if one.form.takes is Takes.NONE and run.endswith(".py"):
            yield CalledScript(_joined(folder, run), folder)
    values = [word.value for word in words]
    if len(values) > 1 and values[0].startswith("$") and values[1] in _VERBS:
        yield Unchecked(" ".join(values[:3]), "it doesn't say which program runs")
    for path in _run_by_shell(values):
        yield CalledScript(_joined(folder, path), folder)


def _run_by_shell(values: Sequence[str]) -> Iterator[str]:
    """The script that a simple command runs, if it is one for a shell."""
    named = [value for value in values if not value.startswith("-")]
    program = named[0].rpartition("/")[2] if named else ""
    if program in _SHELLS and len(named) > 1:
        yield named[1]
    elif named and "/" in named[0] and named[0].endswith(".sh"):
        yield named[0]


def _is_said(script: str, words: Sequence[Placed]) -> bool:
    """True for a command whose words are for people: printed, searched for, a commit's message."""
    values = [word.value for word in words]
    if not values or values[0].rpartition("/")[2] not in _SAYING or not words[-1].at:
        return False
    end = words[-1].at[-1] + 1
    rest = script[end : end + _NEAR].lstrip("'\" \t")
    is_piped = rest.startswith("|") and not rest.startswith("||")
    goes_on = any(value.startswith((">", "1>", "-i", "--in-place")) for value in values)
    runs = any(mark in value for value in values for mark in ("$(", "`"))
    return not (is_piped or goes_on or runs)


def _without_new_files(source: SourceText, script: Script) -> SourceText:
    """The source, without the named files that the script itself writes: they aren't there yet.

    What a here-document puts into them is among the refs; nobody looks at what anything else does.
    """
    read = {id(document.command) for document in script.documents}
    written: dict[str, bool] = {}
    for words in script.commands:
        values = [word.value for word in words]
        to = [after for sign, after in pairwise(values) if sign in (">", "1>")]
        to += [value.lstrip("1>") for value in values if value.startswith((">", "1>"))]
        added = [after for sign, after in pairwise(values) if sign == ">>"]
        written |= dict.fromkeys(to, id(words) in read)
        written |= dict.fromkeys(added if id(words) not in read else (), False)
    files = [file for file in source.files if file.path not in written]
    scripts = [one for one in source.scripts if os.path.normpath(one.path) not in written]
    named = [file.path for file in source.files]
    named += [os.path.normpath(script.path) for script in source.scripts]
    stale = {path for path in named if not written.get(path, True)}
    unread = [Unchecked(path, "the command itself writes it") for path in sorted(stale)]
    skipped = [*source.skipped, *unread]
    return replace(source, files=files, scripts=scripts, skipped=skipped)


def _project_option(words: Sequence[Placed]) -> str:
    """The folder that an option such as ``--prefix web`` names; empty without one."""
    for word, after in pairwise([*(word.value for word in words), ""]):
        option, joined, value = word.partition("=")
        if option in _FOLDER_OPTIONS:
            return value if joined else after
    return ""


def _entered(folder: str, words: Sequence[Placed]) -> str:
    """The folder that a command leaves a script in."""
    values = [word.value for word in words]
    if values[:1] not in (["cd"], ["pushd"]):
        return folder
    to = next((value for value in values[1:] if not value.startswith("-")), "~")
    return _joined(folder, to)


def _joined(folder: str, path: str) -> str:
    """A path seen from where a script began; an address, and what a variable says, as it is."""
    return path if not folder or "://" in path else os.path.join(folder, path)  # noqa: PTH118


def _without_placeholders(command: str) -> str:
    """The command with another name, of the same length, in the place of each placeholder.

    Not in what goes into files: ``dependencies`` in a TOML file is no name.
    """
    documents = deque(one for one in read_script(command).documents if not _is_for_shell(one))
    words = ["".join(letters) for _, letters in groupby(command, str.isspace)]
    start, end = 0, 0
    for at, word in enumerate(words):
        while documents and documents[0].start <= start:
            end = documents.popleft().end
        length = scan_name(word, Ecosystem.NPM)
        if length and start >= end and is_placeholder(word[:length]):
            words[at] = "q" * length + word[length:]
        start += len(word)
    return "".join(words)


def _is_for_shell(document: Document) -> bool:
    return bool(document.command) and document.command[0].value.rpartition("/")[2] in _SHELLS


def _commands_within(words: Sequence[Placed], depth: int = 1) -> Iterator[list[Placed]]:
    """The simple commands of the scripts in a command's quotes."""
    for word in words if depth <= _DEEPEST_QUOTES else ():
        if " " in word.value:
            text = word.value[behind(ASSIGNMENT, word.value, 0) :]
            for inner in read_script(text).commands:
                yield inner
                yield from _commands_within(inner, depth + 1)


def _passed_over(command: InstallCommand) -> Iterator[tuple[str | None, Unchecked]]:
    """What an install command takes besides packages of a registry, each with the project's folder
    that it may be; None for what is none."""
    for word in command.passed_over:
        if command.tool.prefix and ":" not in word.value:
            continue  # deno runs files
        shown = shown_address(word.value)
        path = word.value.partition("[")[0]  # .[test]
        is_folder = path.startswith((".", "/")) and "://" not in path
        unread = Unchecked(f"{command.names} {shown}", "no package of a registry")
        yield (path if is_folder else None), unread
    is_bare = not (command.found or command.files or command.passed_over)
    if is_bare and (command.form.takes is Takes.NONE or command.form.verb in _BARE):
        yield "", Unchecked(command.names, "it names no package")
    elif command.elsewhere:
        yield None, Unchecked(command.names, "its packages come from no registry")
