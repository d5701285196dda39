"""The npm registry, asked live.

Asks for the abbreviated document, since the full one can pass 10 MB. Names are asked for as
written, capitals included. Does not say when a package was first published: the abbreviated
document doesn't.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.name_lists import NPM_SECURITY_HOLD
from ghostbust.registries.names import canonical_name
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.transport import Patience, Reply, ask

_ACCEPT = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
_CONTENT_TYPES = ("application/vnd.npm.install-v1+json", "application/json")


class NpmRegistry:
    """The registries that npm is configured for, asked about one name at a time."""

    ecosystem = Ecosystem.NPM

    def __init__(
        self,
        client: httpx.AsyncClient,
        endpoints: NpmEndpoints,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._client = client
        self._endpoints = endpoints
        self._patience = patience or Patience()

    async def look_up(self, name: str) -> Lookup:
        """REAL, ABSENT, or SUSPECT for a security hold or for having no versions.

        Raises RegistryError where no usable answer came.
        """
        name = canonical_name(self.ecosystem, name)
        endpoint = self._endpoints.of(name)
        reply = await ask(
            self._client,
            f"{endpoint.url}/{name.replace('/', '%2f')}",
            accept=_ACCEPT,
            content_types=_CONTENT_TYPES,
            headers=endpoint.headers(),
            patience=self._patience,
        )
        verdict, reason, said = _read(reply)
        return Lookup(
            self.ecosystem, name, verdict, reason, f"{reply.url}: {said}", "live", utc_now()
        )


def _read(reply: Reply) -> tuple[Verdict, str, str]:
    """Verdict, reason and what the registry said."""
    if not reply.found:
        return Verdict.ABSENT, "not-registered", "404"
    document = reply.document
    if not isinstance(document.get("name"), str):
        raise RegistryError(f"{reply.url}: no npm package document")
    versions = document.get("versions")
    if not isinstance(versions, dict) or not versions:
        gone = "unpublished" if _unpublished(document) else "registered, without any version"
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, gone
    tags = document.get("dist-tags")
    latest = str(tags.get("latest", "")) if isinstance(tags, dict) else ""
    latest = latest or list(versions)[-1]
    if NPM_SECURITY_HOLD.search(latest):
        return Verdict.SUSPECT, SuspectReason.SECURITY_HOLDING, f"latest version {latest}"
    modified = document.get("modified")
    changed = f", last changed {modified[:10]}" if isinstance(modified, str) else ""
    return Verdict.REAL, "registered", f"{len(versions)} versions, latest {latest}{changed}"


def _unpublished(document: Mapping[str, Any]) -> bool:
    """True where the document says that its owner took the package back."""
    time = document.get("time")
    return isinstance(time, dict) and "unpublished" in time
