"""The ledger as a SQLite database to browse: plain tables, views with questions, a description.

Any SQLite tool reads it; Datasette shows the description with ``--metadata``. It is a copy: the
store's own tables, prompts and answers aren't in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

import ghostbust
from ghostbust.adapters import name_key
from ghostbust.exports.ledger import ledger_rows
from ghostbust.records import utc_now
from ghostbust.store.store import Store
from ghostbust.text import redact

VIEWS: Final = {
    "claimed": (
        "Invented names that somebody registered since: likely slopsquats, newest first",
        "SELECT n.name, n.ecosystem, n.times_seen, a.at, a.first_released, a.uploader, a.evidence"
        " FROM alarms a JOIN names n ON n.key = a.name_key ORDER BY a.at DESC",
    ),
    "repeated": (
        "Names that more than one prompt elicited: what a squatter would choose",
        "SELECT name, ecosystem, reason, times_seen, prompts, first_seen, last_seen FROM names"
        " WHERE prompts > 1 ORDER BY prompts DESC, times_seen DESC",
    ),
    "by_reason": (
        "How many names there are of each registry, verdict and reason",
        "SELECT ecosystem, verdict, reason, count(*) AS names, sum(times_seen) AS times_seen"
        " FROM names GROUP BY ecosystem, verdict, reason ORDER BY names DESC",
    ),
    "by_context": (
        "How many names were invented in each context",
        "SELECT context, count(*) AS names FROM name_contexts GROUP BY context ORDER BY names DESC",
    ),
    "new_by_day": (
        "How many names were invented for the first time on each day (UTC)",
        "SELECT date(first_seen) AS day, count(*) AS names FROM names GROUP BY day ORDER BY day",
    ),
    "rates": (
        "The hallucination rate of each finished run, with interval and volume, newest first;"
        " without installers: an older measure, which counts them as packages",
        "SELECT id, kind, model, adapter, finished, rate, rate_low, rate_high, volume, all_names,"
        " unknown_share, inventing, installers, answers FROM runs"
        " WHERE rate IS NOT NULL ORDER BY id DESC",
    ),
}
"""name to its description and its query"""
TABLES: Final = {
    "about": "What this file is, and of when",
    "names": "Invented names. key is a hash of registry and name, the same in every export",
    "name_contexts": "In which contexts each name was invented: code, needs, helps",
    "alarms": "Invented names that were found registered, and by whom, as far as the registry says",
    "runs": "Series of samples of one model and adapter; a rate is never without its volume",
}


_ABOUT: Final = {"what": str, "value": str}
_NAMES: Final = {
    "key": str, "ecosystem": str, "name": str, "purl": str, "verdict": str, "reason": str,
    "times_seen": int, "prompts": int, "first_seen": str, "last_seen": str, "claimed_at": str,
}  # fmt: skip
_CONTEXTS: Final = {"name_key": str, "context": str}
_ALARMS: Final = {
    "id": int, "name_key": str, "at": str, "first_released": str, "uploader": str, "evidence": str,
}  # fmt: skip
_RUNS: Final = {
    "id": int, "kind": str, "status": str, "model": str, "adapter": str, "seed": int,
    "started": str, "finished": str, "rate": float, "rate_low": float, "rate_high": float,
    "volume": float, "real": int, "absent": int, "suspect": int, "unknown": int, "local": int,
    "unmapped": int, "induced": int, "all_names": float, "unknown_share": float,
    "inventing": int, "installers": int, "answers": int,
    "snapshots": str, "settings": str, "version": str,
}  # fmt: skip
_MEASURED: Final = (
    "rate", "volume", "real", "absent", "suspect", "unknown", "local", "unmapped", "induced",
    "all_names", "unknown_share", "inventing", "installers", "answers",
)  # fmt: skip
"""columns of ``runs`` that are fields of its measurement; SQLite stores NaN as NULL"""


def write_sqlite(store: Store, out: Path, *, reveal: bool) -> None:
    """Fills the empty file with tables, indexes and views."""
    db = Database(out, execute_plugins=False)
    try:
        _fill(db, store, reveal=reveal)
        for name, (_, sql) in VIEWS.items():
            db.create_view(name, sql)
        db.vacuum()
    finally:
        db.close()


def metadata(database: str, *, reveal: bool) -> str:
    """The JSON for Datasette's ``--metadata``; ``database``: the file's name without suffix."""
    tables = TABLES | {name: said for name, (said, _) in VIEWS.items()}
    described: dict[str, dict[str, object]] = {
        name: {"description": text} for name, text in tables.items()
    }
    described["names"] |= {"sort_desc": "times_seen", "facets": ["ecosystem", "verdict", "reason"]}
    document = {
        "title": "Packages that a code model invented",
        "description": _redacted(reveal),
        "databases": {database: {"tables": described}},
    }
    return json.dumps(document, indent=2) + "\n"


def _fill(db: Database, store: Store, *, reveal: bool) -> None:
    about = {
        "made": utc_now().isoformat(),
        "ghostbust": ghostbust.__version__,
        "names": _redacted(reveal),
    }
    _insert(db, "about", ({"what": k, "value": v} for k, v in about.items()), _ABOUT, "what")
    rows = [asdict(row) for row in ledger_rows(store, reveal=reveal)]
    contexts = [
        {"name_key": row["key"], "context": context} for row in rows for context in row["contexts"]
    ]
    _insert(db, "names", ({k: row[k] for k in _NAMES} for row in rows), _NAMES, "key")
    _insert(db, "name_contexts", contexts, _CONTEXTS, ("name_key", "context"))
    _insert(db, "alarms", _alarms(store, reveal=reveal), _ALARMS, "id")
    _insert(db, "runs", _runs(store), _RUNS, "id")
    for table, column in (("name_contexts", "name_key"), ("alarms", "name_key")):
        db.table(table).add_foreign_key(column, "names", "key")
    for column in ("name", "times_seen", "first_seen", "last_seen"):
        db.table("names").create_index([column])


def _insert(db: Database, name: str, rows: Any, columns: Mapping[str, type], pk: Any) -> None:
    """Makes the table, even without a row, and fills it."""
    table = db.table(name)
    table.create(dict(columns), pk=pk, strict=True)
    table.insert_all(rows, pk=pk)


def _alarms(store: Store, *, reveal: bool) -> Iterator[dict[str, object]]:
    """Every alarm. The evidence holds the name, so it is redacted with it."""
    for alarm in store.alarms.recent(-1):
        released = alarm.first_released
        yield {
            "id": alarm.id,
            "name_key": name_key(alarm.ecosystem, alarm.name),
            "at": alarm.at.isoformat(),
            "first_released": None if released is None else released.isoformat(),
            "uploader": alarm.uploader,
            "evidence": alarm.evidence if reveal else redact(alarm.name),
        }


def _runs(store: Store) -> Iterator[dict[str, object]]:
    for run in store.runs.recent(-1):
        found = run.measurement
        low, high = (None, None) if found is None else found.ci95
        yield {
            "id": run.id,
            "kind": str(run.spec.kind),
            "status": str(run.status),
            "model": run.spec.model,
            "adapter": run.spec.adapter,
            "seed": run.spec.seed,
            "started": run.started.isoformat(),
            "finished": None if run.finished is None else run.finished.isoformat(),
            "rate_low": low,
            "rate_high": high,
            **{name: None if found is None else getattr(found, name) for name in _MEASURED},
            "snapshots": json.dumps(dict(run.spec.snapshots), sort_keys=True),
            "settings": json.dumps(dict(run.spec.settings), sort_keys=True),
            "version": run.version,
        }


def _redacted(reveal: bool) -> str:
    if reveal:
        return "Names in full. Whoever reads them can register them: handle with care."
    return "Names are shortened, so that nobody can register them; the export's --reveal shows them"
