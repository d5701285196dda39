"""Lock files: what each tool has resolved, with where it comes from.

Read by the parsers of their formats, all or nothing: a lock file is written by a program, so one
that is broken, or that writes a name in a way that no tool does, is refused as a whole rather than
read in part. What the text says of an entry's place is kept: another index than the usual one
(`NamedIndex`), or a repository, path or address (``Flag.ELSEWHERE``). The project itself is no ref.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ghostbust.extractors.lock_json import read_package_lock, read_pipfile_lock
from ghostbust.extractors.lock_toml import read_toml_lock
from ghostbust.extractors.lock_yaml import read_pnpm_lock
from ghostbust.extractors.lock_yarn import read_yarn_lock
from ghostbust.extractors.locked import Locked
from ghostbust.extractors.package_names import canonical
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind


@dataclass(frozen=True, slots=True)
class LockExtractor:
    """The packages that one kind of lock file names; none of a file that isn't sound."""

    ecosystem: Ecosystem
    read: Callable[[str], list[Locked]]
    """its entries; raises ValueError, with why, for a file that isn't sound"""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        try:
            return [ref for one in self.read(text) if (ref := self._ref(one, offset))]
        except ValueError:
            return []

    def _ref(self, one: Locked, offset: int) -> PackageRef | None:
        name = one.name.value
        span = one.name.span(0, len(name))
        if span is None:
            return None
        return PackageRef(
            self.ecosystem, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset,
            canonical(self.ecosystem, name),
            flags=frozenset({Flag.ELSEWHERE} if one.is_elsewhere else ()),
            indexes=(NamedIndex(one.place, replaces=True),) if one.place else (),
        )  # fmt: skip


_PACKAGE_LOCK = LockExtractor(Ecosystem.NPM, read_package_lock)
_TOML = LockExtractor(Ecosystem.PYPI, read_toml_lock)
LOCKS: Mapping[str, LockExtractor] = MappingProxyType(
    {
        "package-lock.json": _PACKAGE_LOCK,
        "npm-shrinkwrap.json": _PACKAGE_LOCK,
        "pnpm-lock.yaml": LockExtractor(Ecosystem.NPM, read_pnpm_lock),
        "yarn.lock": LockExtractor(Ecosystem.NPM, read_yarn_lock),
        "uv.lock": _TOML,
        "poetry.lock": _TOML,
        "pdm.lock": _TOML,
        "pylock.toml": _TOML,
        "pipfile.lock": LockExtractor(Ecosystem.PYPI, read_pipfile_lock),
    }
)
"""the readers by the files' names, in lower case"""


def lock_of(path: str) -> str:
    """The key in ``LOCKS`` of a file; empty for no lock file. ``pylock.<name>.toml`` is one."""
    name = path.replace("\\", "/").lower().rpartition("/")[2]
    if name.startswith("pylock.") and name.endswith(".toml") and name.count(".") <= 2:
        return "pylock.toml"
    return name if name in LOCKS else ""
