"""Which index of crates the user's cargo asks, and how.

Follows cargo's own settings: what replaces ``crates-io`` (``[source.crates-io]``), the addresses of
``[registries]`` and of ``CARGO_REGISTRIES_<NAME>_INDEX``, in the ``.cargo/config.toml`` of a
project, then in ``$CARGO_HOME``; else the public index. Only the folder that the caller names is a
project: the working folder's settings aren't read, as with npm's. Does not read ``--config``
options. Source: "Configuration" and "Source Replacement" in cargo's book.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ghostbust.documents import ParseError, parse_toml
from ghostbust.errors import ConfigError
from ghostbust.registries.endpoints import Endpoint, Route, endpoint
from ghostbust.registries.names import public_crates

_CRATES_IO = "crates-io"
_SPARSE = "sparse+"
_MOST_REPLACED = 10
"""sources that replace each other in a row"""


@dataclass(frozen=True, slots=True)
class CargoSettings:
    """Cargo's settings on this machine. Every method raises ConfigError for an unreadable file."""

    project: Path | None = None
    """the folder whose ``.cargo/config.toml`` comes before the user's; None: no folder's"""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=Path.home)

    def index(self) -> Endpoint:
        """The sparse index that stands for the public registry.

        Raises ConfigError where there is none that can be asked: crates that come from a folder,
        an index in git, a name that nothing defines.
        """
        source, origin = _CRATES_IO, "default"
        for _ in range(_MOST_REPLACED):
            replacing, place = self._setting("source", source, "replace-with")
            if not replacing:
                break
            source, origin = replacing, place
        address, place = self._address(source)
        if not address and source == _CRATES_IO:
            return endpoint(public_crates(), "default")
        if not address:
            raise ConfigError(
                f"{origin}: cargo takes crates from {source!r}, which has no index; set a sparse"
                " one as its registry"
            )
        if not address.startswith(_SPARSE):
            raise ConfigError(
                f"{place}: cargo's index {source!r} is no sparse one, so it can't be asked; set"
                " an address that begins with sparse+"
            )
        return endpoint(address.removeprefix(_SPARSE), place, authorization=self._token(source))

    def names(self, address: str) -> bool:
        """Whether a registry's name, or an index's address, is the one that is asked."""
        replacing = self._setting("source", _CRATES_IO, "replace-with")[0]
        if address in (_CRATES_IO, replacing):
            return True
        try:
            return address.removeprefix(_SPARSE).rstrip("/") == self.index().url
        except ConfigError:
            return False

    def route(self) -> Route:
        """The proxy of cargo's own settings (``http.proxy``)."""
        proxy, origin = self._either("http", "proxy")
        return Route(proxy if "://" in proxy else f"http://{proxy}", origin) if proxy else Route()

    def certificates(self) -> Path | None:
        """The file of trusted certificates (``http.cainfo``); None for the usual ones."""
        file, _ = self._either("http", "cainfo")
        return Path(file).expanduser() if file else None

    @property
    def _folder(self) -> Path:
        return Path(self.environ.get("CARGO_HOME") or self.home / ".cargo")

    def _address(self, source: str) -> tuple[str, str]:
        """The index's address and where that is set; two empty strings where it isn't."""
        address, origin = self._setting("source", source, "registry")
        return (address, origin) if address else self._either("registries", source, "index")

    def _token(self, source: str) -> str | None:
        """What is sent to a registry of the user's own; None without a token."""
        token, _ = self._either("registries", source, "token", credentials=True)
        return token or None

    def _either(self, *keys: str, credentials: bool = False) -> tuple[str, str]:
        """A variable's value, else a file's, and its origin; two empty strings for neither."""
        variable = "CARGO_" + "_".join(re.sub(r"[-.]", "_", key.upper()) for key in keys)
        if value := self.environ.get(variable, ""):
            return value, variable
        return self._setting(*keys, credentials=credentials)

    def _setting(self, *keys: str, credentials: bool = False) -> tuple[str, str]:
        """The first file's value and the file; two empty strings where none has it."""
        for file in self._files(credentials=credentials):
            found: Any = _read(file)
            for key in keys:
                found = found.get(key) if isinstance(found, dict) else None
            if isinstance(found, str) and found:
                return found, str(file)
        return "", ""

    def _files(self, *, credentials: bool) -> Iterator[Path]:
        """The files that count, the strongest first, whether they exist or not."""
        folders = [self._folder] if self.project is None else [
            self.project / ".cargo", self._folder
        ]  # fmt: skip
        for folder in folders:
            yield folder / "config.toml"
            yield folder / "config"
        if credentials:
            yield self._folder / "credentials.toml"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, ParseError) as exc:
        # The parser's message may quote a line that holds a token.
        raise ConfigError(f"{file}: can't be read as cargo's configuration") from exc
