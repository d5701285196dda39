"""How the requests of a run fared at the model servers."""

from __future__ import annotations

from ghostbust.store.connection import Connection
from ghostbust.store.round_rows import Requests


class RequestLog:
    """The table ``requests``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, run_id: int, requests: Requests) -> None:
        """Adds what a run's requests came to; of a run that goes on, the newest part's median."""
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO requests (run_id, answered, failed, median_s) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET answered = answered + excluded.answered,"
                " failed = failed + excluded.failed,"
                " median_s = coalesce(excluded.median_s, median_s)",
                (run_id, requests.answered, requests.failed, requests.median_s),
            )

    def get(self, run_id: int) -> Requests | None:
        """What the run's requests came to; None where none were noted, as of a local model."""
        row = self._connection.first("SELECT * FROM requests WHERE run_id = ?", (run_id,))
        if row is None:
            return None
        return Requests(row["answered"], row["failed"], row["median_s"])
