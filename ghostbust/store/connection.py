"""One SQLite connection: opened, checked, written to in transactions, its errors mapped.

Every ``sqlite3.Error`` leaves as a StoreError of one line, except ProgrammingError (a second
thread, a closed store), which is a fault of the calling code.
"""

from __future__ import annotations

import errno
import json
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from ghostbust.documents import ParseError, parse_json
from ghostbust.errors import StoreError
from ghostbust.records import Measurement
from ghostbust.store.migrations import MIGRATIONS, STEPS

BUSY_TIMEOUT_S: Final = 30.0
"""how long a write waits for another process's transaction"""

Parameters = Sequence[object] | Mapping[str, object]
Row = dict[str, Any]


class Connection:
    """A checked, migrated database. For the thread that opened it only."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db = db
        self._path = path

    def close(self) -> None:
        """Closes the file; does nothing the second time."""
        self._db.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query, by column name.

        Never a cursor: an open one would hold an old view of the database, and a write
        that follows another process's would be refused.
        """
        with mapped_errors(self._path):
            cursor = self._db.conn.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            return [dict(zip(columns, row, strict=True)) for row in cursor]

    def first(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query; None without one."""
        return next(iter(self.rows(sql, parameters)), None)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: everything inside is kept, or nothing is.

        Takes the write lock at once, since a transaction that begins by reading can't be
        made to wait for it later. Do nothing slow inside.
        """
        with mapped_errors(self._path), transaction(self._db):
            yield self._db.conn


def open_database(path: Path, *, read_only: bool) -> Connection:
    """The database at ``path``, made or brought up to date unless ``read_only``.

    A new file has mode 0600. Raises StoreError where it can't be opened, isn't ghostbust's, is
    damaged or newer than this code; read-only also where it is missing or older.
    """
    if read_only:
        need_database(path)
    with mapped_errors(path):
        if not read_only:
            # Never one that is there: closing any handle of a file gives up all the locks that
            # this process has on it, and another process then takes the log away from under an
            # open store (sqlite.org/howtocorrupt.html, 2.2).
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if read_only:
            return _open_to_read(path)
        return Connection(_opened(path, "mode=rw"), path)


def need_database(path: Path) -> None:
    """Raises StoreError where there is no database yet."""
    if not path.is_file():
        raise StoreError(f"there is no database at {path} yet: nothing was run here")


def _open_to_read(path: Path) -> Connection:
    """The database, of which nothing is changed, and beside which nothing is made if need be.

    SQLite can't share a database with write-ahead log in a folder where it can't make that log's
    index. There the database is read alone: the log with it where one was left, without locks. So
    whoever mounts a home read-only should do so while nobody writes into it elsewhere.
    """
    try:
        return Connection(_opened(path, "mode=ro"), path)
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
    log = path.with_name(f"{path.name}-wal")
    alone = "vfs=unix-none" if log.exists() and log.stat().st_size else "immutable=1"
    return Connection(_opened(path, f"mode=ro&{alone}"), path)


def _opened(path: Path, options: str) -> Database:
    """The database as those options of a URI open it: checked, and current."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
    )
    try:
        # No plugins: what a user installed for sqlite-utils has no business in here.
        db = Database(connection, execute_plugins=False)
        if "unix-none" in options:
            db.execute("PRAGMA locking_mode = exclusive")  # the log's index in memory, not a file
        db.execute("PRAGMA foreign_keys = on")
        _check_owner(db, path)
        if "mode=rw" in options:
            _make_current(db)
        else:
            _check_current(db, path)
    except BaseException:
        connection.close()
        raise
    return db


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Commits what is done inside, or undoes it all. Unlike ``db.atomic``, it locks first."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # The error of a full disk may have ended the transaction already.
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """Raises StoreError for what the system or SQLite says inside."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as exc:
        raise StoreError(_explain(path, exc)) from exc
    except OSError as exc:
        raise StoreError(f"can't use the database {path}: {exc.strerror}") from exc


def _explain(path: Path, exc: sqlite3.Error) -> str:
    """One line for the user: what happened, and what to do where that is known."""
    advice = {
        "SQLITE_BUSY": f"another process wrote for more than {BUSY_TIMEOUT_S:.0f} s; try again",
        "SQLITE_NOTADB": "it isn't a database; move it away to start a new one",
        "SQLITE_CORRUPT": "it is damaged; restore it, or move it away to start a new one",
        "SQLITE_READONLY": "it can't be written; check its permissions and its folder's",
        "SQLITE_CANTOPEN": "it can't be opened; check its permissions and its folder's",
        "SQLITE_FULL": "the disk is full",
    }
    code: str = getattr(exc, "sqlite_errorname", "")
    for name, text in advice.items():
        if code == name or code.startswith(f"{name}_"):
            return f"can't use the database {path}: {text}"
    return f"can't use the database {path}: {exc}"


def _check_owner(db: Database, path: Path) -> None:
    """Raises StoreError for a database of another program, or of a newer ghostbust."""
    applied = {step.name for step in MIGRATIONS.applied(db)}
    if not applied and db.table_names():
        raise StoreError(f"{path} is another program's database; choose another home folder")
    unknown = applied - {step.__name__ for step in STEPS}
    if unknown:
        raise StoreError(
            f"{path} was written by a newer ghostbust ({min(unknown)}); update ghostbust"
        )


def _check_current(db: Database, path: Path) -> None:
    """Raises StoreError for a database that lacks a step."""
    if MIGRATIONS.pending(db):
        raise StoreError(
            f"{path} was written by an older ghostbust; the next sweep, round or daemon updates it"
        )


def _make_current(db: Database) -> None:
    """Turns on write-ahead logging and applies the missing steps, all or none."""
    if db.journal_mode != "wal":
        # Two processes that open a new file at once may find it locked, which
        # SQLite doesn't wait for here; the other one turns it on then.
        with suppress(sqlite3.OperationalError):
            db.conn.execute("PRAGMA journal_mode = wal")
    if MIGRATIONS.pending(db):
        with transaction(db):
            MIGRATIONS.apply(db)


# --- encoding
# Records to column values and back. Times are ISO 8601 in UTC; NaN is NULL.


def encode_time(at: datetime) -> str:
    """The time as text that sorts. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat()


def decode_time(text: str) -> datetime:
    """The aware time that `encode_time` wrote."""
    return datetime.fromisoformat(text)


def decode_optional_time(text: str | None) -> datetime | None:
    """The aware time, or None for NULL."""
    return None if text is None else decode_time(text)


def encode_json(values: Mapping[str, object]) -> str:
    """JSON with sorted keys, so that equal settings are equal texts.

    Raises TypeError or ValueError for what JSON can't hold, NaN included.
    """
    return json.dumps(values, sort_keys=True, allow_nan=False, ensure_ascii=False)


def decode_json(text: str) -> Any:
    """What `encode_json` wrote. Raises StoreError for what it can't have written."""
    try:
        return parse_json(text)
    except ParseError as exc:
        raise StoreError(f"the database is damaged: a value is no JSON ({exc})") from exc


def encode_texts(texts: Sequence[str]) -> str:
    """The texts as a JSON list."""
    return json.dumps(list(texts), ensure_ascii=False)


def decode_texts(text: str | None) -> tuple[str, ...]:
    """What `encode_texts` wrote; empty for NULL."""
    return () if text is None else tuple(decode_json(text))


def encode_measurement(measurement: Measurement) -> str:
    """The measurement, its contexts included, as JSON."""
    return encode_json(_plain(measurement))


def decode_measurement(text: str) -> Measurement:
    """What `encode_measurement` wrote."""
    return _measurement(decode_json(text))


def _plain(measurement: Measurement) -> dict[str, object]:
    return {
        "rate": _number(measurement.rate),
        "ci95": [_number(bound) for bound in measurement.ci95],
        "refs": measurement.refs,
        "real": measurement.real,
        "absent": measurement.absent,
        "suspect": measurement.suspect,
        "unknown": measurement.unknown,
        "answers": measurement.answers,
        "volume": _number(measurement.volume),
        "local": measurement.local,
        "unmapped": measurement.unmapped,
        "induced": measurement.induced,
        "induced_real": measurement.induced_real,
        "by_context": {name: _plain(part) for name, part in measurement.by_context.items()},
    }


def _measurement(plain: dict[str, Any]) -> Measurement:
    low, high = plain["ci95"]
    return Measurement(
        rate=_rate(plain["rate"]),
        ci95=(_rate(low), _rate(high)),
        refs=plain["refs"],
        real=plain["real"],
        absent=plain["absent"],
        suspect=plain["suspect"],
        unknown=plain["unknown"],
        answers=plain["answers"],
        volume=_rate(plain["volume"]),
        by_context={name: _measurement(part) for name, part in plain["by_context"].items()},
        # an older version didn't tell these apart
        **{key: plain.get(key, 0) for key in ("local", "unmapped", "induced", "induced_real")},
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rate(value: float | None) -> float:
    return math.nan if value is None else value


# --- processes
# Which process works on a run, told apart from a later one with the same number.

NOBODY: Final = ""
"""the process of what no process works on"""


def this_process() -> str:
    """``pid:start`` of this process; ``start`` is empty where the system has no /proc."""
    pid = os.getpid()
    return f"{pid}:{_start(pid) or ''}"


def is_alive(process: str) -> bool:
    """True while the process of `this_process` runs. Sees its own machine and container only."""
    if process == NOBODY:
        return False
    pid_text, _, start = process.partition(":")
    pid = int(pid_text)
    if start:
        return _start(pid) == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there, and another user's
    return True


def _start(pid: int) -> str | None:
    """When the process began, in clock ticks since boot; None where it is gone, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # proc(5): the second field, in parentheses, may hold anything; state is 3, starttime 22.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]
