"""The table of installers and runners: which words make a command, and what its options take.

conda is here too: its channels are other registries, so its refs have an ecosystem of their own.
``npm create x`` and ``yarn create x`` aren't: they fetch ``create-x``, which nobody wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem


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
