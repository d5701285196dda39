"""Which npm registries the user's npm asks, the default one and one for each scope, and how.

Follows npm's own order: ``npm_config_*`` variables, then the ``.npmrc`` of a project, of the user
and of the installation, then the public default, taken from the download address that
packageurl-python derives. Only what the caller names is a project: the working folder's ``.npmrc``
isn't read, since whoever wrote it would say who is asked, through which proxy, with whose
certificates, and what of the environment is sent along. Does not read command-line options or
``package.json``.
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

from packageurl.contrib import purl2url

from ghostbust.errors import ConfigError
from ghostbust.registries.transport import Endpoint, Route, basic, endpoint

_PREFIX = "npm_config_"
_VARIABLE = re.compile(r"(?<!\\)\$\{([^${}?]+)(\?)?\}")


@dataclass(frozen=True, slots=True)
class NpmEndpoints:
    """Which registry answers for which name."""

    default: Endpoint
    scopes: Mapping[str, Endpoint] = field(default_factory=dict)
    """scope, with its ``@``, to the registry that its names come from"""

    def of(self, name: str) -> Endpoint:
        """The registry that npm would ask for the name."""
        return self.scopes.get(name.partition("/")[0], self.default)


def npm_endpoints(
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    project: Path | None = None,
) -> NpmEndpoints:
    """The registries that ``npm install`` would ask, from environment and ``.npmrc`` files.

    ``home``: None for the user's home folder; ``project``: the folder whose ``.npmrc`` comes before
    the user's, None for none. Raises ConfigError for a file that can't be read.
    """
    home = Path.home() if home is None else home
    settings = _settings(environ, home, project)
    netrc_file = Path(environ.get("NETRC") or home / ".netrc")

    def at(address: str, origin: str) -> Endpoint:
        told = _authorization(address, settings)
        return endpoint(address, origin, authorization=told, netrc_file=netrc_file)

    scopes = {
        key.removesuffix(":registry"): at(*found)
        for key, found in settings.items()
        if key.startswith("@") and key.endswith(":registry")
    }
    return NpmEndpoints(at(*settings.get("registry", (public_npm(), "default"))), scopes)


def npm_certificates(
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    project: Path | None = None,
) -> Path | None:
    """The file of trusted certificates that npm is told to use (``cafile``); None for none."""
    settings = _settings(environ, Path.home() if home is None else home, project)
    file, _origin = settings.get("cafile", ("", ""))
    return Path(file).expanduser() if file else None


def npm_authority(
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    project: Path | None = None,
) -> str:
    """The trusted certificates that npm's settings hold (``ca``), as PEM; empty without any."""
    settings = _settings(environ, Path.home() if home is None else home, project)
    return _told(settings, "ca")[0].replace("\\n", "\n")


def npm_route(
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    project: Path | None = None,
) -> Route:
    """Through which proxy npm goes, and where to it goes directly.

    As for npm, ``https-proxy``, else ``proxy``, counts for all addresses, and ``noproxy``, else
    ``NO_PROXY``, for the hosts.
    """
    settings = _settings(environ, Path.home() if home is None else home, project)
    proxy, origin = _told(settings, "https-proxy")
    if not proxy:
        proxy, origin = _told(settings, "proxy")
    hosts, _ = _told(settings, "noproxy")
    if proxy and not hosts:
        hosts = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    direct = (host.strip(".") for host in re.split(r"[\s,]+", hosts))
    return Route(proxy or None, origin, tuple(filter(None, direct)))


def _told(settings: Mapping[str, tuple[str, str]], key: str) -> tuple[str, str]:
    """Value and origin; two empty strings for what isn't set, or is set to nothing."""
    value, origin = settings.get(key, ("", ""))
    return (value, origin) if value not in ("", "null", "false") else ("", "")


