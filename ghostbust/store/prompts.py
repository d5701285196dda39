"""The prompt pool: what was asked, or waits to be, and what each prompt paid."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Final

from ghostbust.records import Context, Ecosystem, Flag, Prompt
from ghostbust.store.connection import (
    Connection,
    Row,
    decode_optional_time,
    decode_texts,
    decode_time,
    encode_texts,
    encode_time,
)
from ghostbust.store.rows import Draw, DrawnName, OperatorCount, PoolPrompt, PromptStats, Rewriting


class Prompts:
    """The table ``prompts``."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime], *, keep_private: bool
    ) -> None:
        self._connection = connection
        self._now = now
        self._keep_private = keep_private

    def add(self, prompts: Iterable[Prompt]) -> None:
        """Adds prompts that weren't sampled yet; known ones stay as they are."""
        batch = list(prompts)
        with self._connection.write() as connection:
            for prompt in batch:
                insert_prompt(connection, prompt, self._now(), keep_private=self._keep_private)

    def get(self, prompt_id: str) -> Prompt | None:
        """The prompt; None if it isn't known, or its text wasn't kept."""
        row = self._connection.first(
            "SELECT * FROM prompts WHERE id = ? AND text IS NOT NULL", (prompt_id,)
        )
        return None if row is None else decode_prompt(row)

    def families(self, prompt_ids: Iterable[str]) -> dict[str, str]:
        """The family of each of the prompts that is known, kept or not, by prompt id."""
        rows = self._connection.rows(
            "SELECT id, family FROM prompts WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(prompt_ids)),),
        )
        return {row["id"]: row["family"] for row in rows}

    def read(self) -> list[Prompt]:
        """Every prompt whose text was kept, by id."""
        rows = self._connection.rows("SELECT * FROM prompts WHERE text IS NOT NULL ORDER BY id")
        return [decode_prompt(row) for row in rows]

    def stats(self) -> list[PromptStats]:
        """Every prompt with what it paid so far, also those without text, by id."""
        rows = self._connection.rows(
            "SELECT p.*, coalesce(s.samples, 0) AS samples, s.last AS last,"
            " coalesce(n.names, 0) AS names FROM prompts p"
            " LEFT JOIN (SELECT prompt_id, count(*) AS samples, max(added) AS last"
            "  FROM samples GROUP BY prompt_id) s ON s.prompt_id = p.id"
            " LEFT JOIN (SELECT prompt_id, count(DISTINCT name_id) AS names"
            "  FROM sightings GROUP BY prompt_id) n ON n.prompt_id = p.id"
            " ORDER BY p.id"
        )
        return [_stats(row) for row in rows]


def insert_prompt(
    connection: sqlite3.Connection, prompt: Prompt, at: datetime, *, keep_private: bool
) -> None:
    """Adds the prompt, or to a known one the text that was not kept before.

    To be called inside a transaction. Without ``keep_private``, a private prompt's text
    stays out, and so do its earlier turns; its id is a hash. An empty text stands for a prompt
    that nobody knows, and is none.
    """
    kept = (keep_private or not prompt.private) and bool(prompt.text)
    connection.execute(
        "INSERT INTO prompts (id, text, turns, context, ecosystem, family, domain, parent,"
        " other_parent, operator, private, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET text = coalesce(text, excluded.text),"
        " turns = coalesce(turns, excluded.turns), private = min(private, excluded.private)",
        (
            prompt.id,
            prompt.text if kept else None,
            encode_texts(prompt.turns) if kept and prompt.turns else None,
            prompt.context,
            prompt.ecosystem,
            prompt.family,
            prompt.domain,
            prompt.parent,
            prompt.other_parent,
            prompt.operator,
            prompt.private,
            encode_time(at),
        ),
    )


