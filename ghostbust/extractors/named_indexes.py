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

from ghostbust.extractors.install_tools import INDEX_OPTIONS
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef

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
