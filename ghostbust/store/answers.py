"""Answers: samples with their package refs, and the verdicts each run judged them by.

A sample is kept once, however many runs drew it; each run is linked to it together with the
judgement it made. Equal judgements are one set of rows; another snapshot, or another extractor,
makes a second set beside the first, so that a past run's figures can be had again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Final

from ghostbust.records import (
    Answer,
    Ecosystem,
    Flag,
    Judged,
    Lookup,
    PackageRef,
    RefKind,
    Sample,
    Verdict,
    content_id,
)
from ghostbust.store.connection import (
    Connection,
    Row,
    decode_optional_time,
    decode_time,
    encode_time,
)
from ghostbust.store.names import log_inventions
from ghostbust.store.prompts import decode_prompt, insert_prompt
from ghostbust.store.rows import Decision

# --- lookups
# The latest live verdict on each name: the cache between the judge and the registries.


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


ALLOWED: Final = "allowed"
"""reason of UNKNOWN on a name that a person vouches for"""
PAGE_ROWS: Final = 500
"""samples that `Answers.read` holds in memory at a time"""

# CROSS JOIN keeps this order of the tables, so that a page is a walk along the key of the
# links; left to itself, SQLite sorts all that is left of the run for each page.
_COLUMNS: Final = (
    "SELECT s.id AS sample_id, s.text AS sample_text, s.model, s.adapter, s.seed, s.number,"
    " s.temperature, s.truncated, s.tokens, p.text, p.context, p.ecosystem,"
    " p.family, p.domain, p.parent, p.other_parent, p.operator, p.private, p.turns"
)
_FIELDS: Final = (
    _COLUMNS + ", r.judgement FROM run_samples r CROSS JOIN samples s ON s.id = r.sample_id"
    " CROSS JOIN prompts p ON p.id = s.prompt_id"
)
_OF_KEYS: Final = (
    _COLUMNS + ", json_extract(k.value, '$[1]') AS judgement FROM json_each(?) k"
    " JOIN samples s ON s.id = json_extract(k.value, '$[0]')"
    " JOIN prompts p ON p.id = s.prompt_id WHERE s.text IS NOT NULL AND p.text IS NOT NULL"
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


class Answers:
    """The tables ``samples``, ``run_samples``, ``refs`` and ``verdicts``."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime], *, keep_private: bool
    ) -> None:
        self._connection = connection
        self._now = now
        self._keep_private = keep_private

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
        drawn, judged as its last run did. What was ingested wasn't: only inventions of it are
        kept, and whoever can write to the log would choose what trains. ``adapters``: made with
        one of these, None among them being the base; ``families``: to prompts of these. None
        doesn't restrict. Of every sample once, what a person allowed is UNKNOWN. May be written to
        meanwhile.
        """
        sql = _FIELDS + (_LATEST if run_id is None else _OF_A_RUN) + _FILTERS
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
            f"{_FIELDS} WHERE r.sample_id = ? AND s.text IS NOT NULL AND p.text IS NOT NULL"
            " ORDER BY r.run_id DESC LIMIT 1",
            (sample_id,),
        )
        judged = self._judged(rows)
        return next((Answer(_sample(row), judged.get(sample_id, ())) for row in rows), None)

    def spent(self, run_id: int) -> tuple[int, int]:
        """Answers and tokens of the run so far; as `Draw.cost` where tokens weren't counted."""
        rows = self._connection.rows(
            "SELECT count(*) AS answers, coalesce(sum(iif(s.tokens > 0, s.tokens,"
            " max(1, coalesce(length(s.text), 400) / 4))), 0) AS tokens"
            " FROM run_samples r JOIN samples s ON s.id = r.sample_id WHERE r.run_id = ?",
            (run_id,),
        )
        return rows[0]["answers"], rows[0]["tokens"]

    def of_prompt(self, prompt_id: str, *, model: str, adapter: str | None) -> list[Sample]:
        """A model's samples of one prompt whose texts were kept, in the order added."""
        rows = self._connection.rows(
            "SELECT s.id AS sample_id, s.text AS sample_text, s.model, s.adapter, s.seed, s.number,"
            " s.temperature, s.truncated, s.tokens, p.*"
            " FROM samples s JOIN prompts p ON p.id = s.prompt_id"
            " WHERE s.prompt_id = ? AND s.model = ? AND s.adapter IS ?"
            " AND s.text IS NOT NULL AND p.text IS NOT NULL ORDER BY s.rowid",
            (prompt_id, model, adapter),
        )
        return [_sample(row) for row in rows]

    def get(self, keys: Sequence[tuple[str, str]]) -> list[Answer]:
        """The answers of sample id and judgement, in this order; those without texts left out."""
        found: dict[tuple[str, str], Answer] = {}
        for start in range(0, len(keys), PAGE_ROWS):
            page = self._connection.rows(_OF_KEYS, (json.dumps(keys[start : start + PAGE_ROWS]),))
            judged = self._judged(page)
            for row in page:
                key = (row["sample_id"], row["judgement"])
                found[key] = Answer(_sample(row), judged.get(row["sample_id"], ()))
        return [found[key] for key in keys if key in found]

    def sampled_keys(self, run_id: int) -> set[tuple[str, int]]:
        """Prompt id and number of every sample the run has, so that it can go on where it was."""
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
        rows = self._connection.rows(
            "SELECT ecosystem, name FROM names WHERE review = ?", (Decision.ALLOW,)
        )
        allowed = {(row["ecosystem"], row["name"]) for row in rows}
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
            "SELECT r.sample_id, r.kind, r.raw, r.start_char, r.end_char, r.builtin, r.flags,"
            " r.import_name, r.ecosystem AS ref_ecosystem, r.name AS ref_name, v.*"
            " FROM json_each(?) k JOIN refs r ON r.sample_id = json_extract(k.value, '$[0]')"
            " AND r.judgement = json_extract(k.value, '$[1]')"
            " JOIN verdicts v ON v.id = r.verdict_id ORDER BY r.sample_id, r.position",
            (json.dumps([[row["sample_id"], row["judgement"]] for row in page]),),
        )
        return {
            sample_id: tuple(Judged(_ref(row), decode_lookup(row)) for row in group)
            for sample_id, group in groupby(rows, key=lambda row: str(row["sample_id"]))
        }


