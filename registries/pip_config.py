"""Which Python package indexes the user's pip asks, how, and which certificates it trusts.

Follows pip's own order: the ``PIP_*`` variable; then, merged over its config files, the
``[install]`` section before ``[global]``; then the public default of pypi_simple. Does not
read ``find-links`` or command-line options.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ghostbust.errors import ConfigError
from ghostbust.registries.endpoints import Endpoint, Route, endpoint


@dataclass(frozen=True, slots=True)
class PipSettings:
    """Pip's settings on this machine. Every method raises ConfigError for an unreadable file."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=Path.home)
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    """the interpreter's environment"""
    etc: Path = Path("/etc")

    def index(self) -> Endpoint:
        """The main index of ``pip install``. Raises ConfigError for an unusable address."""
        address, origin = self._setting("index-url")
        if not address:
            # Imported here: it costs 0.3 s, and a snapshot needs no index.
            from pypi_simple import PYPI_SIMPLE_ENDPOINT

            address, origin = PYPI_SIMPLE_ENDPOINT, "default"
        return endpoint(address, origin, netrc_file=self._netrc)

    def extra_indexes(self) -> tuple[Endpoint, ...]:
        """The indexes of ``extra-index-url``, in their order, each with its own credentials.

        One source's list replaces another's, as in pip. Raises as `index`.
        """
        addresses, origin = self._setting("extra-index-url")
        return tuple(
            endpoint(address, origin, netrc_file=self._netrc) for address in addresses.split()
        )

    def has_links(self) -> bool:
        """True where pages or folders of files are looked through, too (``find-links``)."""
        return bool(self._setting("find-links")[0])

    def certificates(self) -> Path | None:
        """The file of trusted certificates that ``cert`` names; None for the usual ones."""
        file, _origin = self._setting("cert")
        return Path(file).expanduser() if file else None

    def route(self) -> Route:
        """The proxy that pip uses (``proxy``).

        As in pip, ``NO_PROXY`` doesn't count beside it, and an address without a scheme is HTTP's.
        """
        proxy, origin = self._setting("proxy")
        if not proxy:
            return Route()
        return Route(proxy if "://" in proxy else f"http://{proxy}", origin)

    @property
    def _netrc(self) -> Path:
        return Path(self.environ.get("NETRC") or self.home / ".netrc")

    def _files(self) -> Iterator[Path]:
        """Pip's config files in the order in which pip reads them: the last one wins.

        Source: "Configuration" in pip's user guide.
        """
        named = self.environ.get("PIP_CONFIG_FILE")
        if named == os.devnull:  # pip's way to switch config files off
            return
        if sys.platform == "win32":
            yield from self._windows_files()
            if named:
                yield Path(named)
            return
        if sys.platform == "darwin":
            yield Path("/Library/Application Support/pip/pip.conf")
        shared = self.environ.get("XDG_CONFIG_DIRS") or str(self.etc / "xdg")
        for folder in reversed(shared.split(os.pathsep)):
            yield Path(folder) / "pip" / "pip.conf"
        yield self.etc / "pip.conf"
        yield self.home / ".pip" / "pip.conf"
        support = self.home / "Library" / "Application Support" / "pip"
        if sys.platform == "darwin" and support.is_dir():
            yield support / "pip.conf"
        else:
            user = self.environ.get("XDG_CONFIG_HOME") or self.home / ".config"
            yield Path(user) / "pip" / "pip.conf"
        yield self.prefix / "pip.conf"
        if named:
            yield Path(named)

    def _windows_files(self) -> Iterator[Path]:
        for variable in ("PROGRAMDATA", "APPDATA"):
            if folder := self.environ.get(variable):
                if variable == "APPDATA":
                    yield self.home / "pip" / "pip.ini"
                yield Path(folder) / "pip" / "pip.ini"
        yield self.prefix / "pip.ini"

    def _setting(self, key: str) -> tuple[str, str]:
        """Value and origin of a setting; two empty strings where it isn't set."""
        variable = "PIP_" + key.upper().replace("-", "_")
        if value := self.environ.get(variable, ""):
            return value, variable
        found: dict[str, tuple[str, str]] = {}
        for file in self._files():
            # Raw: a percent sign in a password is no interpolation.
            parser = configparser.RawConfigParser()
            try:
                parser.read_string(file.read_text(encoding="utf-8"), source=str(file))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError, configparser.Error) as exc:
                raise ConfigError(f"{file}: can't be read as pip's configuration") from exc
            for section in ("global", "install"):
                for name, value in parser.items(section) if parser.has_section(section) else ():
                    if name.replace("_", "-").removeprefix("--") == key and value:
                        found[section] = (value, str(file))
        return found.get("install") or found.get("global") or ("", "")
