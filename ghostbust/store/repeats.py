"""How often an invented name comes back when what elicited it is asked again.

A prompt elicits a name for the first time in some sample. That one says nothing on how often it
does: without it the prompt wouldn't be looked at. Every sample of the same prompt after it is a
fair try. So a name's figure is *came back* of *asked again*, over its prompts, for each adapter.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.records import Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import encode_time
from ghostbust.unseen import wilson_interval

PAGE_NAMES: Final = 500
"""names whose samples are held in memory at a time"""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a name came back with one adapter."""

    adapter: str | None
    """None for the base"""
    asked_again: int
    """samples of prompts that had elicited the name, since they first did"""
    came_back: int
    """those of them that named it"""
    prompts: int
    """prompts that were asked again"""


class Repeatability:
    """The table ``repeats``. One home holds one model's answers, so models aren't told apart."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def of(self, ecosystem: Ecosystem, name: str) -> list[Repeats]:
        """What is known of a name, the base first, then adapters by name."""
        rows = self._connection.rows(
            "SELECT r.* FROM repeats r JOIN names n ON n.id = r.name_id"
            " WHERE n.ecosystem = ? AND n.name = ? ORDER BY r.adapter",
            (ecosystem, name),
        )
        return [
            Repeats(row["adapter"] or None, row["asked_again"], row["came_back"], row["prompts"])
            for row in rows
        ]

    def prompts_of(self, ecosystem: Ecosystem, name: str) -> list[str]:
        """Ids of the prompts that elicited a name, those that did most often first."""
        rows = self._connection.rows(
            "SELECT g.prompt_id FROM sightings g JOIN names n ON n.id = g.name_id"
            " WHERE n.ecosystem = ? AND n.name = ? GROUP BY g.prompt_id"
            " ORDER BY count(*) DESC, g.prompt_id",
            (ecosystem, name),
        )
        return [row["prompt_id"] for row in rows]

    def refresh(self) -> int:
        """Counts anew for every name whose prompts were asked since it was last counted.

        How many names that were. Asks nobody: samples and sightings are there already.
        """
        at = self._now()
        due = self._due()
        for start in range(0, len(due), PAGE_NAMES):
            page = due[start : start + PAGE_NAMES]
            counted = self._count(page)
            with self._connection.write() as connection:
                connection.execute(
                    "DELETE FROM repeats WHERE name_id IN (SELECT value FROM json_each(?))",
                    (json.dumps(page),),
                )
                connection.executemany(
                    "INSERT INTO repeats (name_id, adapter, asked_again, came_back, prompts,"
                    " at_least) VALUES (?, ?, ?, ?, ?, ?)",
                    counted,
                )
                connection.execute(
                    "UPDATE names SET counted_at = ? WHERE id IN (SELECT value FROM json_each(?))",
                    (encode_time(at), json.dumps(page)),
                )
        return len(due)

    def _due(self) -> list[int]:
        # At or after, not after: times are whole seconds, and a name counted twice is no harm.
        rows = self._connection.rows(
            "SELECT n.id FROM names n WHERE n.counted_at IS NULL OR n.last_seen >= n.counted_at"
            " OR EXISTS (SELECT 1 FROM sightings g WHERE g.name_id = n.id AND n.counted_at <="
            "  (SELECT max(s.added) FROM samples s WHERE s.prompt_id = g.prompt_id)) ORDER BY n.id"
        )
        return [row["id"] for row in rows]

    def _count(self, page: Sequence[int]) -> list[tuple[int, str, int, int, int, float]]:
        """The rows of ``repeats`` of these names."""
        wanted = json.dumps(page)
        samples = self._connection.rows(
            "SELECT id, prompt_id, coalesce(adapter, '') AS adapter, temperature > 0 AS drawn"
            " FROM samples WHERE prompt_id IN (SELECT prompt_id FROM sightings"
            "  WHERE name_id IN (SELECT value FROM json_each(?)))"
            " ORDER BY prompt_id, added, seed, number, id",
            (wanted,),
        )
        sightings = self._connection.rows(
            "SELECT name_id, prompt_id, sample_id FROM sightings"
            " WHERE name_id IN (SELECT value FROM json_each(?))",
            (wanted,),
        )
        return list(_counted(samples, sightings))


def _counted(
    samples: Iterable[Row], sightings: Iterable[Row]
) -> Iterable[tuple[int, str, int, int, int, float]]:
    """The rows of ``repeats``, from samples in the order of drawing and sightings in any order."""
    place: dict[str, int] = {}
    adapter_of: dict[str, str] = {}
    """of a sample that was drawn; those at temperature 0 are no tries, but may be the first"""
    drawn: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    """prompt to adapter to the places of its drawn samples, rising"""
    for number, row in enumerate(samples):
        place[row["id"]] = number
        if row["drawn"]:
            adapter_of[row["id"]] = row["adapter"]
            drawn[row["prompt_id"]][row["adapter"]].append(number)
    seen: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in sightings:
        seen[row["name_id"], row["prompt_id"]].append(row["sample_id"])
    sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (name_id, prompt_id), ids in seen.items():
        first = min(place[sample_id] for sample_id in ids)
        back = [adapter_of[i] for i in ids if place[i] > first and i in adapter_of]
        for adapter, places in drawn[prompt_id].items():
            again = len(places) - bisect_right(places, first)
            if again:
                for at, more in enumerate((again, back.count(adapter), 1)):
                    sums[name_id, adapter][at] += more
    for (name_id, adapter), (again, came_back, prompts) in sums.items():
        at_least, _ = wilson_interval(came_back / again, again)
        yield name_id, adapter, again, came_back, prompts, at_least
