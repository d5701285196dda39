"""The open store: one attribute for each noun, all on one connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from ghostbust.records import utc_now
from ghostbust.store.answers import Answers
from ghostbust.store.connection import Connection, open_database
from ghostbust.store.daemon import Growth, JobLog, Retention, Spending
from ghostbust.store.names import Alarms, Ledger, Lookups, Reviews
from ghostbust.store.prompts import Prompts, Rewritings
from ghostbust.store.rounds import Rounds, RoundSets
from ghostbust.store.runs import Runs
from ghostbust.store.serving import Promotions, Published
from ghostbust.store.tallies import Tallies
from ghostbust.store.traffic import Traffic


class Store:
    """Everything that was asked, answered, judged, trained and promoted.

    For the thread that opened it only: another thread opens its own. Several processes may
    have it open, and write; a write waits up to 30 s for another. Every method that reads or
    writes raises StoreError where the file can't be used.
    """

    def __init__(
        self, connection: Connection, *, keep_private: bool, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self.runs = Runs(connection, now)
        self.prompts = Prompts(connection, now, keep_private=keep_private)
        self.rewritings = Rewritings(connection, now)
        self.answers = Answers(connection, now, keep_private=keep_private)
        self.lookups = Lookups(connection, now)
        """what `ghostbust.registries.judge.default_judge` takes as its cache"""
        self.ledger = Ledger(connection, now)
        self.alarms = Alarms(connection, now)
        self.traffic = Traffic(connection, now, keep_private=keep_private)
        self.rounds = Rounds(connection, now)
        self.round_sets = RoundSets(connection, self.answers, self.prompts)
        self.promotions = Promotions(connection, now)
        self.tallies = Tallies(connection, now)
        self.published = Published(connection, now)
        self.growth = Growth(connection, now)
        self.jobs = JobLog(connection, now)
        self.spending = Spending(connection, now)
        self.retention = Retention(connection, now)
        self.reviews = Reviews(connection, now)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        read_only: bool = False,
        keep_private: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> Self:
        """The store at ``path``; made (mode 0600), or brought up to date, if need be.

        ``read_only`` changes nothing, and needs a file that is there and up to date.
        ``keep_private`` keeps the texts of users' own prompts, and of the answers to them.
        Raises StoreError, one line, for a file that is damaged, not ghostbust's, or of a newer
        version, and for a folder that can't be written.
        """
        return cls(open_database(path, read_only=read_only), keep_private=keep_private, now=now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; does nothing the second time."""
        self._connection.close()

    def probe(self) -> None:
        """Raises StoreError, which says why, if the file can't be written now.

        Waits for another process as every write does.
        """
        with self._connection.write() as connection:
            connection.execute("UPDATE jobs SET name = name WHERE name = ''")

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file, a line each; empty for a sound one."""
        found = [row["quick_check"] for row in self._connection.rows("PRAGMA quick_check(10)")]
        return [] if found == ["ok"] else [f"the database is damaged: {text}" for text in found]

    def mark_interrupted(self) -> int:
        """Closes runs, and rounds that nobody can resume, whose process has ended; how many.

        Call it at the start, while holding the home lock.
        """
        return self.runs.mark_interrupted() + self.rounds.mark_interrupted()
