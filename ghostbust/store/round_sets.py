"""What a round's sets hold, so that a round that was cut off trains on the same ones."""

from __future__ import annotations

from ghostbust.records import Answer, Prompt, SetSplit
from ghostbust.store.answers import Answers, judgement_of
from ghostbust.store.connection import Connection
from ghostbust.store.prompts import Prompts


class RoundSets:
    """The table ``round_sets``."""

    def __init__(self, connection: Connection, answers: Answers, prompts: Prompts) -> None:
        self._connection = connection
        self._answers = answers
        self._prompts = prompts

    def keep(self, round_id: int, sets: SetSplit) -> None:
        """Notes the sets, in place of earlier ones; without the held-out prompts.

        Their answers and prompts are in the store already: they come from it.
        """
        rows = [
            (round_id, part, position, *item)
            for part, items in (
                ("forget", map(_key, sets.forget)),
                ("retain", map(_key, sets.retain)),
                ("base", map(_key, sets.base)),
                ("probe", ((prompt.id, None) for prompt in sets.probe)),
            )
            for position, item in enumerate(items)
        ]
        with self._connection.write() as connection:
            connection.execute("DELETE FROM round_sets WHERE round_id = ?", (round_id,))
            connection.executemany(
                "INSERT INTO round_sets (round_id, part, position, item, judgement)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    def get(self, round_id: int, holdout: tuple[Prompt, ...]) -> SetSplit | None:
        """The round's sets with these held-out prompts; None where something isn't there any more.

        None as well where nothing was noted.
        """
        rows = self._connection.rows(
            "SELECT part, item, judgement FROM round_sets WHERE round_id = ?"
            " ORDER BY part, position",
            (round_id,),
        )
        parts = {
            part: [(row["item"], row["judgement"]) for row in rows if row["part"] == part]
            for part in ("forget", "retain", "base", "probe")
        }
        answers = {
            part: tuple(self._answers.get(parts[part])) for part in ("forget", "retain", "base")
        }
        found = [self._prompts.get(key) for key, _ in parts["probe"]]
        probe = tuple(prompt for prompt in found if prompt is not None)
        whole = all(len(answers[part]) == len(parts[part]) for part in answers)
        if not rows or not whole or len(probe) != len(found):
            return None
        return SetSplit(answers["forget"], answers["retain"], holdout, probe, answers["base"])


def _key(answer: Answer) -> tuple[str, str]:
    return answer.sample.id, judgement_of(answer)
