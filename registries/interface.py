"""What a live registry can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ghostbust.records import Ecosystem, Lookup


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a registered package comes from, as far as its registry tells."""

    first_released: datetime | None
    """when its oldest file or version that is left was published; None where nobody said"""
    uploader: str
    """who published it: accounts, names and addresses, one line; empty where nobody said"""
    evidence: str
    """what was asked and what it said, one line"""


class Registry(Protocol):
    """One package registry that answers over the network."""

    @property
    def ecosystem(self) -> Ecosystem:
        """Whose names it knows."""

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """What the registry says of a canonical, valid name, asked now.

        ``known`` is an earlier answer of this registry that is too old to be believed; where
        the registry says that nothing changed since, it counts again. A name that isn't there
        is an ABSENT `Lookup`; RegistryError means that no usable answer came, and says nothing
        about the name.
        """

    async def origin(self, name: str) -> Origin:
        """Who published a registered name, and when first. Raises RegistryError.

        May cost much more than a look-up: for the few names of which it matters.
        """

    async def description(self, name: str) -> str:
        """What a registered package says of itself, one line; empty where it says nothing, where
        the registry has no page that would tell, and where it doesn't have the package.

        Raises RegistryError.
        """


class Meter(Protocol):
    """Who counts the requests that are sent to registries."""

    def spend(self) -> None:
        """Called before each request, those of retries and redirects included.

        Raises SpentError where it must not be sent.
        """
