"""One SQLite connection, and how records become rows and rows records.

Opens and checks the file, writes in transactions. Raises every ``sqlite3.Error`` as a StoreError
of one line, except ProgrammingError (a second thread, a closed store): that is a bug of the caller.

`insert` and `decode` are the only code that copies fields: both go by the names and types of a
dataclass. Where a column has another name than the field, the query renames it with ``AS``.
"""

# ruff: noqa: S608 (statements are put together from constants and field names only)

from __future__ import annotations

import errno
import json
import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlite_utils import Database

from ghostbust.documents import ParseError, parse_json, plain
from ghostbust.errors import StoreError
from ghostbust.store.migrations import MIGRATIONS, STEPS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BUSY_TIMEOUT_S: Final = 30.0
"""how long a write waits for another process's transaction"""

Parameters = Sequence[object] | Mapping[str, object]
Row = dict[str, Any]
Convert = Callable[[Any], Any]
T = TypeVar("T", bound="DataclassInstance")


class Connection:
    """A checked, migrated database. For the thread that opened it only."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db = db
        self._path = path

    def close(self) -> None:
        """Closes the file; does nothing the second time."""
        self._db.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query, by column name."""
        # Never a cursor: while one is open the connection keeps its old view of the database, and
        # its next write is refused if another process has written meanwhile.
        with mapped_errors(self._path):
            cursor = self._db.conn.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            return [dict(zip(columns, row, strict=True)) for row in cursor]

    def first(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query; None without one."""
        return next(iter(self.rows(sql, parameters)), None)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row; None without a row."""
        row = self.first(sql, parameters)
        return None if row is None else next(iter(row.values()))

    def read(self, kind: type[T], sql: str, parameters: Parameters = ()) -> list[T]:
        """A record of each row of a query, made by `decode`."""
        return [decode(kind, row) for row in self.rows(sql, parameters)]

    def find(self, kind: type[T], sql: str, parameters: Parameters = ()) -> T | None:
        """A record of the first row of a query; None without a row."""
        row = self.first(sql, parameters)
        return None if row is None else decode(kind, row)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: everything inside is kept, or nothing is.

        Takes the write lock at once, since a transaction that begins by reading can't be
        made to wait for it later. Do nothing slow inside.
        """
        with mapped_errors(self._path), transaction(self._db):
            yield self._db.conn


class StoreNoun:
    """What each noun of the store is: methods that read and write its tables."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime], *, keep_private: bool = False
    ) -> None:
        """``keep_private``: keeps texts of users' own prompts, and of the answers to them."""
        self._connection = connection
        self._now = now
        self._keep_private = keep_private


def open_database(path: Path, *, read_only: bool) -> Connection:
    """The database at ``path``; made, or brought up to date, unless ``read_only``.

    A new file has mode 0600. Raises StoreError where it can't be opened, isn't ghostbust's, is
    damaged or newer than this code; read-only also where it is missing or older.
    """
    if read_only:
        need_database(path)
    with mapped_errors(path):
        if not read_only:
            # Only a file that isn't there yet: closing any handle of a file drops all locks that
            # this process has on it, and another process may then delete the log of a store that
            # is open here (sqlite.org/howtocorrupt.html, 2.2).
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
    """The database, opened to read only; also in a folder where no file can be made.

    SQLite shares a database with a write-ahead log by an index file beside it. Where that can't be
    made, this reads without locks, and the log too if one was left. So mount a home read-only
    only while no other machine writes to it.
    """
    try:
        return Connection(_opened(path, "mode=ro"), path)
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
    log = path.with_name(f"{path.name}-wal")
    vfs = "win32-none" if sys.platform == "win32" else "unix-none"
    alone = f"vfs={vfs}" if log.exists() and log.stat().st_size else "immutable=1"
    return Connection(_opened(path, f"mode=ro&{alone}"), path)