def decode_prompt(row: Row) -> Prompt:
    """The prompt of a row of ``prompts`` whose text was kept."""
    return Prompt(
        text=row["text"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        domain=row["domain"],
        parent=row["parent"],
        operator=row["operator"],
        private=bool(row["private"]),
        other_parent=row["other_parent"],
        turns=decode_texts(row["turns"]),
    )


def _stats(row: Row) -> PromptStats:
    return PromptStats(
        prompt_id=row["id"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        domain=row["domain"],
        parent=row["parent"],
        operator=row["operator"],
        times_sampled=row["samples"],
        invented_names=row["names"],
        last_sampled=decode_optional_time(row["last"]),
    )


# --- prompt_pool
# The pool as a person looks at it, and what was taken out of it.
#
# Taking out deletes a prompt that nothing refers to. One that was sampled, or that others descend
# from, is marked instead: runs, rates and lineages of the past stay whole.

_POOL: Final = """
WITH ordered AS (
 SELECT s.prompt_id, s.added,
  row_number() OVER (PARTITION BY s.prompt_id ORDER BY s.added, s.seed, s.number, s.id) AS place,
  EXISTS (SELECT 1 FROM sightings g WHERE g.prompt_id = s.prompt_id AND g.sample_id = s.id) AS paid
 FROM samples s),
asked AS (
 SELECT prompt_id, count(*) AS samples, max(added) AS last,
  count(*) - coalesce(max(iif(paid, place, NULL)), 0) AS quiet
 FROM ordered GROUP BY prompt_id),
paid AS (SELECT prompt_id, count(DISTINCT name_id) AS names FROM sightings GROUP BY prompt_id)
SELECT p.*, coalesce(a.samples, 0) AS samples, coalesce(a.quiet, 0) AS quiet, a.last AS last,
 coalesce(n.names, 0) AS names
FROM prompts p LEFT JOIN asked a ON a.prompt_id = p.id LEFT JOIN paid n ON n.prompt_id = p.id
ORDER BY p.id
"""
_REFERRING: Final = (
    "SELECT m.name AS referrer, f.'from' AS field FROM sqlite_master m"
    " JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.'table' = 'prompts'"
)


class PromptPool:
    """The table ``prompts``, whole; `ghostbust.store.prompts` is what the loop asks from."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def read(self) -> list[PoolPrompt]:
        """Every prompt, also those taken out and those without text, by id."""
        return [_pool_prompt(row) for row in self._connection.rows(_POOL)]

    def pruned(self) -> frozenset[str]:
        """Ids of the prompts that were taken out and are kept for what refers to them."""
        rows = self._connection.rows("SELECT id FROM prompts WHERE pruned IS NOT NULL")
        return frozenset(row["id"] for row in rows)

    def prune(self, prompt_ids: Iterable[str]) -> tuple[int, int]:
        """Takes prompts out of the pool; how many were deleted, and how many marked.

        Deleted is what nothing refers to: no sample or other row, and no prompt that stays and
        descends from it. Unknown ids do nothing.
        """
        wanted = set(prompt_ids)
        with self._connection.write() as connection:
            deletable = _deletable(connection, wanted)
            connection.execute(
                "DELETE FROM prompts WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(deletable)),),
            )
            marked = connection.execute(
                "UPDATE prompts SET pruned = ? WHERE pruned IS NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (encode_time(self._now()), json.dumps(sorted(wanted - deletable))),
            )
        return len(deletable), marked.rowcount

    def bring_back(self, prompt_ids: Iterable[str]) -> int:
        """Puts prompts that were marked back into the pool; how many there were."""
        with self._connection.write() as connection:
            cursor = connection.execute(
                "UPDATE prompts SET pruned = NULL WHERE pruned IS NOT NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(set(prompt_ids))),),
            )
        return cursor.rowcount


def _deletable(connection: sqlite3.Connection, wanted: set[str]) -> set[str]:
    """Those of the ids that are there and that nothing refers to but what is deleted too."""
    among = "IN (SELECT value FROM json_each(?))"
    ids = json.dumps(sorted(wanted))
    there = connection.execute(f"SELECT id FROM prompts WHERE id {among}", (ids,))  # noqa: S608
    found = {one for (one,) in there}
    for referrer, field in connection.execute(_REFERRING).fetchall():
        sql = f"SELECT DISTINCT {field} FROM {referrer} WHERE {field} {among}"  # noqa: S608
        found -= {one for (one,) in connection.execute(sql, (ids,))}
    children = [
        pair
        for field in ("parent", "other_parent")
        for pair in connection.execute(
            f"SELECT id, {field} FROM prompts WHERE {field} {among}",  # noqa: S608
            (ids,),
        )
    ]
    while kept := {parent for child, parent in children if child not in found} & found:
        found -= kept
    return found


def _pool_prompt(row: Row) -> PoolPrompt:
    return PoolPrompt(
        prompt_id=row["id"],
        text=row["text"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        domain=row["domain"],
        parent=row["parent"],
        operator=row["operator"],
        private=bool(row["private"]),
        added=decode_time(row["added"]),
        samples=row["samples"],
        invented_names=row["names"],
        quiet=row["quiet"],
        last_sampled=decode_optional_time(row["last"]),
        pruned=decode_optional_time(row["pruned"]),
        other_parent=row["other_parent"],
    )


# --- rewritings
# Rewritings: which operator was used on which prompt, what it cost, and what a sample found.

MOST_DRAWS: Final = 20_000
"""samples that `Rewritings.draws` reads, the newest ones: older ones say nothing of the model"""

# A name's first sample is the first that was added. Rows of ``samples`` are never deleted, so
# their rowids count up. A name that the prompt had named is nothing that it elicited.
_DRAWS: Final = """
WITH chosen AS (SELECT rowid AS place, * FROM samples ORDER BY rowid DESC LIMIT ?)
SELECT s.place, s.prompt_id, s.adapter, s.seed,
 iif(s.tokens > 0, s.tokens, max(1, coalesce(length(s.text), 400) / 4)) AS cost,
 n.ecosystem, n.name,
 s.place = (SELECT min(f.rowid) FROM sightings o JOIN samples f ON f.id = o.sample_id
  WHERE o.name_id = n.id) AS new
FROM chosen s
LEFT JOIN sightings g ON g.prompt_id = s.prompt_id AND g.sample_id = s.id
 AND NOT EXISTS (SELECT 1 FROM refs r JOIN verdicts v ON v.id = r.verdict_id
  JOIN names m ON m.ecosystem = v.ecosystem AND m.name = v.name
  WHERE r.sample_id = s.id AND m.id = g.name_id AND instr(r.flags, ?))
LEFT JOIN names n ON n.id = g.name_id
ORDER BY s.place, n.id
"""


class Rewritings:
    """The table ``rewritings``, and the samples that tell what they were worth."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def add(self, rewritings: Iterable[Rewriting]) -> None:
        """Notes them, in the order given. Their parents must be among the prompts."""
        batch = list(rewritings)
        with self._connection.write() as connection:
            connection.executemany(
                "INSERT INTO rewritings (operator, parent, child, tokens, model, adapter, seed,"
                " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (r.operator, r.parent, r.child, r.tokens, r.model, r.adapter, r.seed, at)
                    for at in [encode_time(self._now())]
                    for r in batch
                ],
            )

    def read(self) -> list[Rewriting]:
        """All of them, in the order in which they were noted."""
        rows = self._connection.rows("SELECT * FROM rewritings ORDER BY id")
        return [
            Rewriting(
                row["operator"], row["parent"], row["child"], row["tokens"], row["model"],
                row["adapter"], row["seed"],
            )
            for row in rows
        ]  # fmt: skip

    def counts(self) -> list[OperatorCount]:
        """What became of each operator's rewritings, by its name."""
        rows = self._connection.rows(
            "SELECT operator, count(*) AS asked, count(child) AS written, sum(tokens) AS tokens,"
            " sum(child IS NOT NULL AND EXISTS (SELECT 1 FROM sightings s"
            "  WHERE s.prompt_id = r.child)) AS paid"
            " FROM rewritings r GROUP BY operator ORDER BY operator"
        )
        return [
            OperatorCount(row["operator"], row["asked"], row["written"], row["paid"], row["tokens"])
            for row in rows
        ]

    def draws(self, most: int = MOST_DRAWS) -> list[Draw]:
        """The ``most`` newest samples, oldest first; those of private prompts too."""
        rows = self._connection.rows(_DRAWS, (most, Flag.PROMPT_INDUCED))
        return [_draw(list(group)) for _, group in groupby(rows, key=lambda row: int(row["place"]))]


def _draw(rows: list[Row]) -> Draw:
    names = [row for row in rows if row["name"] is not None]
    return Draw(
        prompt_id=rows[0]["prompt_id"],
        adapter=rows[0]["adapter"],
        seed=rows[0]["seed"],
        cost=rows[0]["cost"],
        names=tuple(
            DrawnName(Ecosystem(row["ecosystem"]), row["name"], bool(row["new"])) for row in names
        ),
    )


# --- prompt_pages
# The pool of prompts page by page, and where one stands in its lineage. Reads only.

MOST_RELATIVES: Final = 100
"""prompts of a lineage that `PromptPages.lineage` reads, in each direction"""


class PromptOrder(StrEnum):
    """What the pool is listed by, most or newest first."""

    PAID = "paid"
    """invented names that it elicited"""
    SAMPLES = "samples"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class PromptLine:
    """One prompt, and what it paid."""

    prompt_id: str
    text: str | None
    """None where it wasn't kept"""
    context: Context
    ecosystem: Ecosystem
    family: str
    parent: str | None
    other_parent: str | None
    operator: str | None
    private: bool
    added: datetime
    samples: int
    invented_names: int
    last_sampled: datetime | None
    pruned: datetime | None
    """when it was taken out of the pool; None for most"""


@dataclass(frozen=True, slots=True)
class Relative:
    """A prompt of another's lineage."""

    depth: int
    """generations below that one; negative above it"""
    line: PromptLine


_COLUMNS: Final = (
    "SELECT p.*, coalesce(a.samples, 0) AS samples, a.last AS last, coalesce(n.names, 0) AS names"
    " FROM prompts p"
)
# One prompt's counts, for few prompts; and all prompts' at once, for an order of all.
_ONES: Final = (
    "SELECT p.*, (SELECT count(*) FROM samples s WHERE s.prompt_id = p.id) AS samples,"
    " (SELECT max(s.added) FROM samples s WHERE s.prompt_id = p.id) AS last,"
    " (SELECT count(DISTINCT g.name_id) FROM sightings g WHERE g.prompt_id = p.id) AS names"
    " FROM prompts p"
)
_ALL: Final = (
    " LEFT JOIN (SELECT prompt_id, count(*) AS samples, max(added) AS last FROM samples"
    "  GROUP BY prompt_id) a ON a.prompt_id = p.id"
    " LEFT JOIN (SELECT prompt_id, count(DISTINCT name_id) AS names FROM sightings"
    "  GROUP BY prompt_id) n ON n.prompt_id = p.id"
)
_ORDER_BY: Final = {
    PromptOrder.PAID: "names DESC, p.id",
    PromptOrder.SAMPLES: "samples DESC, p.id",
    PromptOrder.ADDED: "p.added DESC, p.id",
}
_ABOVE: Final = """
WITH RECURSIVE above (id, depth) AS (
 SELECT ?, 0 UNION
 SELECT o.id, a.depth - 1 FROM above a JOIN prompts p ON p.id = a.id
  JOIN prompts o ON o.id IN (p.parent, p.other_parent) LIMIT ?)
SELECT id, max(depth) AS depth FROM above WHERE depth < 0 GROUP BY id
"""
_BELOW: Final = """
WITH RECURSIVE below (id, depth) AS (
 SELECT ?, 0 UNION
 SELECT c.id, b.depth + 1 FROM below b
  JOIN prompts c ON c.parent = b.id OR c.other_parent = b.id LIMIT ?)
SELECT id, min(depth) AS depth FROM below WHERE depth > 0 GROUP BY id
"""


class PromptPages:
    """Reads of ``prompts``, of a bounded size whatever the store holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, *, order: PromptOrder = PromptOrder.PAID, limit: int = 200, offset: int = 0
    ) -> list[PromptLine]:
        """Prompts that weren't taken out of the pool."""
        rows = self._connection.rows(
            f"{_COLUMNS}{_ALL} WHERE p.pruned IS NULL ORDER BY {_ORDER_BY[order]} LIMIT ? OFFSET ?",
            (limit, offset),
        )
        return [_line(row) for row in rows]

    def count(self) -> int:
        """How many prompts weren't taken out of the pool."""
        rows = self._connection.rows("SELECT count(*) AS count FROM prompts WHERE pruned IS NULL")
        count: int = rows[0]["count"]
        return count

    def lineage(self, prompt_id: str) -> list[Relative]:
        """What the prompt was made from, oldest first, and what was made from it.

        At most ``MOST_RELATIVES`` of either; the prompt itself isn't among them.
        """
        depths: dict[str, int] = {}
        for sql in (_ABOVE, _BELOW):
            for row in self._connection.rows(sql, (prompt_id, MOST_RELATIVES + 1)):
                if row["id"] != prompt_id:
                    depths.setdefault(row["id"], row["depth"])
        found = []
        for one, depth in depths.items():
            there = self._connection.first(f"{_ONES} WHERE p.id = ?", (one,))
            if there is not None:
                found.append(Relative(depth, _line(there)))
        return sorted(found, key=lambda relative: (relative.depth, relative.line.prompt_id))


def _line(row: Row) -> PromptLine:
    return PromptLine(
        prompt_id=row["id"],
        text=row["text"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        parent=row["parent"],
        other_parent=row["other_parent"],
        operator=row["operator"],
        private=bool(row["private"]),
        added=decode_time(row["added"]),
        samples=row["samples"],
        invented_names=row["names"],
        last_sampled=decode_optional_time(row["last"]),
        pruned=decode_optional_time(row["pruned"]),
    )
