"""The list of keys."""

from __future__ import annotations

from textual.binding import Binding

from ghostbust.dashboard.app import MOVES, _table
from ghostbust.dashboard.jobs_pane import JobsPane
from ghostbust.dashboard.names_pane import NamesPane


def keys_of(*sections: tuple[str, list[object]]) -> list[str]:
    table = _table(sections)  # type: ignore[arg-type]
    return [str(cell) for cell in table.columns[0].cells]


def test_every_key_with_words_is_listed_below_its_section() -> None:
    hidden, told = Binding("x", "x"), Binding("question_mark", "keys", "Keys")
    keys = keys_of(("", [hidden, told]), ("names", list(NamesPane.BINDINGS)))
    assert keys[: len(MOVES) + 3] == ["everywhere", *(key for key, _ in MOVES), "?", "names"]
    assert {"a", "i", "l", "o", "u", "enter"} <= set(keys)
    assert "x" not in keys


def test_a_tab_without_keys_of_its_own_has_no_section() -> None:
    assert keys_of(("jobs", list(JobsPane.BINDINGS))) == ["everywhere", *(k for k, _ in MOVES)]
