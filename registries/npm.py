"""The npm registry, asked live.

Asks for the abbreviated document, since the full one can pass 10 MB. The full one is read for
suspects only: when and by whom a name was published, or taken back. Names are asked for as
written, capitals included; then, since new names can't have any, in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.interface import Origin
from ghostbust.registries.names import canonical_name
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.pypi import aware_time
from ghostbust.registries.suspects import NPM_SECURITY_HOLD
from ghostbust.registries.transport import Client, NoAnswerError, Reply

_ACCEPT = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
_CONTENT_TYPES = ("application/vnd.npm.install-v1+json", "application/json")

Document = Mapping[str, Any]
T = TypeVar("T")


class NpmRegistry:
    """The registries that npm is configured for, asked about one name at a time."""

    ecosystem = Ecosystem.NPM

    def __init__(
        self,
        client: Client,
        endpoints: NpmEndpoints,
        *,
        may_be_young: Callable[[str, datetime], bool] = lambda _name, _changed: False,
    ) -> None:
        """``may_be_young``: of a name and the time of its last change, whether its age matters.

        For those the full document is read, which says when they were first published.
        """
        self._client = client
        self._endpoints = endpoints
        self._may_be_young = may_be_young

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """REAL, ABSENT, or SUSPECT for a security hold or for having no versions.

        Raises RegistryError where no usable answer came.
        """
        name = canonical_name(self.ecosystem, name)
        lookup = await self._look_up_as_written(name, known)
        if lookup.verdict is not Verdict.ABSENT or name == name.lower():
            return lookup
        lower = await self._look_up_as_written(name.lower(), None)
        if lower.verdict is Verdict.ABSENT:
            return lookup
        # No validator: it would be that of the other name's page.
        return replace(lower, name=name, evidence=f"{name}: 404; {lower.evidence}", validator="")

    async def _look_up_as_written(self, name: str, known: Lookup | None) -> Lookup:
        """The verdict on exactly that name."""

        def read(reply: Reply) -> Lookup | None:
            return self._lookup(name, reply, known)

        validator = known.validator if known is not None else ""
        lookup = await self._ask(name, _ACCEPT, read, validator=validator)
        return await self._look_up_in_full(name) if lookup is None else lookup

    def _lookup(self, name: str, reply: Reply, known: Lookup | None) -> Lookup | None:
        """The verdict that an abbreviated document gives; None where the full one has to tell."""
        if not reply.changed and known is not None:
            return replace(known, looked_up_at=utc_now())
        document = _document(name, reply)
        verdict, reason, said = _verdict(document)
        changed = aware_time(document.get("modified"))
        if verdict is Verdict.REAL and changed is not None and self._may_be_young(name, changed):
            return None
        if verdict is Verdict.SUSPECT:
            return None
        return Lookup(
            self.ecosystem, name, verdict, reason, f"{reply.url}: {said}", "live", utc_now(),
            validator=reply.validator,
        )  # fmt: skip

    async def _look_up_in_full(self, name: str) -> Lookup:
        """The verdict by the full document, with the time of the first release."""

        def read(reply: Reply) -> Lookup:
            document = _document(name, reply)
            verdict, reason, said = _verdict(document)
            first = _first_released(document)
            seen = f", first seen {first:%Y-%m-%d}" if first else ""
            return Lookup(
                self.ecosystem, name, verdict, reason, f"{reply.url}: {said}{seen}", "live",
                utc_now(), first,
            )  # fmt: skip

        return await self._ask(name, "application/json", read)

    async def origin(self, name: str) -> Origin:
        """First publication, maintainers and publisher, from the full document."""
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> Origin:
            document = _document(name, reply)
            _, _, said = _verdict(document)
            return Origin(_first_released(document), _people(document), f"{reply.url}: {said}")

        return await self._ask(name, "application/json", read)

    async def description(self, name: str) -> str:
        """The description of its latest version, from that version's own document."""
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> str:
            told = reply.document.get("description") if reply.found else ""
            return " ".join(told.split()) if isinstance(told, str) else ""

        return await self._ask(name, "application/json", read, of="/latest")

    async def _ask(
        self,
        name: str,
        accept: str,
        read: Callable[[Reply], T],
        *,
        validator: str = "",
        of: str = "",
    ) -> T:
        endpoint = self._endpoints.of(name)
        return await self._client.ask(
            f"{endpoint.url}/{name.replace('/', '%2f')}{of}",
            read,
            accept=accept,
            content_types=_CONTENT_TYPES,
            headers=endpoint.headers(),
            validator=validator,
        )


def _document(name: str, reply: Reply) -> Document:
    """The package document; empty for a 404. Raises NoAnswerError for any other document."""
    if not reply.found:
        return {}
    document = reply.document
    if not isinstance(document.get("name"), str):
        raise NoAnswerError("no npm package document")
    if document["name"] != name:
        raise NoAnswerError("it is another package's document")
    return document


def _verdict(document: Document) -> tuple[Verdict, str, str]:
    """Verdict, reason and what the registry said."""
    if not document:
        return Verdict.ABSENT, "not-registered", "404"
    versions = document.get("versions")
    if not isinstance(versions, dict) or not versions:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, _gone(document)
    tags = document.get("dist-tags")
    latest = str(tags.get("latest", "")) if isinstance(tags, dict) else ""
    latest = latest or list(versions)[-1]
    if NPM_SECURITY_HOLD.search(latest):
        return Verdict.SUSPECT, SuspectReason.SECURITY_HOLDING, f"latest version {latest}"
    modified = document.get("modified")
    changed = f", last changed {modified[:10]}" if isinstance(modified, str) else ""
    return Verdict.REAL, "registered", f"{len(versions)} versions, latest {latest}{changed}"


def _gone(document: Document) -> str:
    """Why there is no version: taken back by its owner, and when, or never published."""
    time = document.get("time")
    told = time.get("unpublished") if isinstance(time, dict) else None
    if told is None:
        return "registered, without any version"
    at = aware_time(told.get("time")) if isinstance(told, dict) else None
    return f"unpublished {at:%Y-%m-%d}" if at else "unpublished"


def _first_released(document: Document) -> datetime | None:
    """When the name was first published; the full document tells, the abbreviated one doesn't."""
    time = document.get("time")
    return aware_time(time.get("created")) if isinstance(time, dict) else None


def _people(document: Document) -> str:
    """Maintainers, and who published the latest version, one line."""
    found = [_person(person) for person in _listed(document.get("maintainers"))]
    tags, versions = document.get("dist-tags"), document.get("versions")
    if isinstance(tags, dict) and isinstance(versions, dict):
        latest = versions.get(tags.get("latest"))
        if isinstance(latest, dict) and latest.get("_npmUser"):
            found.append(f"published by {_person(latest['_npmUser'])}")
    return " ".join(", ".join(filter(None, dict.fromkeys(found))).split())


def _person(told: object) -> str:
    if not isinstance(told, dict):
        return str(told)
    name, email = str(told.get("name", "")), str(told.get("email", ""))
    return f"{name} <{email}>" if email else name


def _listed(told: object) -> list[object]:
    return told if isinstance(told, list) else []
