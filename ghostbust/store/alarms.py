"""Alarms: invented names that were found registered, and who has heard of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ghostbust.records import Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, decode_time
from ghostbust.store.rows import Alarm

_ALARMS: Final = (
    "SELECT a.*, n.ecosystem, n.name, n.times_seen FROM alarms a JOIN names n ON n.id = a.name_id"
)


class Alarms:
    """The table ``alarms``. ``Ledger.mark_claimed`` raises them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def recent(self, limit: int = 100) -> list[Alarm]:
        """The newest alarms, newest first."""
        rows = self._connection.rows(f"{_ALARMS} ORDER BY a.id DESC LIMIT ?", (limit,))
        return [_alarm(row) for row in rows]

    def untold(self) -> list[Alarm]:
        """Those that nobody has heard of yet, oldest first."""
        rows = self._connection.rows(f"{_ALARMS} WHERE a.told = '' ORDER BY a.id")
        return [_alarm(row) for row in rows]

    def mark_told(self, alarm_id: int, told: Iterable[str]) -> None:
        """Notes whom the alarm has reached."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE alarms SET told = ? WHERE id = ?", (" ".join(told), alarm_id)
            )


def find_alarm(connection: Connection, name_id: int) -> Alarm | None:
    """The alarm on the name of that number; None where nobody claimed it."""
    row = connection.first(f"{_ALARMS} WHERE a.name_id = ?", (name_id,))
    return None if row is None else _alarm(row)


def _alarm(row: Row) -> Alarm:
    return Alarm(
        id=row["id"],
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        at=decode_time(row["at"]),
        first_released=decode_optional_time(row["first_released"]),
        uploader=row["uploader"],
        evidence=row["evidence"],
        times_seen=row["times_seen"],
        told=tuple(row["told"].split()),
    )
