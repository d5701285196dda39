"""The npm registry, asked live.

Asks for the abbreviated document, since the full one can pass 10 MB. The full one is read for
suspects only: when and by whom a name was published, or taken back. Names are asked for as
written, capitals included; then, since new names can't have any, in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.interface import Origin
from ghostbust.registries.names import NPM_SECURITY_HOLD, canonical_name
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.pypi import aware_time
from ghostbust.registries.transport import Client, NoAnswerError, Reply

_FULL = "application/json"
_ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
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
        """``may_be_young``: whether the age of a name that was last changed then matters.

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
            """The verdict by the abbreviated document; None where the full one must decide."""
            if not reply.changed and known is not None:
                return replace(known, looked_up_at=utc_now())
            document = _document(name, reply)
            verdict, reason, evidence = _verdict(document)
            changed = aware_time(document.get("modified"))
            if verdict is Verdict.SUSPECT:
                return None
            if verdict is Verdict.REAL and changed and self._may_be_young(name, changed):
                return None
            return Lookup(
                self.ecosystem, name, verdict, reason, f"{reply.url}: {evidence}", "live",
                utc_now(), validator=reply.validator,
            )  # fmt: skip

        def read_in_full(reply: Reply) -> Lookup:
            document = _document(name, reply)
            verdict, reason, evidence = _verdict(document)
            first = _first_released(document)
            seen = f", first seen {first:%Y-%m-%d}" if first else ""
            return Lookup(
                self.ecosystem, name, verdict, reason, f"{reply.url}: {evidence}{seen}", "live",
                utc_now(), first,
            )  # fmt: skip

        validator = known.validator if known is not None else ""
        lookup = await self._ask(name, _ABBREVIATED, read, validator=validator)
        return await self._ask(name, _FULL, read_in_full) if lookup is None else lookup

    async def origin(self, name: str) -> Origin:
        """First publication, maintainers and publisher, from the full document."""
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> Origin:
            document = _document(name, reply)
            evidence = f"{reply.url}: {_verdict(document)[2]}"
            return Origin(_first_released(document), _people(document), evidence)

        return await self._ask(name, _FULL, read)

    async def description(self, name: str) -> str:
        """The description of its latest version, from that version's own document."""

        def read(reply: Reply) -> str:
            text = reply.document.get("description") if reply.found else ""
            return " ".join(text.split()) if isinstance(text, str) else ""

        return await self._ask(canonical_name(self.ecosystem, name), _FULL, read, below="/latest")

    async def versions(self, name: str) -> Sequence[str]:
        """The versions of the abbreviated document."""
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> Sequence[str]:
            versions = _document(name, reply).get("versions")
            return list(versions) if isinstance(versions, dict) else ()

        return await self._ask(name, _ABBREVIATED, read)

    async def _ask(
        self,
        name: str,
        accept: str,
        read: Callable[[Reply], T],
        *,
        validator: str = "",
        below: str = "",
    ) -> T:
        endpoint = self._endpoints.of(name)
        # The slash of a scope is escaped, as npm itself does: it is no folder of the address.
        return await self._client.ask(
            f"{endpoint.url}/{name.replace('/', '%2f')}{below}",
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
    """Verdict, reason and evidence."""
    if not document:
        return Verdict.ABSENT, "not-registered", "404"
    versions = document.get("versions")
    if not isinstance(versions, dict) or not versions:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, _why_no_version(document)
    tags = document.get("dist-tags")
    latest = str(tags.get("latest", "")) if isinstance(tags, dict) else ""
    latest = latest or list(versions)[-1]
    if NPM_SECURITY_HOLD.search(latest):
        return Verdict.SUSPECT, SuspectReason.SECURITY_HOLDING, f"latest version {latest}"
    modified = document.get("modified")
    changed = f", last changed {modified[:10]}" if isinstance(modified, str) else ""
    return Verdict.REAL, "registered", f"{len(versions)} versions, latest {latest}{changed}"


def _why_no_version(document: Document) -> str:
    """Taken back by its owner, and when, or never published."""
    time = document.get("time")
    unpublished = time.get("unpublished") if isinstance(time, dict) else None
    if unpublished is None:
        return "registered, without any version"
    at = aware_time(unpublished.get("time")) if isinstance(unpublished, dict) else None
    return f"unpublished {at:%Y-%m-%d}" if at else "unpublished"


def _first_released(document: Document) -> datetime | None:
    """When the name was first published; only the full document has it."""
    time = document.get("time")
    return aware_time(time.get("created")) if isinstance(time, dict) else None


def _people(document: Document) -> str:
    """Maintainers, and who published the latest version, one line."""
    maintainers = document.get("maintainers")
    found = [_person(one) for one in (maintainers if isinstance(maintainers, list) else [])]
    tags, versions = document.get("dist-tags"), document.get("versions")
    if isinstance(tags, dict) and isinstance(versions, dict):
        latest = versions.get(tags.get("latest"))
        if isinstance(latest, dict) and latest.get("_npmUser"):
            found.append(f"published by {_person(latest['_npmUser'])}")
    return " ".join(", ".join(filter(None, dict.fromkeys(found))).split())


def _person(person: object) -> str:
    if not isinstance(person, dict):
        return str(person)
    name, email = str(person.get("name", "")), str(person.get("email", ""))
    return f"{name} <{email}>" if email else name
