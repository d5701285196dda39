"""The prompt pool: what was asked, or waits to be, and what each prompt paid."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime

from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import (
    decode_optional_time,
    decode_texts,
    encode_texts,
    encode_time,
)
from ghostbust.store.rows import PromptStats


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
