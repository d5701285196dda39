"""Pip's main index and its extra ones (``extra-index-url``), asked as one registry.

The next index is asked only for what the ones before don't have, so that a name means what it
means at the first that has it. Pip itself would take the newest version of all of them.
"""

from __future__ import annotations

from dataclasses import replace

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.interface import Origin, Registry


class Indexes:
    """Package indexes in the order in which they are asked, the main one first."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, main: Registry, *extra: Registry) -> None:
        self._main = main
        self._extra = extra

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """What the first index says that has the name; ABSENT only if all say so.

        Raises RegistryError where none has it, and one couldn't be asked; without asking the
        extra ones where the main one couldn't.
        """
        return (await self._find(name, known))[1]

    async def origin(self, name: str) -> Origin:
        """What the index tells that has the name. Raises RegistryError."""
        holder, _ = await self._find(name, None)
        return await holder.origin(name)

    async def description(self, name: str) -> str:
        """What the package says of itself at the index that has it. Raises RegistryError."""
        holder, _ = await self._find(name, None)
        return await holder.description(name)

    async def _find(self, name: str, known: Lookup | None) -> tuple[Registry, Lookup]:
        """The index that has the name, and what it says; the main one where none has it."""
        main = await self._main.look_up(name, known)
        if main.verdict is not Verdict.ABSENT:
            return self._main, main
        absent, unanswered = [main.evidence], []
        for index in self._extra:
            try:
                lookup = await index.look_up(name)
            except RegistryError as exc:
                unanswered.append(exc)
                continue
            if lookup.verdict is not Verdict.ABSENT:
                # No validator: the main index would be asked with it the next time.
                return index, replace(lookup, validator="")
            absent.append(lookup.evidence)
        if unanswered:
            raise unanswered[0]
        return self._main, replace(main, evidence="; ".join(absent))
