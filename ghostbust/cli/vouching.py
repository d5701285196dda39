"""Names that the user vouches for, and names that are the user's own: neither is looked up.

Both come from the home's settings, an explicit ``--config`` or the environment, never from the
current folder: what is checked must not vouch for itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from ghostbust.cli.names import ref_of
from ghostbust.errors import ConfigError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, PackageRef, Verdict, utc_now
from ghostbust.registries.names import canonical_name, is_valid_name

ALLOWED = "allowed"
PRIVATE_SCOPE = "private-scope"
_VARIABLES = ("GHOSTBUST_CHECK__ALLOW", "GHOSTBUST_CHECK__PRIVATE")
_HERE = Path("ghostbust.toml")


@dataclass(frozen=True, slots=True)
class Vouching:
    """What isn't looked up, as canonical names and as what names begin with."""

    allowed: frozenset[tuple[Ecosystem, str]] = frozenset()
    scopes: tuple[tuple[Ecosystem, str], ...] = ()
    """``@acme/`` for an npm scope, ``acme-`` for a PyPI prefix"""
    reviewed: frozenset[tuple[Ecosystem, str]] = frozenset()
    """what a person said `ghostbust names allow` of"""

    @classmethod
    def of(cls, allow: Iterable[str], private: Iterable[str]) -> Self:
        """From the settings' texts. Raises ConfigError for one that says nothing."""
        scopes = tuple(_scope(text) for text in private)
        return cls(frozenset(_name(text) for text in allow), scopes)

    def lookup(self, ref: PackageRef) -> Lookup | None:
        """UNKNOWN for a ref that isn't to be looked up; None for any other."""
        name = ref.name or canonical_name(ref.ecosystem, ref.import_name or ref.raw)
        if (ref.ecosystem, name) in self.allowed:
            reason, said = ALLOWED, "the settings' check.allow has it"
        elif (ref.ecosystem, name) in self.reviewed:
            reason, said = ALLOWED, "a review allows it (ghostbust names show)"
        elif any(ref.ecosystem is eco and name.startswith(head) for eco, head in self.scopes):
            reason, said = PRIVATE_SCOPE, "the settings' check.private has its scope"
        else:
            return None
        evidence = f"{name}: {said}"
        return Lookup(ref.ecosystem, name, Verdict.UNKNOWN, reason, evidence, "rule", utc_now())


def trusted_vouching(config: Path | None, home: Path | None) -> Vouching:
    """What the trusted settings say; nothing where there are none. Raises ConfigError."""
    place = Home.find(home)
    asked = config is not None or place.config.is_file()
    if not asked and not any(os.environ.get(name) for name in _VARIABLES):
        return Vouching(
            reviewed=_reviewed(place)
        )  # spares the 0.2 s that it takes to load the settings
    from ghostbust.config import load_config

    settings = load_config(config, place, trust_here=False).check
    return replace(Vouching.of(settings.allow, settings.private), reviewed=_reviewed(place))


def _reviewed(home: Home) -> frozenset[tuple[Ecosystem, str]]:
    """What `ghostbust names allow` was said of; nothing where there is no database to be read."""
    if not home.database.is_file():
        return frozenset()
    from ghostbust.store import Store

    try:
        with Store.open(home.database, read_only=True) as store:
            return store.reviews.allowed()
    except StoreError:
        return frozenset()  # one of an older version has none, and checking needs no database


def passed_over(config: Path | None) -> bool:
    """True where the current folder's settings try to vouch and aren't heard."""
    try:
        return config is None and "[check]" in _HERE.read_text("utf-8", "replace")
    except OSError:
        return False


def _name(text: str) -> tuple[Ecosystem, str]:
    try:
        ref = ref_of(text)
    except UsageError as exc:
        raise ConfigError(f"check.allow: {exc}") from exc
    if ref is None or ref.name is None:
        raise ConfigError(f"check.allow: {text!r} is no name in a registry")
    return ref.ecosystem, ref.name


def _scope(text: str) -> tuple[Ecosystem, str]:
    if text.startswith("@"):
        scope = text.removesuffix("/*").rstrip("/")
        if is_valid_name(Ecosystem.NPM, f"{scope}/x") and not {"/", "*"} & set(scope):
            return Ecosystem.NPM, f"{scope}/"
    elif text.endswith("*"):
        head = canonical_name(Ecosystem.PYPI, text[:-1])
        if is_valid_name(Ecosystem.PYPI, head.strip("-")) and not head.startswith("-"):
            return Ecosystem.PYPI, head
    raise ConfigError(
        f"check.private: {text!r} is no scope; write @scope for npm, prefix-* for PyPI"
    )