def public_npm() -> str:
    """The public registry's address, as packageurl-python knows it."""
    url: str = purl2url.get_download_url(  # type: ignore[no-untyped-call]
        "pkg:npm/npm@1.0.0"
    )
    return url.partition("/npm/-/")[0]


def is_ignored(
    file: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    project: Path | None = None,
) -> bool:
    """Whether an ``.npmrc`` that is there speaks of registries, but isn't one that counts."""
    home = Path.home() if home is None else home
    read = _files(_variables(environ), home, project)
    if any(one.is_file() and one.samefile(file) for one in read):
        return False
    try:
        keys = {key.rpartition(":")[2] for key, _ in _read(file, {})}
    except ConfigError:
        return True
    return bool(keys & _ABOUT_REGISTRIES)


def _settings(
    environ: Mapping[str, str], home: Path, project: Path | None
) -> dict[str, tuple[str, str]]:
    """Every npm setting as key to value and origin; the first source that has a key wins."""
    settings = _variables(environ)
    for file in _files(settings, home, project):
        for key, value in _read(file, environ):
            settings.setdefault(key, (value, str(file)))
    return settings


def _variables(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    settings: dict[str, tuple[str, str]] = {}
    for variable, value in environ.items():
        if variable.lower().startswith(_PREFIX) and value:
            key = variable[len(_PREFIX) :]
            key = key if key.startswith(("//", "@")) else key.lower().replace("_", "-")
            settings.setdefault(key, (value, variable))
    return settings


def _files(
    variables: Mapping[str, tuple[str, str]], home: Path, project: Path | None
) -> tuple[Path, ...]:
    """The ``.npmrc`` files that count, the first one most, whether they are there or not."""
    user = variables.get("userconfig", (str(home / ".npmrc"), ""))[0]
    own = () if project is None else (project / ".npmrc",)
    return (*own, Path(user), *_installation(variables))


def _installation(settings: Mapping[str, tuple[str, str]]) -> Iterator[Path]:
    """The config file of npm's installation; none where no Node is found."""
    if "globalconfig" in settings:
        yield Path(settings["globalconfig"][0])
    elif "prefix" in settings:
        yield Path(settings["prefix"][0]) / "etc" / "npmrc"
    elif node := shutil.which("node"):
        yield Path(node).resolve().parent.parent / "etc" / "npmrc"


def _read(file: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The ``key = value`` lines of an ``.npmrc``, ``${VARIABLE}`` expanded; the last one first.

    A variable that isn't set stays as written; with ``?`` behind its name it becomes empty.
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
    for line in reversed(lines):
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


def _authorization(address: str, settings: Mapping[str, tuple[str, str]]) -> str | None:
    """The header for a registry that ``//host/path/:_authToken`` and the like tell of.

    As npm does, looks under the registry's own path first, then under each folder above.
    """
    parts = urlsplit(address)
    folders = [folder for folder in parts.path.split("/") if folder]
    host = parts.netloc.rpartition("@")[2]
    for depth in range(len(folders), -1, -1):
        place = "//" + "/".join([host, *folders[:depth]])
        for key in (f"{place}/:", f"{place}:"):
            told = {name: settings[key + name][0] for name in _SECRETS if key + name in settings}
            if "_authToken" in told:
                return f"Bearer {told['_authToken']}"
            if "_auth" in told:
                return f"Basic {told['_auth']}"
            if {"username", "_password"} <= told.keys():
                return basic(told["username"], _decoded(told["_password"], key))
    return None


_SECRETS = ("_authToken", "_auth", "username", "_password")
_ABOUT_REGISTRIES = frozenset(
    {*_SECRETS, "registry", "cafile", "ca", "proxy", "https-proxy", "noproxy"}
)
"""keys that are read here, without the scope or the address before them"""


def _decoded(password: str, key: str) -> str:
    """The password, which npm keeps in base64."""
    try:
        return base64.b64decode(password, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise ConfigError(f"npm's setting {key}_password isn't base64") from exc
