"""Commands that install what they don't name, or what isn't looked up here.

Whole projects (``npm ci``), other ecosystems (``gem install x``), and ``npm create x``, which
fetches a package whose name nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ghostbust.extractors.installers import OTHERS, PROGRAMS, WHOLE, takes_value
from ghostbust.extractors.interface import Placed, word_set
from ghostbust.records import Ecosystem, PackageRef, RefKind


def not_looked_up(words: Sequence[Placed]) -> tuple[str, str] | None:
    """(command, why) of a command that installs unseen packages; None for any other."""
    values = [word.value for word in words]
    for at, word in enumerate(values):
        program = word.rpartition("/")[2]
        verbs = OTHERS.get(program, WHOLE.get(program))
        if verbs is None:
            continue
        behind = values[at + 1 :]
        verb = next(_positionals(program, behind, verbs), "")
        is_bare = word == "yarn" and at == 0 and not behind
        if verb in verbs or (not verbs and behind) or is_bare:
            why = f"packages of {program} aren't looked up"
            if program in WHOLE:
                why = "it names no package; check the project's files"
            return " ".join(filter(None, (program, verb if verbs else ""))), why
    return None


def _positionals(program: str, behind: Sequence[str], verbs: Iterable[str] = ()) -> Iterator[str]:
    """The words behind a program that are neither options nor their values; ``verbs`` always."""
    tool = PROGRAMS.get(program)
    taking = tool.values if tool else frozenset[str]()
    before = ""
    for word in behind:
        if word in verbs or not (word.startswith("-") or takes_value(before, taking)):
            yield word
        before = word


_CREATING = {"npm": ("create", "init", "innit"), "yarn": ("create",), "pnpm": ("create",),
             "bun": ("create", "c")}  # fmt: skip


def created(words: Sequence[Placed]) -> PackageRef | None:
    """The package that ``npm create vite`` fetches and runs: create-vite. None for another command.

    Nobody wrote its name, so it is no ref of a text: only of a command that is about to run.
    """
    for at, word in enumerate(words):
        program = word.value.rpartition("/")[2]
        if program not in _CREATING:
            continue
        rest = [one.value for one in words[at + 1 :]]
        verb, what, *_ = (*_positionals(program, rest), "", "")
        if verb not in _CREATING[program] or not what:
            return None
        place = words[at + 1 + rest.index(what, rest.index(verb) + 1)]
        scope, is_scoped, name = what.rpartition("/") if what[0] == "@" else ("", "", what)
        if what[0] == "@" and not is_scoped:
            scope, name = what, ""
        name = name.partition("@")[0]
        full = f"{scope}/" if scope else ""
        full += f"create-{name}" if name else "create"
        span = place.span(0, len(place.value))
        if span is None:
            return None
        return PackageRef(Ecosystem.NPM, RefKind.INSTALL, place.value, *span, full)
    return None


def whole_project(words: Sequence[Placed]) -> Ecosystem | None:
    """The ecosystem of a command that installs what a project's files name; None for any other."""
    programs = (word.value.rpartition("/")[2] for word in words)
    program = next((one for one in programs if one in OTHERS or one in WHOLE), "")
    if program not in WHOLE:
        return None
    tool = PROGRAMS.get(program)
    if tool is None:  # pip-sync goes by a requirements file
        return Ecosystem.PYPI if program == "hatch" else None
    return tool.ecosystem


_REVIEWED = word_set(
    "apt apt-get aptitude dnf yum zypper pacman apk brew port nix nix-env docker podman"
)


def is_reviewed(command: str) -> bool:
    """True for a command of `not_looked_up` that asks a distribution, where somebody reviews what
    gets a name, or that fetches an image of a container."""
    return command.partition(" ")[0] in _REVIEWED


_SIGNS = (*PROGRAMS, *OTHERS, *WHOLE, "<<", "$", "`", "sh ", ".sh", "source ")
_NO_QUOTES = dict.fromkeys(map(ord, "'\"\\"))


def may_install(command: str) -> bool:
    """False for a command that plainly installs nothing, such as ``git status``; fast.

    True for every other one: it has to be read. A here-document, a script and a variable may hold
    anything.
    """
    text = command.translate(_NO_QUOTES)
    return text.startswith(". ") or any(sign in text for sign in _SIGNS)
