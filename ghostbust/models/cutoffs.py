"""Of which last day a well-known model can know: from a table with the source of each."""

from __future__ import annotations

from datetime import date
from importlib.resources import files


def known_cutoff(model: str) -> date | None:
    """The last day of which the model can know; None for one that isn't in the table.

    ``model`` is the embedded model's name or a full Hugging Face id, in any case; ids in the
    table that end in ``*`` stand for all that begin so, and the longest counts. A fine-tuned
    model under another id may know more, so it isn't found.
    """
    asked = model.lower()
    best: tuple[int, date] | None = None
    for known, day in _table().items():
        begins = known.endswith("*") and asked.startswith(known[:-1])
        if (begins or asked == known) and (best is None or len(known) > best[0]):
            best = (len(known), day)
    return None if best is None else best[1]


def _table() -> dict[str, date]:
    """Id or beginning of ids, in lower case, to the day."""
    text = (files("ghostbust.data") / "model_cutoffs.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {model.lower(): date.fromisoformat(day) for model, day, _basis, _source in rows}
