"""What a live registry can be asked."""

from __future__ import annotations

from typing import Protocol

from ghostbust.records import Ecosystem, Lookup


class Registry(Protocol):
    """One package registry that answers over the network."""

    @property
    def ecosystem(self) -> Ecosystem:
        """Whose names it knows."""

    async def look_up(self, name: str) -> Lookup:
        """What the registry says of a canonical, valid name, asked now.

        A name that isn't there is an ABSENT `Lookup`; RegistryError means that no usable
        answer came, and says nothing about the name.
        """
