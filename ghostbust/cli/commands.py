"""What a shell command would install: packages, the files it names, the projects it stands in.

A command is about to run, so more counts than in a text: names that are placeholders elsewhere,
what ``npm create`` fetches, and what is left to files, variables and pipes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from ghostbust.cli.sources import (
    NamedFile,
    Project,
    SourceText,
    Unchecked,
    shown_address,
    unread_parts,
)
from ghostbust.extractors.extract import examine
from ghostbust.extractors.installers import InstallCommand, Takes, read_commands
from ghostbust.extractors.interface import Language, Placed, word_set
from ghostbust.extractors.names import is_placeholder, scan_name
from ghostbust.extractors.shell import Script, read_script
from ghostbust.extractors.unnamed import created, not_looked_up, whole_project
from ghostbust.records import Ecosystem
from ghostbust.registries.names import canonical_name
from ghostbust.results import is_builtin_import

_DEEPEST_QUOTES = 3
_SAYING = word_set("echo printf grep egrep fgrep rg ag git gh")
"""programs whose words are for people, or patterns"""
_BARE = (("install",), ("i",), ("in",), ("isntall",))
"""verbs that install a project's packages where nothing stands behind them"""
_NEVER_BARE = ("pip", "pipx", "easy_install")
_FEEDING = word_set("xargs parallel")
_FOLDER_OPTIONS = word_set("--prefix -C --cwd --dir --directory --project")


def source_of_command(command: str) -> SourceText:
    """A shell command, the packages that it would install, and what of it isn't looked at.

    Names such as ``foo`` are no placeholders here: somebody asks about this very command.
    """
    found = installs_of(command)
    skipped = [*found.skipped, *(project.unread for project in found.projects)]
    if not (found.refs or found.files or skipped):
        skipped.append(Unchecked(command.strip() or "the command", "it names no package"))
    return replace(found, skipped=skipped, projects=())


def installs_of(command: str) -> SourceText:
    """The same, with the projects apart; nothing at all of a command that installs nothing.

    What is only printed or searched for installs nothing (``grep "pip install x"``), unless it goes
    on through a pipe or into a file. A path is relative to where the command runs: ``cd`` counts.
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
    source = SourceText(refs, command, skipped=list(unread_parts(found, command, "the command")))
    folder = ""
    for words in commands:
        if not _is_said(script, words):
            folder = _entered(folder, words)
            for each in (words, *_commands_within(words)):
                source = _with_installs(source, each, folder)
    return _without_new_files(source, read)


def _with_installs(source: SourceText, words: Sequence[Placed], folder: str) -> SourceText:
    """The source with what a simple command takes besides names that are written in it."""
    if (ref := created(words)) is not None:
        return replace(source, refs=[*source.refs, ref])
    files, projects, skipped = list(source.files), list(source.projects), list(source.skipped)
    installs = list(read_commands(words))
    where = _joined(folder, _project_option(words))
    if not installs and (unseen := not_looked_up(words)):
        ecosystem = whole_project(words)
        if ecosystem is None:
            skipped.append(Unchecked(*unseen))
        else:
            projects.append(Project(where, ecosystem, Unchecked(*unseen)))
    for one in installs:
        files += [NamedFile(_joined(folder, file.value), 0, True) for file in one.files]
        if any(word.value in _FEEDING for word in words):
            skipped.append(Unchecked(f"xargs {one.names}", "its names come from a file or a pipe"))
        for path, unread in _passed_over(one):
            if path is None or one.tool.ecosystem is Ecosystem.CONDA:
                skipped.append(unread)
            elif path or one.tool.programs[0] not in _NEVER_BARE:
                place = _joined(folder, path) if path else where
                is_certain = one.form.takes is not Takes.NONE
                projects.append(Project(place, one.tool.ecosystem, unread, is_certain))
        run = words[one.index].value if one.index < len(words) else ""
        if one.form.takes is Takes.NONE and run.endswith(".py"):
            unread = Unchecked(f"{one.names} {run}", "no such file")
            projects.append(Project(_joined(folder, run), one.tool.ecosystem, unread, False))
    return replace(source, files=files, projects=projects, skipped=skipped)


def _is_said(script: str, words: Sequence[Placed]) -> bool:
    """True for a command whose words are for people: printed, searched for, a commit's message."""
    values = [word.value for word in words]
    if not values or values[0].rpartition("/")[2] not in _SAYING or not words[-1].at:
        return False
    end = words[-1].at[-1] + 1
    rest = script[end:].lstrip("'\" \t")
    is_piped = rest.startswith("|") and not rest.startswith("||")
    goes_on = any(value.startswith((">", "1>")) for value in values)
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
    stale = {file.path for file in source.files if not written.get(file.path, True)}
    unread = [Unchecked(path, "the command itself writes it") for path in sorted(stale)]
    return replace(source, files=files, skipped=[*source.skipped, *unread])


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
    """The command with another name, of the same length, in the place of each placeholder."""
    words = ["".join(letters) for _, letters in groupby(command, str.isspace)]
    for at, word in enumerate(words):
        length = scan_name(word, Ecosystem.NPM)
        if length and is_placeholder(word[:length]):
            words[at] = "q" * length + word[length:]
    return "".join(words)


def _commands_within(words: Sequence[Placed], depth: int = 1) -> Iterator[list[Placed]]:
    """The simple commands of the scripts in a command's quotes."""
    for word in words if depth <= _DEEPEST_QUOTES else ():
        if " " in word.value:
            for inner in read_script(word.value).commands:
                yield inner
                yield from _commands_within(inner, depth + 1)


def _passed_over(command: InstallCommand) -> Iterator[tuple[str | None, Unchecked]]:
    """What an install command takes besides packages of a registry, each with the project's folder
    that it may be; None for what is none."""
    for word in command.passed_over:
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