def insert_answer(
    connection: sqlite3.Connection,
    run_id: int,
    answer: Answer,
    at: datetime,
    *,
    keep_private: bool,
) -> None:
    """Adds the answer to the run, with its prompt and invented names.

    To be called inside a transaction.
    """
    insert_prompt(connection, answer.sample.prompt, at, keep_private=keep_private)
    _insert_sample(connection, answer.sample, at, keep_private=keep_private)
    judgement = _insert_judgement(connection, answer)
    connection.execute(
        "INSERT INTO run_samples (run_id, sample_id, judgement) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (run_id, answer.sample.id, judgement),
    )
    log_inventions(connection, answer, at)


def _insert_sample(
    connection: sqlite3.Connection, sample: Sample, at: datetime, *, keep_private: bool
) -> None:
    """Adds the sample, or to a known one the text that was not kept before."""
    connection.execute(
        "INSERT INTO samples (id, prompt_id, text, model, adapter, seed, number, temperature,"
        " truncated, tokens, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET text = coalesce(text, excluded.text)",
        (
            sample.id,
            sample.prompt.id,
            sample.text if keep_private or not sample.prompt.private else None,
            sample.model,
            sample.adapter,
            sample.seed,
            sample.number,
            sample.temperature,
            sample.truncated,
            sample.tokens,
            encode_time(at),
        ),
    )


def judgement_of(answer: Answer) -> str:
    """The content id of the answer's refs and verdicts."""
    return content_id(*(json.dumps(values) for values in _refs(answer)))


def _refs(answer: Answer) -> list[tuple[str | int | None, ...]]:
    return [(*_ref_values(judged.ref), _verdict_id(judged.lookup)) for judged in answer.judged]


def _insert_judgement(connection: sqlite3.Connection, answer: Answer) -> str:
    """Adds the answer's refs and verdicts; the content id they share."""
    refs, judgement = _refs(answer), judgement_of(answer)
    connection.executemany(
        "INSERT INTO verdicts (id, ecosystem, name, verdict, reason, evidence, source,"
        " looked_up_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(_verdict_id(j.lookup), *encode_lookup(j.lookup)) for j in answer.judged],
    )
    connection.executemany(
        "INSERT INTO refs (sample_id, judgement, position, ecosystem, kind, raw, start_char,"
        " end_char, name, import_name, builtin, flags, verdict_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(answer.sample.id, judgement, position, *values) for position, values in enumerate(refs)],
    )
    return judgement


def _verdict_id(lookup: Lookup) -> str:
    """The content id of a verdict.

    The time is part of it for a live answer only: a snapshot's source holds its date, and what
    no one was asked for (a built-in, a mapping) would be a new verdict every second.
    """
    *values, looked_up_at = encode_lookup(lookup)
    return content_id(*values, looked_up_at if lookup.source == "live" else "")


def _ref_values(ref: PackageRef) -> tuple[str | int | None, ...]:
    """The columns of ``refs`` from ``ecosystem`` to ``flags``."""
    return (
        ref.ecosystem,
        ref.kind,
        ref.raw,
        ref.start,
        ref.end,
        ref.name,
        ref.import_name,
        int(ref.builtin),
        " ".join(sorted(ref.flags)),
    )


def _ref(row: Row) -> PackageRef:
    return PackageRef(
        ecosystem=Ecosystem(row["ref_ecosystem"]),
        kind=RefKind(row["kind"]),
        raw=row["raw"],
        start=row["start_char"],
        end=row["end_char"],
        name=row["ref_name"],
        import_name=row["import_name"],
        builtin=bool(row["builtin"]),
        flags=frozenset(Flag(flag) for flag in row["flags"].split()),
    )


def _sample(row: Row) -> Sample:
    return Sample(
        prompt=decode_prompt(row),
        text=row["sample_text"],
        model=row["model"],
        adapter=row["adapter"],
        seed=row["seed"],
        number=row["number"],
        temperature=row["temperature"],
        truncated=bool(row["truncated"]),
        tokens=row["tokens"],
    )
