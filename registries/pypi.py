"""PyPI, or any index that speaks the Simple API as JSON (PEP 691), asked live.

The Simple API and not the "project" JSON page: that one answers 404 for quarantined projects
and for names without releases, which are registered all the same. Summaries aren't part of
the Simple API, so placeholders and decoys look real here; the judge adds what the snapshot
knows of them. Does not speak to an index that offers HTML only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.names import canonical_name
from ghostbust.registries.transport import Patience, Reply, ask

_CONTENT_TYPES = ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json")
_ACCEPT = _CONTENT_TYPES[0]
_API_MAJOR = "1"


class PyPIRegistry:
    """A package index, asked about one name at a time."""

    ecosystem = Ecosystem.PYPI

    def __init__(
        self, client: httpx.AsyncClient, endpoint: Endpoint, *, patience: Patience | None = None
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience or Patience()

    async def look_up(self, name: str) -> Lookup:
        """REAL, ABSENT, or SUSPECT for a quarantine or for having no files.

        Raises RegistryError where no usable answer came.
        """
        name = canonical_name(self.ecosystem, name)
        reply = await ask(
            self._client,
            f"{self._endpoint.url}/{name}/",
            accept=_ACCEPT,
            content_types=_CONTENT_TYPES,
            headers=self._endpoint.headers(),
            patience=self._patience,
        )
        verdict, reason, said = _read(reply)
        return Lookup(
            self.ecosystem, name, verdict, reason, f"{reply.url}: {said}", "live", utc_now()
        )


def _read(reply: Reply) -> tuple[Verdict, str, str]:
    """Verdict, reason and what the index said."""
    if not reply.found:
        return Verdict.ABSENT, "not-registered", "404"
    page = reply.document
    meta, files = page.get("meta"), page.get("files")
    version = str(meta.get("api-version", "")) if isinstance(meta, dict) else ""
    if version.partition(".")[0] != _API_MAJOR or not isinstance(files, list):
        raise RegistryError(f"{reply.url}: no Simple API page of version {_API_MAJOR}")
    status = _status(page)
    if status == "quarantined":  # PEP 792
        return Verdict.SUSPECT, SuspectReason.QUARANTINED, "quarantined"
    if not files:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, "registered, without any file"
    times = [
        file["upload-time"]
        for file in files
        if isinstance(file, dict) and isinstance(file.get("upload-time"), str)
    ]
    seen = f", first seen {min(times)[:10]}" if times else ""
    return Verdict.REAL, "registered", f"{status}, {len(files)} files{seen}"


def _status(page: Mapping[str, Any]) -> str:
    """The project's status (PEP 792); ``active`` where the index says none."""
    status = page.get("project-status")
    return str(status.get("status", "active")) if isinstance(status, dict) else "active"