def _opened(path: Path, options: str) -> Database:
    """The database as these options of a URI open it; checked, and brought up to date if rw."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
    )
    try:
        # No plugins: what a user installed for sqlite-utils has no business in here.
        db = Database(connection, execute_plugins=False)
        if "vfs=" in options:
            db.execute("PRAGMA locking_mode = exclusive")  # the log's index in memory, not a file
        db.execute("PRAGMA foreign_keys = on")
        _check_owner(db, path)
        if "mode=rw" in options:
            _make_current(db)
        elif MIGRATIONS.pending(db):
            raise StoreError(
                f"{path} was written by an older ghostbust;"
                " the next sweep, round or daemon updates it"
            )
    except BaseException:
        connection.close()
        raise
    return db


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Commits what is done inside, or undoes it all. Unlike ``db.atomic``, locks at the start."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """Raises what SQLite or the system raises inside as StoreError."""
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


def _make_current(db: Database) -> None:
    """Turns on write-ahead logging and applies the missing steps, all or none."""
    if db.journal_mode != "wal":
        # SQLite doesn't wait for a lock here. If two processes open a new file at once, one of them
        # may find it locked; then the other one turns the log on.
        with suppress(sqlite3.OperationalError):
            db.conn.execute("PRAGMA journal_mode = wal")
    if MIGRATIONS.pending(db):
        with transaction(db):
            MIGRATIONS.apply(db)


# Rows to records and back.
#
#   bool        0 or 1                    datetime    ISO 8601 in UTC, which sorts as text
#   float       NaN is NULL               frozenset   its words, sorted, with a space between
#   Enum, Path  text                      tuple       JSON; decoded, NULL is the empty one
#   X | None    None is NULL              Mapping     JSON with sorted keys
#
# A field that is a record itself is JSON in a column of its name; decoded without such a column, it
# is made of other columns of the same row.


def decode(kind: type[T], row: Mapping[str, Any], **given: object) -> T:
    """The record whose fields are the row's columns of the same names.

    ``given`` are fields that come from elsewhere. A field with a default needs no column. Raises
    StoreError for a value that should be JSON and isn't.
    """
    values = dict(given)
    for name, convert, record, has_default in _fields(kind):
        if name in given:
            continue
        if name in row:
            values[name] = row[name] if convert is None else convert(row[name])
        elif record is not None:
            values[name] = decode(record, row)
        elif not has_default:
            raise KeyError(f"{kind.__name__}.{name}: the query has no such column")
    return kind(**values)


@cache
def _fields(
    kind: type[DataclassInstance],
) -> list[tuple[str, Convert | None, type[DataclassInstance] | None, bool]]:
    """Each field's name, converter, type if that is a record, and whether it has a default."""
    types = get_type_hints(kind)
    return [
        (
            field.name,
            _converter(types[field.name]),
            types[field.name] if is_dataclass(types[field.name]) else None,
            (field.default, field.default_factory) != (MISSING, MISSING),
        )
        for field in fields(kind)
    ]


def _converter(kind: Any) -> Convert | None:
    """Makes a value of the type from a column's, or from parsed JSON; None: it is one already."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        some = [one for one in inner if one is not type(None)]
        convert = _converter(some[0]) if len(some) == 1 else None
        return convert and (lambda value: None if value is None else convert(value))
    if origin is float:
        return lambda value: math.nan if value is None else value
    if origin is datetime:
        return datetime.fromisoformat
    if origin is tuple:
        item = _converter(inner[0]) or (lambda value: value)
        return lambda value: () if value is None else tuple(map(item, _parsed(value)))
    if origin is frozenset:
        return lambda value: frozenset(map(inner[0], value.split()))
    if origin in (Mapping, dict):
        item = _converter(inner[1]) or (lambda value: value)
        return lambda value: {key: item(one) for key, one in _parsed(value).items()}
    if is_dataclass(origin):
        record: Any = origin
        return lambda value: decode(record, _parsed(value))
    if isinstance(origin, type) and (origin is bool or issubclass(origin, Enum | PurePath)):
        return origin
    return None


def _parsed(value: Any) -> Any:
    """JSON parsed, if it isn't yet. Raises StoreError for text that is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ParseError as exc:
        raise StoreError(f"the database is damaged: a value is no JSON ({exc})") from exc


def columns_of(record: DataclassInstance) -> dict[str, object]:
    """The values of a record's fields by name, for `insert`."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def insert(
    connection: sqlite3.Connection, table: str, columns: Mapping[str, object], then: str = ""
) -> sqlite3.Cursor:
    """Adds a row of encoded values. ``then`` ends the statement: ON CONFLICT, RETURNING."""
    return connection.execute(_statement(table, tuple(columns), then), _encoded(columns))


def insert_all(
    connection: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, object]], then: str = ""
) -> None:
    """Adds rows that all have the same columns, as `insert` adds one."""
    if rows:
        connection.executemany(_statement(table, tuple(rows[0]), then), map(_encoded, rows))


@cache
def _statement(table: str, columns: tuple[str, ...], then: str) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {then}"


_PLAIN: Final = (str, int, float, NoneType)
"""what SQLite stores as it is"""


def _encoded(columns: Mapping[str, object]) -> list[object]:
    # Most values are plain: without a call for each, adding answers takes a fifth less time.
    return [one if isinstance(one, _PLAIN) else encode(one) for one in columns.values()]


def encode(value: object) -> object:
    """What SQLite stores for a value, as `decode` reads it."""
    match value:
        case str() | int() | float() | None:
            return value
        case datetime():
            return encode_time(value)
        case PurePath():
            return str(value)
        case frozenset():
            return " ".join(sorted(value))
        case tuple():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            return encode_json(value)
    return encode_json(plain(value))  # a record


def encode_time(at: datetime) -> str:
    """The time as text that sorts. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat()


def encode_json(value: object) -> str:
    """JSON with sorted keys, so that equal settings are equal texts.

    Raises TypeError or ValueError for what JSON can't hold, NaN included.
    """
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
