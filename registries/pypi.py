"""PyPI, or any index that speaks the Simple API, asked live.

The Simple API and not the "project" JSON page: that one answers 404 for quarantined projects
and for names without releases, which are registered all the same. Summaries aren't part of
the Simple API, so placeholders and decoys look real here; the judge adds what the snapshot
knows of them. The "project" page is read for the origin of a claimed name, and for descriptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.interface import Origin
from ghostbust.registries.names import canonical_name
from ghostbust.registries.simple_page import (
    ACCEPT,
    HTML_TYPES,
    JSON_TYPES,
    ProjectPage,
    read_page,
)
from ghostbust.registries.transport import Client, Reply

_PEOPLE = ("author", "author_email", "maintainer", "maintainer_email")


class PyPIRegistry:
    """A package index, asked about one name at a time."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, client: Client, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """REAL, ABSENT, or SUSPECT for a quarantine or for having no files.

        Raises RegistryError where no usable answer came.
        """
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> Lookup:
            if not reply.changed and known is not None:
                return replace(known, looked_up_at=utc_now())
            page = read_page(name, reply) if reply.found else None
            verdict, reason, said = _verdict(page)
            return Lookup(
                self.ecosystem, name, verdict, reason, f"{reply.url}: {said}", "live", utc_now(),
                None if page is None else page.first_released, reply.validator,
            )  # fmt: skip

        return await self._client.ask(
            f"{self._endpoint.url}/{name}/",
            read,
            accept=ACCEPT,
            content_types=JSON_TYPES + HTML_TYPES,
            headers=self._endpoint.headers(),
            validator=known.validator if known is not None else "",
        )

    async def origin(self, name: str) -> Origin:
        """First upload from the Simple API; people and accounts from the "project" page.

        That page isn't part of any standard: nothing is said of the uploader where the index
        has none. Raises RegistryError where the Simple API gives no usable answer.
        """
        name = canonical_name(self.ecosystem, name)
        lookup = await self.look_up(name)
        try:
            uploader = await self._uploader(name)
        except RegistryError:
            uploader = ""
        return Origin(lookup.first_released, uploader, lookup.evidence)

    async def description(self, name: str) -> str:
        """The summary of the "project" page; empty where the index has no such page."""
        return await self._project(canonical_name(self.ecosystem, name), _summary)

    async def _uploader(self, name: str) -> str:
        """The people of the "project" page; empty where the index has no such page."""
        return await self._project(name, _people)

    async def _project(self, name: str, read: Callable[[Mapping[str, object]], str]) -> str:
        """What ``read`` makes of the "project" page; empty where the index has none."""
        root, simple, _ = self._endpoint.url.rpartition("/simple")
        if not simple:
            return ""
        return await self._client.ask(
            f"{root}/pypi/{name}/json",
            lambda reply: read(reply.document) if reply.found else "",
            accept="application/json",
            content_types=("application/json",),
            headers=self._endpoint.headers(),
        )


def _verdict(page: ProjectPage | None) -> tuple[Verdict, str, str]:
    """Verdict, reason and what the index said; None is a 404."""
    if page is None:
        return Verdict.ABSENT, "not-registered", "404"
    if page.status == "quarantined":  # PEP 792
        return Verdict.SUSPECT, SuspectReason.QUARANTINED, "quarantined"
    if not page.files:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, "registered, without any file"
    seen = f", first seen {page.first_released:%Y-%m-%d}" if page.first_released else ""
    return Verdict.REAL, "registered", f"{page.status}, {page.files} files{seen}"


def _summary(project: Mapping[str, object]) -> str:
    """What the "project" page says in one line; empty where it says nothing."""
    info = project.get("info")
    return " ".join(str((info.get("summary") if isinstance(info, dict) else "") or "").split())


def _people(project: Mapping[str, object]) -> str:
    """Accounts, names and addresses on a "project" page, one line."""
    info, owners = project.get("info"), project.get("ownership")
    found = [str(info[key]) for key in _PEOPLE if info.get(key)] if isinstance(info, dict) else []
    if isinstance(owners, dict):
        roles = owners.get("roles")
        found += [
            f"{role.get('role')} {role.get('user')}"
            for role in (roles if isinstance(roles, list) else [])
            if isinstance(role, dict)
        ]
        if owners.get("organization"):
            found.append(f"organization {owners['organization']}")
    return " ".join(", ".join(dict.fromkeys(found)).split())
