"""Stored answers page by page, newest first. Reads only, and only what was kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ghostbust.records import Context, Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_time

_LATEST = (
    "(SELECT r.judgement FROM run_samples r WHERE r.sample_id = s.id"
    " ORDER BY r.run_id DESC LIMIT 1)"
)
# Nothing in these comes from outside.
_COUNT = (
    "(SELECT count(DISTINCT v.name) FROM refs f JOIN verdicts v ON v.id = f.verdict_id"  # noqa: S608
    f" WHERE f.sample_id = s.id AND f.judgement = {_LATEST} AND v.verdict IN ({{}}))"
)
_REAL = _COUNT.format("'REAL'")
_INVENTED = _COUNT.format("'ABSENT', 'SUSPECT'")
_UNKNOWN = _COUNT.format("'UNKNOWN'")
_LINES = (
    "SELECT s.id, s.prompt_id, s.model, s.adapter, s.added, s.tokens,"  # noqa: S608
    f" p.context, p.ecosystem, {_REAL} AS real,"
    f" {_INVENTED} AS invented,"
    f" {_UNKNOWN} AS unknown"
    " FROM samples s JOIN prompts p ON p.id = s.prompt_id"
    " WHERE s.text IS NOT NULL AND p.text IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One stored answer, with how many distinct names of each verdict it has."""

    sample_id: str
    prompt_id: str
    model: str
    adapter: str | None
    added: datetime
    tokens: int
    context: Context
    ecosystem: Ecosystem
    real: int
    invented: int
    unknown: int


class SamplePages:
    """Reads of ``samples``, of a bounded size whatever the store holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self,
        *,
        invented: bool = False,
        name: tuple[Ecosystem, str] | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[SampleLine]:
        """Answers whose texts were kept, newest first.

        ``invented``: those only that invent a name; ``name``: those only that named this one.
        """
        where = ""
        values: dict[str, object] = {"limit": limit, "offset": offset}
        if name is not None:
            where = (
                " AND s.id IN (SELECT g.sample_id FROM sightings g JOIN names n ON n.id = g.name_id"
                " WHERE n.ecosystem = :ecosystem AND n.name = :name)"
            )
            values |= {"ecosystem": name[0], "name": name[1]}
        elif invented:
            where = " AND EXISTS (SELECT 1 FROM sightings g WHERE g.sample_id = s.id)"
        rows = self._connection.rows(
            f"{_LINES}{where} ORDER BY s.rowid DESC LIMIT :limit OFFSET :offset", values
        )
        return [_line(row) for row in rows]


def _line(row: Row) -> SampleLine:
    return SampleLine(
        sample_id=row["id"],
        prompt_id=row["prompt_id"],
        model=row["model"],
        adapter=row["adapter"],
        added=decode_time(row["added"]),
        tokens=row["tokens"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        real=row["real"],
        invented=row["invented"],
        unknown=row["unknown"],
    )
