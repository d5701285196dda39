"""A sparse index of crates, asked live.

A crate's file in the index has a line of JSON for each version. Names are the same whatever their
capitals, and with ``-`` for ``_``, but the index has a file for the registered spelling only: all
of them are asked for. The index holds no descriptions and no owners. Source: "Index Format" in
cargo's book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from ghostbust.documents import parse_json
from ghostbust.errors import ConfigError, RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.interface import Origin
from ghostbust.registries.names import canonical_name
from ghostbust.registries.pypi import aware_time
from ghostbust.registries.transport import Client, NoAnswerError, Reply
from ghostbust.registries.versions import newest

_MOST_MARKS = 5
"""``-`` and ``_`` in a name up to which every spelling is asked for: 32; else three"""


@dataclass(frozen=True, slots=True)
class CratePage:
    """A crate's file in the index."""

    url: str
    versions: Sequence[str]
    """oldest first, yanked ones included"""
    yanked: int
    first_released: datetime | None
    """when its oldest version was published; None where the index doesn't say"""


class CratesRegistry:
    """The index of crates that cargo is configured for, asked about one name at a time."""

    ecosystem = Ecosystem.CARGO

    def __init__(self, client: Client, index: Callable[[], Endpoint]) -> None:
        """``index`` may raise ConfigError: then every name is unanswered, with its message."""
        self._client = client
        self._index = index

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """REAL, ABSENT, or SUSPECT where every version has been yanked.

        Raises RegistryError where no usable answer came, and where no index can be asked.
        """
        del known  # whose validator may be another spelling's
        name = canonical_name(self.ecosystem, name)
        page, asked = await self._page(name)
        verdict, reason, evidence = _verdict(page)
        first = None if page is None else page.first_released
        seen = f", first seen {first:%Y-%m-%d}" if first else ""
        url = asked if page is None else page.url
        return Lookup(
            self.ecosystem, name, verdict, reason, f"{url}: {evidence}{seen}", "live", utc_now(),
            first,
        )  # fmt: skip

    async def origin(self, name: str) -> Origin:
        """The first version's time; the index doesn't say who published it."""
        lookup = await self.look_up(name)
        return Origin(lookup.first_released, "", lookup.evidence)

    async def description(self, name: str) -> str:
        """Empty: an index holds none."""
        del name
        return ""

    async def versions(self, name: str) -> Sequence[str]:
        """Those of the crate's file."""
        page, _ = await self._page(canonical_name(self.ecosystem, name))
        return () if page is None else page.versions

    async def _page(self, name: str) -> tuple[CratePage | None, str]:
        """(the page of the registered spelling or None, the address that was asked first)."""
        try:
            index = self._index()
        except ConfigError as exc:
            raise RegistryError(str(exc)) from exc
        first = f"{index.url}/{index_path(name)}"
        for spelling in spellings(name):
            page = await self._client.ask(
                f"{index.url}/{index_path(spelling)}",
                lambda reply: read_crate(name, reply) if reply.found else None,
                accept="text/plain, application/json;q=0.9, */*;q=0.8",
                content_types=(),  # the format names none
                headers=index.headers(),
            )
            if page is not None:
                return page, page.url
        return None, first


def index_path(name: str) -> str:
    """Where an index has a crate, in lower case: ``se/rd/serde``, ``3/s/syn``."""
    name = name.lower()
    match len(name):
        case 1 | 2:
            return f"{len(name)}/{name}"
        case 3:
            return f"3/{name[0]}/{name}"
        case _:
            return f"{name[:2]}/{name[2:4]}/{name}"


def spellings(name: str) -> list[str]:
    """A canonical name with ``-`` or ``_`` at each place, those with one sort of mark first."""
    parts = name.split("-")
    marks = len(parts) - 1
    uniform = [name, "_".join(parts)]
    if marks > _MOST_MARKS:
        return uniform
    mixed = (_joined(parts, chosen) for chosen in product("-_", repeat=marks))
    return list(dict.fromkeys((*uniform, *mixed)))


def _joined(parts: Sequence[str], marks: Sequence[str]) -> str:
    return parts[0] + "".join(mark + part for mark, part in zip(marks, parts[1:], strict=True))


def read_crate(name: str, reply: Reply) -> CratePage:
    """The crate's file. Raises NoAnswerError for anything that isn't one of that crate."""
    lines = list(_lines(reply.body))
    if not lines:
        raise NoAnswerError("no file of an index of crates")
    for line in lines:
        if not isinstance(line.get("name"), str) or not isinstance(line.get("vers"), str):
            raise NoAnswerError("no file of an index of crates")
        if canonical_name(Ecosystem.CARGO, line["name"]) != name:
            raise NoAnswerError("it is another crate's file")
    return CratePage(
        reply.url,
        [line["vers"] for line in lines],
        sum(line.get("yanked") is True for line in lines),
        aware_time(lines[0].get("pubtime")),
    )


def _lines(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            read = parse_json(line)
        except ValueError as exc:
            raise NoAnswerError("its JSON is cut or broken") from exc
        if not isinstance(read, dict):
            raise NoAnswerError("no file of an index of crates")
        yield read


def newest_in(body: bytes) -> str:
    """The newest version in a crate's file; empty where it can't be read."""
    try:
        versions = [line["vers"] for line in _lines(body) if isinstance(line.get("vers"), str)]
    except NoAnswerError:
        return ""
    return newest(Ecosystem.CARGO, versions)


def _verdict(page: CratePage | None) -> tuple[Verdict, str, str]:
    """Verdict, reason and evidence; None is a 404 for every spelling."""
    if page is None:
        return Verdict.ABSENT, "not-registered", "404"
    count = len(page.versions)
    if page.yanked == count:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, f"all {count} versions are yanked"
    latest = newest(Ecosystem.CARGO, page.versions)
    return Verdict.REAL, "registered", f"{count} versions, newest {latest}"
