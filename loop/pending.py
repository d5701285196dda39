"""The watch that is under way, in the home folder, so that a killed daemon goes on with it.

The store knows what was answered; which prompts the rest of the run is made of stands here. Only
their ids do: a prompt's text stays where `prompts.keep` allows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ghostbust.errors import HomeError
from ghostbust.home import Home
from ghostbust.parsing import parse_json
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Prompt
from ghostbust.store import RunKind, Store


@dataclass(frozen=True, slots=True)
class Pending:
    """What a watch asks."""

    seed: int
    """of the run, and of no other watch"""
    prompts: tuple[Prompt, ...]


def keep(home: Home, store: Store, pending: Pending) -> None:
    """Notes the watch before it begins. Raises HomeError where the home can't be written."""
    store.prompts.add(pending.prompts)
    row = {"seed": pending.seed, "prompts": [prompt.id for prompt in pending.prompts]}
    aside = home.watch.with_name(f".{home.watch.name}.part")
    try:
        aside.write_text(json.dumps(row) + "\n", "utf-8")
        aside.replace(home.watch)
    except OSError as exc:
        raise HomeError(f"can't write {home.watch}: {exc.strerror or exc}") from exc


def dropped_done(home: Home, store: Store) -> bool:
    """True where a watch is noted whose run is done; it is forgotten.

    A kill can fall between a run's end and ``drop``.
    """
    noted = _read(home)
    done = noted is not None and store.runs.is_done(RunKind.WATCH, noted[0])
    if done:
        drop(home)
    return done


def find(home: Home, store: Store, tasks: Iterable[Task]) -> Pending | None:
    """The noted watch; None without one, or where a prompt's text was kept nowhere."""
    noted = _read(home)
    if noted is None:
        return None
    seed, ids = noted
    own = {prompt.id: prompt for prompt in first_prompts(tasks)}
    prompts = [own.get(prompt_id) or store.prompts.get(prompt_id) for prompt_id in ids]
    whole = tuple(prompt for prompt in prompts if prompt is not None)
    return Pending(seed, whole) if len(whole) == len(ids) else None


def drop(home: Home) -> None:
    """Forgets the watch: it is done, or can't be done."""
    home.watch.unlink(missing_ok=True)


def _read(home: Home) -> tuple[int, list[str]] | None:
    """Seed and ids of the prompts. Raises HomeError where the note can't be read."""
    try:
        row = parse_json(home.watch.read_text("utf-8"))
        return int(row["seed"]), list(row["prompts"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {home.watch}: {exc}; remove it") from exc
