"""The latest live verdict on each name: the cache between the judge and the registries."""

from __future__ import annotations

from dataclasses import replace

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, decode_time, encode_time


class Lookups:
    """The table ``lookups``. Is a ``LookupCache`` of the registries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict that was put for the name, however old; None if there is none."""
        row = self._connection.first(
            "SELECT * FROM lookups WHERE ecosystem = ? AND name = ?", (ecosystem, name)
        )
        if row is None:
            return None
        released = decode_optional_time(row["first_released"])
        return replace(decode_lookup(row), first_released=released, validator=row["validator"])

    def put_lookup(self, lookup: Lookup) -> None:
        """Keeps the verdict, unless a newer one is there."""
        released = lookup.first_released and encode_time(lookup.first_released)
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO lookups (ecosystem, name, verdict, reason, evidence, source,"
                " looked_up_at, first_released, validator) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (ecosystem, name) DO UPDATE SET verdict = excluded.verdict,"
                " reason = excluded.reason, evidence = excluded.evidence,"
                " source = excluded.source, looked_up_at = excluded.looked_up_at,"
                " first_released = excluded.first_released, validator = excluded.validator"
                " WHERE excluded.looked_up_at >= looked_up_at",
                (*encode_lookup(lookup), released, lookup.validator),
            )


def encode_lookup(lookup: Lookup) -> tuple[str, ...]:
    """The columns that a verdict has everywhere, in the order of the record's fields."""
    return (
        lookup.ecosystem,
        lookup.name,
        lookup.verdict,
        lookup.reason,
        lookup.evidence,
        lookup.source,
        encode_time(lookup.looked_up_at),
    )


def decode_lookup(row: Row) -> Lookup:
    """The verdict of a row that has the columns of ``verdicts``; more isn't read."""
    return Lookup(
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        verdict=Verdict(row["verdict"]),
        reason=row["reason"],
        evidence=row["evidence"],
        source=row["source"],
        looked_up_at=decode_time(row["looked_up_at"]),
    )
