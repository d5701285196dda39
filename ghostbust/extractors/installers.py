"""The indexes that options and environment settings of installers name.

Whether an index is asked instead of the usual one or beside it is what its tool does:

- pip: ``--index-url`` replaces; ``--extra-index-url`` and ``--find-links`` are asked beside it, but
  behind ``--no-index`` the links alone are.
- uv: ``--default-index`` and ``--index-url`` replace; ``--index`` is asked first, and what it lacks
  is asked of the usual one.
- poetry's ``--source``, pipenv's ``--index`` and ``--pypi-mirror``: replace.
- npm, Yarn, pnpm, Bun: ``--registry`` replaces; ``@scope:registry`` for the names of that scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ghostbust.extractors.interface import Placed, word_set
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef

# --- install_tools
# The table of installers and runners: which words make a command, and what its options take.
#
# conda is here too: its channels are other registries, so its refs have an ecosystem of their own.
# ``npm create x`` and ``yarn create x`` aren't: they fetch ``create-x``, which nobody wrote.


class Takes(StrEnum):
    """Which words behind the verb name packages."""

    ALL = "all"
    FIRST = "first"
    """the first one; what follows belongs to the program that is run"""
    BUT_FIRST = "but-first"
    NONE = "none"
    """only values of options; the first word begins the command that is run"""


@dataclass(frozen=True, slots=True)
class Form:
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
    forms: tuple[Form, ...]
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
    Ecosystem.CONDA: frozenset[str](),
}
"""options that name another index, or a page of links; ``--pip-args`` where it holds one"""

_PIP = word_set(
    "-r --requirement --requirements -c --constraint --constraints -e --editable -t --target "
    "--platform --python-version --implementation --abi --root --prefix -b --build --src "
    "-C --config-settings --config-setting --global-option --install-option --no-binary "
    "--only-binary --no-build-isolation-package --progress-bar --root-user-action --report "
    "-i --index-url --extra-index-url -f --find-links --log --proxy --retries --timeout "
    "--default-timeout --exists-action --trusted-host --allow-insecure-host --cert "
    "--client-cert --cache-dir --python --upgrade-strategy --group --use-feature "
    "--use-deprecated --keyring-provider --resume-retries --uploaded-prior-to "
    "--build-constraint --requirements-from-script --all-releases --only-final --refresh-package"
)
_UV = _PIP - word_set("-e --editable") | word_set(
    "--index --default-index --index-strategy -p --extra --optional --package -P "
    "--upgrade-package --refresh-package --reinstall-package --script --tag --branch --rev -m "
    "--marker --bounds --directory --project --exclude-newer --link-mode --config-file "
    "--override --overrides --with-editable --with-requirements --env-file --color -w --with "
    "--from --no-extra --no-group --only-group --resolution --prerelease --fork-strategy -o "
    "--output-file --with-executables-from --module --build-constraints --torch-backend "
    "--python-platform --python-preference --no-build-package --no-binary-package "
    "--config-settings-package --exclude-newer-package --upgrade-group --excludes "
    "--no-install-package --no-editable-package --no-sources-package --preview-features "
    "--prerelease-package --output-format"
)
# Not --optional: a flag in poetry 1, and in 2 the name of an extra.
_POETRY = word_set("-G --group -E --extras --python --platform --source --markers")
_POETRY |= word_set("-C --directory -P --project")
_PDM = word_set("-G --group -p --project -L --lockfile -e --editable -k --skip --save-strategy")
_PIPENV = _PIP | word_set("--index --pypi-mirror --categories --extra-pip-args")
_PIPX = word_set(
    "--spec --suffix --python --pip-args -i --index-url --preinstall --with --backend "
    "--fetch-missing-python --requirement -r --constraint"
)
_RYE = word_set("--git --url --path --tag --rev --branch --optional --features --pyproject "
                "--python -p --source")  # fmt: skip
_CONDA = word_set(
    "-n --name -p --prefix -c --channel -f --file --solver --subdir --platform --repodata-fn "
    "--revision --clone --download-only-dir --rc-file --root-prefix -r --relocate-prefix "
    "--cacert --retry-clean-cache --experimental --console --exclude-newer --format "
    "--environment-specifier --env-spec --category --log-level --download-threads "
    "--extract-threads --channel-alias"
)
# What npm 11, Yarn 1 and 4, pnpm 10 and Bun 1.3 take; a flag that one of them has isn't here.
_NPM = word_set(
    "--prefix -w --workspace --registry --tag --cache --omit --include --loglevel --only --also "
    "--install-strategy --userconfig --globalconfig --cwd --filter -F -C --dir --location -L "
    "--network-timeout --modules-folder --cache-folder --mutex --save-prefix --scope --before "
    "--otp --node-options --script-shell --virtual-store-dir --store-dir --reporter --backend "
    "--max-sockets --maxsockets --fetch-retries --fetch-timeout --fetch-retry-factor "
    "--fetch-retry-mintimeout --fetch-retry-maxtimeout --install-links-dir --cpu --os --libc "
    "--ca --cafile --cert --key --proxy --https-proxy --noproxy --local-address --user-agent "
    "--depth --audit-level --access --git --umask --logs-dir --logs-max --min-release-age "
    "--allow-git --allow-file --allow-directory --allow-remote --allow-scripts "
    "--replace-registry-host --link-folder --global-folder --preferred-cache-folder "
    "--use-yarnrc --network-concurrency --mode --save-catalog-name --lockfile-dir --modules-dir "
    "--global-dir --global-bin-dir --state-dir --cache-dir --child-concurrency --node-linker "
    "--package-import-method --resolution-mode --trust-policy --hoist-pattern "
    "--public-hoist-pattern --use-node-version --concurrent-scripts --linker "
    "--minimum-release-age --filter-prod --changed-files-ignore-pattern --test-pattern "
    "--trust-policy-exclude --trust-policy-ignore-after --allow-build --workspace-concurrency"
)
_PACKAGE = word_set("-p --package")
_RUNNER = _NPM | word_set("-c --call --config -n --node-arg --shell --npm")
_DENO = word_set("--lock --config --import-map --cert --node-modules-dir --name -n --root")

_WITH = word_set("-w --with")
_FROM = word_set("--from")
_PY, _JS = Ecosystem.PYPI, Ecosystem.NPM
_ADD = (Form(("add",)),)
_UV_FORMS = (
    Form(("pip", "install")),
    Form(("add",)),
    Form(("tool", "install"), adding=_WITH, replacing=_FROM),
    Form(("tool", "run"), Takes.FIRST, _WITH, _FROM),
    Form(("run",), Takes.NONE, _WITH),
)

TOOLS = (
    Tool(_PY, ("pip",), (Form(("install",)),), _PIP),
    Tool(_PY, ("uv",), _UV_FORMS, _UV),
    Tool(_PY, ("uvx",), (Form((), Takes.FIRST, _WITH, _FROM),), _UV),
    Tool(_PY, ("poetry",), (Form(("add",)), Form(("self", "add"))), _POETRY),
    Tool(_PY, ("pdm",), (Form(("add",)), Form(("self", "add"))), _PDM),
    Tool(_PY, ("pipenv",), (Form(("install",)),), _PIPENV),
    Tool(_PY, ("rye",), (Form(("add",)), Form(("install",))), _RYE,
         elsewhere=word_set("--git --url --path")),
    Tool(
        _PY, ("pipx",),
        (
            Form(("install",), adding=word_set("--preinstall"), replacing=word_set("--spec")),
            Form(("inject",), Takes.BUT_FIRST),
            Form(("run",), Takes.FIRST, word_set("--with"), word_set("--spec")),
        ),
        _PIPX,
    ),
    Tool(_PY, ("easy_install",), (Form(()),), _PIP),
    Tool(Ecosystem.CONDA, ("conda", "mamba", "micromamba"),
         (Form(("install",)), Form(("create",))), _CONDA),
    Tool(
        _JS, ("npm",),
        (
            Form(("install",)), Form(("i",)), Form(("add",)), Form(("in",)), Form(("isntall",)),
            Form(("exec",), Takes.FIRST, replacing=_PACKAGE),
            Form(("x",), Takes.FIRST, replacing=_PACKAGE),
        ),
        _RUNNER,
    ),
    Tool(_JS, ("npx", "pnpx", "bunx"), (Form((), Takes.FIRST, replacing=_PACKAGE),), _RUNNER),
    Tool(
        _JS, ("yarn",),
        (
            *_ADD, Form(("global", "add")), Form(("workspace", "*", "add")),
            Form(("dlx",), Takes.FIRST, replacing=_PACKAGE),
        ),
        _RUNNER,
    ),
    Tool(
        _JS, ("pnpm",),
        (
            *_ADD, Form(("install",)), Form(("i",)),
            Form(("dlx",), Takes.FIRST, replacing=word_set("--package")),
        ),
        _NPM - word_set("-w --workspace"),
    ),
    Tool(
        _JS, ("bun",),
        (
            *_ADD, Form(("a",)), Form(("install",)), Form(("i",)),
            Form(("x",), Takes.FIRST, replacing=_PACKAGE),
        ),
        _RUNNER,
    ),
    Tool(
        _JS, ("deno",),
        (*_ADD, Form(("install",)), Form(("i",)), Form(("run",), Takes.FIRST),
         Form(("x",), Takes.FIRST)),
        _DENO, prefix="npm:",
    ),
)  # fmt: skip

PROGRAMS = {program: tool for tool in TOOLS for program in tool.programs}
"""each tool under the names of its program"""


# --- other_installers
# Commands that install what nobody here looks up: other ecosystems, and whole lock files.

_ADDS, _INSTALL, _GET = word_set("add"), word_set("install"), word_set("get install")
_OTHERS = {
    **dict.fromkeys(
        word_set(
            "apt apt-get aptitude dnf yum snap flatpak port choco scoop winget nuget pod luarocks "
            "opam cabal stack vcpkg conan helm spack asdf ghcup sdk gem"
        ),
        _INSTALL,
    ),
    **dict.fromkeys(word_set("go dart"), _GET),
    **dict.fromkeys(word_set("apk paket jsr"), _ADDS),
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


# --- named_indexes
# The indexes that options and environment settings of installers name.
#
# Whether an index is asked instead of the usual one or beside it is what its tool does:
#
# - pip: ``--index-url`` replaces; ``--extra-index-url`` and ``--find-links`` are asked beside it,
#  but
#   behind ``--no-index`` the links alone are.
# - uv: ``--default-index`` and ``--index-url`` replace; ``--index`` is asked first, and what it
# lacks
#   is asked of the usual one.
# - poetry's ``--source``, pipenv's ``--index`` and ``--pypi-mirror``: replace.
# - npm, Yarn, pnpm, Bun: ``--registry`` replaces; ``@scope:registry`` for the names of that scope.

_BESIDE = word_set("--extra-index-url -f --find-links")
_PYTHON = ("PIP_", "UV_")
_NODE = ("NPM_CONFIG_", "npm_config_", "YARN_")
_SETTINGS = (
    "INDEX_URL", "DEFAULT_INDEX", "UV_INDEX", "FIND_LINKS", "REGISTRY", "registry",
    "REGISTRY_SERVER",
)  # fmt: skip
_MOST_SETTINGS, _MOST_BESIDE = 64, 15
_BESIDE_SETTINGS = ("EXTRA_INDEX_URL", "UV_INDEX", "FIND_LINKS")


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
        return _index_of_pip_args(value)
    is_beside = option in _BESIDE or (is_uv and option == "--index")
    return NamedIndex(value, replaces=not is_beside)


def _index_of_pip_args(value: str) -> NamedIndex | None:
    words = value.replace("=", " ").split()
    pairs = zip(words, [*words[1:], ""], strict=False)
    found = [index_of_option(Ecosystem.PYPI, *pair) for pair in pairs if pair[0] != "--pip-args"]
    named = [index for index in found if index is not None]
    return next((index for index in named if index.replaces), named[0] if named else None)


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
