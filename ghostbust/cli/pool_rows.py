"""Prompts of the pool as commands print them: a table, or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.cli.output import cell, table
from ghostbust.cli.settings import load_settings
from ghostbust.loop.redacting import redacted_texts

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.records import Side
    from ghostbust.store import PoolPrompt, Store

_SHOWN_CHARACTERS = 70


@contextmanager
def pool_store(
    opened: AbstractContextManager[tuple[Home, Store]], config: Path | None
) -> Iterator[tuple[Store, Config]]:
    """The store of the home folder, and the settings that tell the sides apart."""
    with opened as (home, store):
        yield store, load_settings(config, home)


def side_of_row(row: PoolPrompt, settings: Config) -> Side:
    """The side of the split that the prompt is on."""
    from ghostbust.prompts import side_of

    return side_of(row.family, settings.prompts.holdout_share)


def shown_texts(store: Store, rows: Sequence[PoolPrompt], *, reveal: bool) -> Mapping[str, str]:
    """The texts that may be printed, by id: unless revealed, no private ones and no invented names.

    A private prompt is its hash, the id.
    """
    if reveal:
        return {row.prompt_id: row.text for row in rows if row.text is not None}
    return redacted_texts(store, [row for row in rows if not row.private])


def pool_table(rows: Sequence[PoolPrompt], texts: Mapping[str, str], settings: Config) -> object:
    """Prompts, a row each."""
    made = table("prompt", "side", "context", "by", "parent", "names", "samples", "text")
    for row in rows:
        text = " ".join(said(row, texts).split())
        cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
        made.add_row(
            cell(row.prompt_id), cell(side_of_row(row, settings)), cell(row.context),
            cell(row.operator or ""), cell(" × ".join(row.parents)), cell(row.invented_names),
            cell(row.samples), cell(cut),
        )  # fmt: skip
    return made


def said(row: PoolPrompt, texts: Mapping[str, str]) -> str:
    """The text, or why there is none, for people."""
    why = "(not kept)" if row.text is None else "(private; --reveal shows it)"
    return texts.get(row.prompt_id, why)


def document(row: PoolPrompt, texts: Mapping[str, str], settings: Config) -> dict[str, object]:
    """A prompt as JSON; its text is null where it isn't shown."""
    return {
        "id": row.prompt_id,
        "text": texts.get(row.prompt_id),
        "context": row.context,
        "ecosystem": row.ecosystem,
        "family": row.family,
        "domain": row.domain,
        "side": side_of_row(row, settings),
        "parent": row.parent,
        "other_parent": row.other_parent,
        "operator": row.operator,
        "private": row.private,
        "added": row.added,
        "samples": row.samples,
        "invented_names": row.invented_names,
        "quiet": row.quiet,
        "last_sampled": row.last_sampled,
        "pruned": row.pruned,
    }
