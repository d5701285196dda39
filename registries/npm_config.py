"""Which npm registries the user's npm asks, the default one and one for each scope, and how.

Follows npm's own order: ``npm_config_*`` variables, then the ``.npmrc`` of a project, of the user
and of the installation, then the public default, taken from the download address that
packageurl-python derives. Only the folder that the caller names is a project. The working
folder's ``.npmrc`` isn't read: its author would decide who is asked, through which proxy, with
whose certificates, and which secrets of the environment are sent along. Does not read
command-line options or ``package.json``.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ghostbust.errors import ConfigError
from ghostbust.registries.endpoints import Endpoint, Route, basic, endpoint
from ghostbust.registries.names import public_npm

_PREFIX = "npm_config_"
_VARIABLE = re.compile(r"(?<!\\)\$\{([^${}?]+)(\?)?\}")
_SECRETS = ("_authToken", "_auth", "username", "_password")
_ABOUT_REGISTRIES = frozenset(
    {*_SECRETS, "registry", "cafile", "ca", "proxy", "https-proxy", "noproxy"}
)
"""keys that are read here, without the scope or the address before them"""

Values = dict[str, tuple[str, str]]
"""key to value and origin, a variable or a file"""


@dataclass(frozen=True, slots=True)
class NpmEndpoints:
    """Which registry answers for which name."""

    default: Endpoint
    scopes: Mapping[str, Endpoint] = field(default_factory=dict)
    """scope, with its ``@``, to the registry that its names come from"""

    def of(self, name: str) -> Endpoint:
        """The registry that npm would ask for the name."""
        return self.scopes.get(name.partition("/")[0], self.default)


@dataclass(frozen=True, slots=True)
class NpmSettings:
    """Npm's settings on this machine. Every method raises ConfigError for an unreadable file."""

    project: Path | None = None
    """the folder whose ``.npmrc`` comes before the user's; None: no folder's"""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=Path.home)

    def endpoints(self) -> NpmEndpoints:
        """The registries that ``npm install`` would ask. Raises ConfigError for a bad address."""
        values = self._values()
        netrc_file = Path(self.environ.get("NETRC") or self.home / ".netrc")

        def at(address: str, origin: str) -> Endpoint:
            header = _authorization(address, values)
            return endpoint(address, origin, authorization=header, netrc_file=netrc_file)

        scopes = {
            key.removesuffix(":registry"): at(*found)
            for key, found in values.items()
            if key.startswith("@") and key.endswith(":registry")
        }
        return NpmEndpoints(at(*values.get("registry", (public_npm(), "default"))), scopes)

    def certificates(self) -> Path | None:
        """The file of trusted certificates that ``cafile`` names; None for none."""
        file, _origin = self._values().get("cafile", ("", ""))
        return Path(file).expanduser() if file else None

    def authority(self) -> str:
        """The trusted certificates that the settings hold (``ca``), as PEM; empty without any."""
        return _set(self._values(), "ca")[0].replace("\\n", "\n")

    def route(self) -> Route:
        """The proxy that npm uses, and the hosts that it asks without one.

        As in npm, ``https-proxy``, else ``proxy``, counts for all addresses, and ``noproxy``,
        else ``NO_PROXY``, for the hosts.
        """
        values = self._values()
        proxy, origin = _set(values, "https-proxy")
        if not proxy:
            proxy, origin = _set(values, "proxy")
        hosts, _ = _set(values, "noproxy")
        if proxy and not hosts:
            hosts = self.environ.get("no_proxy") or self.environ.get("NO_PROXY") or ""
        direct = (host.strip(".") for host in re.split(r"[\s,]+", hosts))
        return Route(proxy or None, origin, tuple(filter(None, direct)))

    def ignores(self, file: Path) -> bool:
        """Whether an existing ``.npmrc`` sets something about registries, but isn't read."""
        if any(one.is_file() and one.samefile(file) for one in self._files(self._variables())):
            return False
        try:
            keys = {key.rpartition(":")[2] for key, _ in _lines(file, {})}
        except ConfigError:
            return True
        return bool(keys & _ABOUT_REGISTRIES)

    def _values(self) -> Values:
        """Every setting; the first source that has a key wins."""
        values = self._variables()
        for file in self._files(values):
            for key, value in _lines(file, self.environ):
                values.setdefault(key, (value, str(file)))
        return values

    def _variables(self) -> Values:
        values: Values = {}
        for variable, value in self.environ.items():
            if variable.lower().startswith(_PREFIX) and value:
                key = variable[len(_PREFIX) :]
                key = key if key.startswith(("//", "@")) else key.lower().replace("_", "-")
                values.setdefault(key, (value, variable))
        return values

    def _files(self, variables: Values) -> tuple[Path, ...]:
        """The ``.npmrc`` files that count, the strongest first, whether they exist or not.

        The installation's is found by the variables, else beside Node; without Node there is none.
        """
        user = variables.get("userconfig", (str(self.home / ".npmrc"), ""))[0]
        files = [Path(user)] if self.project is None else [self.project / ".npmrc", Path(user)]
        if "globalconfig" in variables:
            files.append(Path(variables["globalconfig"][0]))
        elif "prefix" in variables:
            files.append(Path(variables["prefix"][0]) / "etc" / "npmrc")
        elif node := shutil.which("node"):
            files.append(Path(node).resolve().parent.parent / "etc" / "npmrc")
        return tuple(files)


def _set(values: Values, key: str) -> tuple[str, str]:
    """Value and origin; two empty strings for what isn't set, or is set to nothing."""
    value, origin = values.get(key, ("", ""))
    return (value, origin) if value not in ("", "null", "false") else ("", "")


def _lines(file: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The ``key = value`` lines of an ``.npmrc``, ``${VARIABLE}`` expanded; the last one first.

    An unset variable stays as written; with ``?`` behind its name it becomes empty.
    The values of a list (``key[] = value``) come as one, a line each.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: can't be read as npm's configuration") from exc

    def expand(text: str) -> str:
        return _VARIABLE.sub(
            lambda match: environ.get(match[1], "" if match[2] else match[0]), text
        )

    listed: dict[str, str] = {}
    for line in reversed(lines):  # the last of two lines with one key wins
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith((";", "#")):
            continue
        key, value = expand(key.strip()), expand(value.strip().strip("\"'"))
        if key.endswith("[]"):
            key = key.removesuffix("[]")
            listed[key] = f"{value}\n{listed[key]}" if key in listed else value
        else:
            yield key, value
    yield from listed.items()


def _authorization(address: str, values: Values) -> str | None:
    """The header that ``//host/path/:_authToken`` and the like set for a registry; None for none.

    As npm does, looks under the registry's own path first, then under each folder above.
    """
    parts = urlsplit(address)
    folders = [folder for folder in parts.path.split("/") if folder]
    host = parts.netloc.rpartition("@")[2]
    for depth in range(len(folders), -1, -1):
        place = "//" + "/".join([host, *folders[:depth]])
        for key in (f"{place}/:", f"{place}:"):
            secrets = {name: values[key + name][0] for name in _SECRETS if key + name in values}
            if "_authToken" in secrets:
                return f"Bearer {secrets['_authToken']}"
            if "_auth" in secrets:
                return f"Basic {secrets['_auth']}"
            if {"username", "_password"} <= secrets.keys():
                try:  # npm keeps passwords in base64
                    word = base64.b64decode(secrets["_password"], validate=True).decode()
                except (binascii.Error, UnicodeDecodeError) as exc:
                    raise ConfigError(f"npm's setting {key}_password isn't base64") from exc
                return basic(secrets["username"], word)
    return None
