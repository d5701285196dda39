"""Where a registry answers, and the way there, as settings say it. Asks nobody."""

from __future__ import annotations

import base64
import netrc
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from ghostbust.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a registry answers. Its repr and its url never show a credential."""

    url: str
    """base address without user name and password, no slash at the end"""
    origin: str
    """where the setting comes from: a variable, a file, or ``default``"""
    authorization: str | None = field(default=None, repr=False)
    """value of the Authorization header; None to ask without"""

    def headers(self) -> dict[str, str]:
        """The request headers that carry the credentials; empty without any."""
        return {"Authorization": self.authorization} if self.authorization else {}


@dataclass(frozen=True, slots=True)
class Route:
    """The proxies that pip's, npm's or cargo's own settings name."""

    proxy: str | None = field(default=None, repr=False)
    """for all addresses; None leaves it to the environment. May hold a password"""
    origin: str = ""
    """where the setting comes from; empty without one"""
    direct: tuple[str, ...] = ()
    """hosts that are asked without any proxy, and with each the hosts below it"""


def endpoint(
    address: str, origin: str, *, authorization: str | None = None, netrc_file: Path | None = None
) -> Endpoint:
    """The endpoint at ``address``, user name and password taken out of it.

    Credentials: ``authorization`` if given, else those in the address, else those that
    ``netrc_file`` has for its host. Raises ConfigError for anything but an http(s) address;
    the message names ``origin``, not the address, which may hold a password.
    """
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"{origin}: the registry's address can't be read") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{origin}: the registry's address must start with http:// or https://")
    if authorization is None and parts.username is not None:
        authorization = basic(unquote(parts.username), unquote(parts.password or ""))
    if authorization is None and netrc_file is not None:
        authorization = _from_netrc(host, netrc_file)
    bare = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, bare, parts.path.rstrip("/"), "", ""))
    return Endpoint(url, origin, authorization)


def basic(user: str, password: str) -> str:
    """The Authorization header of HTTP basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _from_netrc(host: str, file: Path) -> str | None:
    """The header for the host; None where the file lacks the host, or doesn't exist."""
    try:
        known = netrc.netrc(file).hosts.get(host)
    except FileNotFoundError:
        return None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as exc:
        # The parser's message may quote a line that holds a password.
        raise ConfigError(f"{file}: can't be read as a netrc file") from exc
    return basic(known[0], known[2]) if known else None
