"""Commands that install what nobody here looks up: other ecosystems, and whole lock files."""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.extractors.placed import Placed
from ghostbust.extractors.vocabulary import word_set

_ADD, _INSTALL, _GET = word_set("add"), word_set("install"), word_set("get install")
_OTHERS = {
    **dict.fromkeys(
        word_set(
            "apt apt-get aptitude dnf yum snap flatpak port choco scoop winget nuget pod luarocks "
            "opam cabal stack vcpkg conan helm spack asdf ghcup sdk gem"
        ),
        _INSTALL,
    ),
    **dict.fromkeys(word_set("go dart"), _GET),
    **dict.fromkeys(word_set("apk paket jsr"), _ADD),
    **dict.fromkeys(word_set("docker podman"), word_set("pull run")),
    **dict.fromkeys(word_set("bundle bundler pixi"), word_set("add install")),
    "cargo": word_set("add install binstall"),
    "brew": word_set("install reinstall upgrade"),
    "zypper": word_set("install in"),
    "pacman": word_set("-S -Sy -Syu"),
    "nix-env": word_set("-i -iA --install"),
    "nix": word_set("profile shell run"),
    "composer": word_set("require install"),
    "dotnet": word_set("add tool"),
    "mise": word_set("install use"),
    "swift": word_set("package"),
    "flutter": word_set("pub"),
    "raco": word_set("pkg"),
    "cpan": frozenset[str](),
    "cpanm": frozenset[str](),
}
"""program to the words that make it install; none: every word does"""
_WHOLE = {
    "npm": word_set("ci clean-install update"), "yarn": word_set("install up upgrade"),
    "pnpm": word_set("update up"), "bun": word_set("update"), "uv": word_set("sync lock"),
    "poetry": word_set("install sync update lock"), "pipenv": word_set("sync update lock"),
    "pdm": word_set("install sync update lock"), "rye": word_set("sync lock"),
    "pip-sync": frozenset[str](), "hatch": word_set("env"),
}  # fmt: skip
"""the same for what installs whatever a project's files name"""


def not_looked_up(words: Sequence[Placed]) -> tuple[str, str] | None:
    """(command, why) of a command that installs unseen packages; None for any other."""
    values = [word.value for word in words]
    for at, word in enumerate(values):
        program = word.rpartition("/")[2]
        verbs = _OTHERS.get(program, _WHOLE.get(program))
        if verbs is None:
            continue
        behind = values[at + 1 :]
        verb = next((x for x in behind if x in verbs or not x.startswith("-")), "")
        if verb in verbs or (not verbs and behind):
            why = f"packages of {program} aren't looked up"
            if program in _WHOLE:
                why = "it names no package; check the project's files"
            return " ".join(filter(None, (program, verb if verbs else ""))), why
    return None
