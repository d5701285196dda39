"""Answers: samples with their package refs, and the verdicts each run judged them by.

A sample is kept once, however many runs drew it; each run is linked to it together with the
judgement it made. Equal judgements are one set of rows; another snapshot, or another extractor,
makes a second set beside the first, so that a past run's figures can be made again.
"""

# ruff: noqa: S608 (statements are put together from constants and field names only)

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Sample,
    Verdict,
    content_id,
)
from ghostbust.store.connection import (
    Row,
    StoreNoun,
    columns_of,
    decode,
    encode,
    encode_time,
    insert,
    insert_all,
)
from ghostbust.store.names import allowed_names, log_inventions
from ghostbust.store.prompts import COST, insert_prompt

ALLOWED: Final = "allowed"
"""reason of UNKNOWN on a name that a person vouches for"""
PAGE_ROWS: Final = 500
"""samples that `Answers.read` holds in memory at a time"""


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


_COLUMNS: Final = (
    "SELECT s.id AS sample_id, s.text AS sample_text, s.model, s.adapter, s.seed, s.number,"
    " s.temperature, s.truncated, s.tokens, p.text, p.context, p.ecosystem,"
    " p.family, p.domain, p.parent, p.other_parent, p.operator, p.private, p.turns"
)
_KEPT: Final = " AND s.text IS NOT NULL AND p.text IS NOT NULL"
# CROSS JOIN keeps this order of the tables, so that a page is a walk along the key of the
# links; left to itself, SQLite sorts all that is left of the run for each page.
_JUDGED: Final = (
    _COLUMNS + ", r.judgement FROM run_samples r CROSS JOIN samples s ON s.id = r.sample_id"
    " CROSS JOIN prompts p ON p.id = s.prompt_id"
)
_OF_A_RUN: Final = " WHERE r.run_id = :run_id"
_LATEST: Final = (
    " WHERE r.run_id = (SELECT max(l.run_id) FROM run_samples l WHERE l.sample_id = r.sample_id)"
    " AND NOT EXISTS (SELECT 1 FROM ingest_lines i WHERE i.sample_id = r.sample_id)"
)
_FILTERS: Final = (
    " AND r.sample_id > :after AND s.text IS NOT NULL AND p.text IS NOT NULL"
    " AND (:model IS NULL OR s.model = :model)"
    " AND (:adapters IS NULL OR"
    "  coalesce(s.adapter, '') IN (SELECT value FROM json_each(:adapters)))"
    " AND (:families IS NULL OR p.family IN (SELECT value FROM json_each(:families)))"
    " ORDER BY r.sample_id LIMIT :page_rows"
)


def _named(*verdicts: Verdict) -> str:
    """SQL that counts the distinct names with such a verdict, as a sample's last run judged it."""
    listed = ", ".join(f"'{verdict}'" for verdict in verdicts)
    return (
        "(SELECT count(DISTINCT v.name) FROM refs f JOIN verdicts v ON v.id = f.verdict_id"
        f" WHERE f.sample_id = s.id AND v.verdict IN ({listed}) AND f.judgement ="
        "  (SELECT r.judgement FROM run_samples r WHERE r.sample_id = s.id"
        "   ORDER BY r.run_id DESC LIMIT 1))"
    )


_LINES: Final = (
    "SELECT s.id AS sample_id, s.prompt_id, s.model, s.adapter, s.added, s.tokens, p.context,"
    f" p.ecosystem, {_named(Verdict.REAL)} AS real,"
    f" {_named(Verdict.ABSENT, Verdict.SUSPECT)} AS invented,"
    f" {_named(Verdict.UNKNOWN)} AS unknown"
    f" FROM samples s JOIN prompts p ON p.id = s.prompt_id WHERE 1{_KEPT}"
)


