"""What a live registry answers, and what its callers bring: a cache, a counter of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ghostbust.records import Ecosystem, Lookup


@dataclass(frozen=True, slots=True)
class Origin:
    """Who published a registered package, and when first, as far as its registry says."""

    first_released: datetime | None
    """when its oldest remaining file or version was published; None where the registry doesn't
    say"""
    uploader: str
    """who published it: accounts, names and addresses, one line; empty where not known"""
    evidence: str
    """what was asked and what came back, one line"""


class Registry(Protocol):
    """One package registry that answers over the network."""

    @property
    def ecosystem(self) -> Ecosystem:
        """Whose names it knows."""

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """The registry's verdict on a canonical, valid name, asked now.

        ``known`` is an expired answer of this registry: it counts again where the registry says
        that its page hasn't changed since. A missing name is an ABSENT `Lookup`. RegistryError
        means that no usable answer came, and says nothing about the name.
        """

    async def origin(self, name: str) -> Origin:
        """Who published a registered name, and when first. Raises RegistryError.

        May cost far more than a look-up: for the few names where it matters.
        """

    async def description(self, name: str) -> str:
        """What a registered package says about itself, one line.

        Empty where it says nothing, where the registry has no such page, and where it lacks the
        package. Raises RegistryError.
        """

    async def versions(self, name: str) -> Sequence[str]:
        """Every version of a package that an installer could be given, yanked ones included.

        Empty where it lacks the package. Raises RegistryError where it can't list all of them.
        """


class LookupCache(Protocol):
    """Keeps live verdicts between runs."""

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict on a name, however old; None if there is none."""

    def put_lookup(self, lookup: Lookup) -> None:
        """Keeps a verdict."""


class Meter(Protocol):
    """Counts the requests that are sent to registries, and may forbid them."""

    def spend(self) -> None:
        """Called before each request, retries and redirects included.

        Raises SpentError where the request must not be sent.
        """