class Answers(StoreNoun):
    """The tables ``samples``, ``run_samples``, ``refs`` and ``verdicts``."""

    def add(self, run_id: int, answers: Iterable[Answer]) -> None:
        """Adds the answers to the run, with their prompts and invented names: all, or none.

        Answers the run has already stay as they are. Of a private prompt neither its text nor
        the sample's is kept, unless the store was opened to keep them; ids, refs and names are.
        """
        # Drawn from the iterable before the transaction opens: sampling and looking up are slow.
        batch = list(answers)
        with self._connection.write() as connection:
            for answer in batch:
                insert_answer(
                    connection, run_id, answer, self._now(), keep_private=self._keep_private
                )

    def read(
        self,
        *,
        run_id: int | None = None,
        model: str | None = None,
        adapters: Collection[str | None] | None = None,
        families: Collection[str] | None = None,
    ) -> Iterator[Answer]:
        """The answers whose texts were kept, ordered by sample id, so the same for the same data.

        ``run_id``: those of one run, judged as that run did; None: every sample once that was
        drawn, judged as its last run did, but UNKNOWN for names that a person allowed. None never
        yields what was ingested: of a log only inventions are kept, and who can write to the log
        would choose what trains. ``adapters``: made with one of these, None among them being the
        base; ``families``: to prompts of these; None doesn't restrict. The store may be written to
        between two answers.
        """
        sql = _JUDGED + (_LATEST if run_id is None else _OF_A_RUN) + _FILTERS
        parameters = {
            "run_id": run_id,
            "model": model,
            "adapters": None if adapters is None else json.dumps([a or "" for a in adapters]),
            "families": None if families is None else json.dumps(list(families)),
            "after": "",
            "page_rows": PAGE_ROWS,
        }
        while page := self._connection.rows(sql, parameters):
            judged = self._judged(page)
            if run_id is None:
                judged = self._without_allowed(judged)
            for row in page:
                yield Answer(_sample(row), judged.get(row["sample_id"], ()))
            parameters["after"] = page[-1]["sample_id"]

    def latest(self, sample_id: str) -> Answer | None:
        """One answer, judged as its last run did; None where its text wasn't kept."""
        rows = self._connection.rows(
            f"{_JUDGED} WHERE r.sample_id = ?{_KEPT} ORDER BY r.run_id DESC LIMIT 1", (sample_id,)
        )
        judged = self._judged(rows)
        return next((Answer(_sample(row), judged.get(sample_id, ())) for row in rows), None)

    def get(self, keys: Sequence[tuple[str, str]]) -> list[Answer]:
        """The answers of sample id and judgement, in this order; those without texts left out."""
        found: dict[tuple[str, str], Answer] = {}
        for start in range(0, len(keys), PAGE_ROWS):
            page = self._connection.rows(
                f"{_COLUMNS}, json_extract(k.value, '$[1]') AS judgement FROM json_each(?) k"
                " JOIN samples s ON s.id = json_extract(k.value, '$[0]')"
                f" JOIN prompts p ON p.id = s.prompt_id WHERE 1{_KEPT}",
                (json.dumps(keys[start : start + PAGE_ROWS]),),
            )
            judged = self._judged(page)
            for row in page:
                key = (row["sample_id"], row["judgement"])
                found[key] = Answer(_sample(row), judged.get(row["sample_id"], ()))
        return [found[key] for key in keys if key in found]

    def of_prompt(self, prompt_id: str, *, model: str, adapter: str | None) -> list[Sample]:
        """A model's samples of one prompt whose texts were kept, in the order added."""
        rows = self._connection.rows(
            f"{_COLUMNS} FROM samples s JOIN prompts p ON p.id = s.prompt_id WHERE s.prompt_id = ?"
            f" AND s.model = ? AND s.adapter IS ?{_KEPT} ORDER BY s.rowid",
            (prompt_id, model, adapter),
        )
        return [_sample(row) for row in rows]

    def page(
        self,
        *,
        invented: bool = False,
        name: tuple[Ecosystem, str] | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[SampleLine]:
        """Lines of answers whose texts were kept, newest first.

        ``invented``: only of those that invent a name; ``name``: only of those that named this one.
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
        return self._connection.read(
            SampleLine, f"{_LINES}{where} ORDER BY s.rowid DESC LIMIT :limit OFFSET :offset", values
        )

    def spent(self, run_id: int) -> tuple[int, int]:
        """Answers and tokens of the run so far; as `Draw.cost` where tokens weren't counted."""
        (row,) = self._connection.rows(
            f"SELECT count(*) AS answers, coalesce(sum({COST}), 0) AS tokens"
            " FROM run_samples r JOIN samples s ON s.id = r.sample_id WHERE r.run_id = ?",
            (run_id,),
        )
        return row["answers"], row["tokens"]

    def sampled_keys(self, run_id: int) -> set[tuple[str, int]]:
        """Prompt id and number of every sample that the run has, so that it can be resumed."""
        rows = self._connection.rows(
            "SELECT s.prompt_id, s.number FROM run_samples r JOIN samples s ON s.id = r.sample_id"
            " WHERE r.run_id = ?",
            (run_id,),
        )
        return {(row["prompt_id"], row["number"]) for row in rows}

    def _without_allowed(
        self, judged: dict[str, tuple[Judged, ...]]
    ) -> dict[str, tuple[Judged, ...]]:
        """The same with UNKNOWN on every name that a person vouches for."""
        allowed = allowed_names(self._connection)
        if not allowed:
            return judged
        return {
            sample_id: tuple(
                replace(one, lookup=replace(one.lookup, verdict=Verdict.UNKNOWN, reason=ALLOWED))
                if (one.lookup.ecosystem, one.lookup.name) in allowed
                else one
                for one in several
            )
            for sample_id, several in judged.items()
        }

    def _judged(self, page: list[Row]) -> dict[str, tuple[Judged, ...]]:
        """The judged refs of each sample of the page that has any."""
        rows = self._connection.rows(
            "SELECT r.sample_id, r.kind, r.raw, r.start_char AS 'start', r.end_char AS 'end',"
            " r.builtin, r.flags, r.import_name, r.ecosystem AS ref_ecosystem, r.name AS ref_name,"
            " v.* FROM json_each(?) k JOIN refs r ON r.sample_id = json_extract(k.value, '$[0]')"
            " AND r.judgement = json_extract(k.value, '$[1]')"
            " JOIN verdicts v ON v.id = r.verdict_id ORDER BY r.sample_id, r.position",
            (json.dumps([[row["sample_id"], row["judgement"]] for row in page]),),
        )
        return {
            sample_id: tuple(Judged(_ref(row), decode(Lookup, row)) for row in group)
            for sample_id, group in groupby(rows, key=lambda row: str(row["sample_id"]))
        }


def _sample(row: Row) -> Sample:
    return decode(Sample, row, text=row["sample_text"])


def _ref(row: Row) -> PackageRef:
    ecosystem = Ecosystem(row["ref_ecosystem"])
    return decode(PackageRef, row, ecosystem=ecosystem, name=row["ref_name"])


def insert_answer(
    connection: sqlite3.Connection, run_id: int, answer: Answer, at: datetime, *, keep_private: bool
) -> None:
    """Adds the answer to the run, with its prompt and invented names.

    To be called inside a transaction.
    """
    sample, prompt = answer.sample, answer.sample.prompt
    insert_prompt(connection, prompt, at, keep_private=keep_private)
    sample_id = sample.id
    columns = columns_of(sample) | {
        "id": sample_id,
        "prompt_id": prompt.id,
        "text": sample.text if keep_private or not prompt.private else None,
        "added": at,
    }
    del columns["prompt"]
    # A text that was not kept before is added to a known sample.
    adds_text = "ON CONFLICT (id) DO UPDATE SET text = coalesce(text, excluded.text)"
    insert(connection, "samples", columns, adds_text)
    rows = [(_columns_of_ref(one.ref), _verdict(one.lookup)) for one in answer.judged]
    judgement = _judgement(rows)
    link = {"sample_id": sample_id, "judgement": judgement}
    refs = [
        {**link, "position": position, **ref, "verdict_id": verdict["id"]}
        for position, (ref, verdict) in enumerate(rows)
    ]
    known = "ON CONFLICT DO NOTHING"
    insert_all(connection, "verdicts", [verdict for _, verdict in rows], known)
    insert_all(connection, "refs", refs, known)
    insert(connection, "run_samples", {"run_id": run_id, **link}, known)
    log_inventions(connection, answer, at)


def judgement_of(answer: Answer) -> str:
    """The content id of the answer's refs and verdicts."""
    return _judgement((_columns_of_ref(one.ref), _verdict(one.lookup)) for one in answer.judged)


def _judgement(rows: Iterable[tuple[dict[str, object], dict[str, str]]]) -> str:
    return content_id(*(json.dumps([*ref.values(), verdict["id"]]) for ref, verdict in rows))


# The order and the form of the values below is part of content ids, so of every home there is.


def _columns_of_ref(ref: PackageRef) -> dict[str, object]:
    return {
        "ecosystem": ref.ecosystem,
        "kind": ref.kind,
        "raw": ref.raw,
        "start_char": ref.start,
        "end_char": ref.end,
        "name": ref.name,
        "import_name": ref.import_name,
        "builtin": int(ref.builtin),
        "flags": encode(ref.flags),
    }


def _verdict(lookup: Lookup) -> dict[str, str]:
    """The row of a verdict.

    Only a live answer's id has the time in it: a snapshot's source holds its date, and what nobody
    was asked for (a built-in, a mapping) would be a new verdict every second.
    """
    row = {
        "ecosystem": lookup.ecosystem,
        "name": lookup.name,
        "verdict": lookup.verdict,
        "reason": lookup.reason,
        "evidence": lookup.evidence,
        "source": lookup.source,
    }
    at = encode_time(lookup.looked_up_at)
    row["id"] = content_id(*row.values(), at if lookup.source == "live" else "")
    return row | {"looked_up_at": at}
