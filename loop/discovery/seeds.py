"""Tasks made of what real packages say of themselves, their names hidden.

The model is asked for the package behind a description: what it can't know, it is tempted to
invent. Asks the user's own registry for one page a package, a bounded number of them.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

from ghostbust.errors import RegistryError
from ghostbust.prompts import Task
from ghostbust.records import PROMPTED, Ecosystem, content_id
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.snapshot import Snapshot, appeared, snapshot_as_of

log = logging.getLogger(__name__)

POPULAR: Final = 10_000
"""of the most downloaded packages so many are drawn from"""
DOMAIN: Final = "described packages"
_FEWEST_WORDS, _MOST_CHARACTERS = 4, 200
_HIDDEN: Final = "it"
_TASK: Final = 'Use the package that says of itself: "{said}"'


def described_tasks(
    judge: Judge, seed: int, *, popular: int, newest: int = 0, data_dir: Path | None = None
) -> list[Task]:
    """At most ``popular`` + ``newest`` tasks over all ecosystems; the same for the same seed.

    ``popular``: of the most downloaded packages. ``newest``: of those that the snapshot in use has
    and the one before it in ``data_dir`` lacks: a model older than they are can only invent their
    names. None by a snapshot alone, which has no descriptions. A registry that can't be reached
    gives none, and a warning: a watch doesn't wait for it.
    """
    if judge.mode is Mode.SNAPSHOT:
        return []
    rng = random.Random(seed)  # noqa: S311
    drawn: list[tuple[Ecosystem, str]] = []
    for count, names_of in (
        (popular, lambda snapshot: snapshot.popular(POPULAR)),
        (newest, lambda snapshot: _appeared(snapshot, data_dir)),
    ):
        if count:
            names = [
                (ecosystem, name)
                for ecosystem in PROMPTED
                if ecosystem in judge.snapshots
                for name in names_of(judge.snapshots[ecosystem])
            ]
            drawn += rng.sample(names, min(count, len(names)))
    made: list[Task] = []
    for ecosystem in PROMPTED:
        wanted = [name for owner, name in drawn if owner is ecosystem]
        try:
            found = judge.descriptions(ecosystem, wanted)
        except RegistryError as exc:
            log.warning("discovery: no descriptions of %s packages: %s", ecosystem, exc)
            continue
        if wanted and not found:
            log.warning(
                "discovery: none of %d %s packages has a description", len(wanted), ecosystem
            )
        tasks = (describe(ecosystem, name, text) for name, text in found.items())
        made += [task for task in tasks if task is not None]
    return made


def gathered(given: Iterable[Task], described: Iterable[Task]) -> list[Task]:
    """The tasks of both sources, in order; of two with one id the first."""
    found: dict[str, Task] = {}
    for task in (*given, *described):
        found.setdefault(task.id, task)
    return list(found.values())


def _appeared(snapshot: Snapshot, data_dir: Path | None) -> list[str]:
    """New names since the snapshot before; none without one, or if one of them is incomplete."""
    day_before = snapshot.date - timedelta(days=1)
    path = snapshot_as_of(snapshot.ecosystem, data_dir, day_before)
    older = None if path is None else Snapshot.load(path)
    if older is None or not older.complete or not snapshot.complete:
        return []
    return sorted(appeared(older, snapshot))


def describe(ecosystem: Ecosystem, name: str, said: str) -> Task | None:
    """The task of one package; None if too little is left without its name.

    Its family is the package, so another wording of the description is on the same side.
    """
    hidden = hide(name, said)
    if hidden is None:
        return None
    family = f"described:{content_id(ecosystem, name)}"
    return Task(family, _TASK.format(said=hidden), DOMAIN, ecosystem)


def hide(name: str, said: str) -> str | None:
    """The description without the name, however it is spelled; None if it still shows.

    Blanks, `-`, `_` and `.` are treated as equal, and as optional. If the name is a part of another
    word of the description, such as ``flask`` in ``flask-login``, the description can't be used.
    """
    bare = name.rpartition("/")[2]
    parts = [re.escape(part) for part in re.split(r"[-_.]+", bare) if part]
    spelled = re.compile(r"(?<![^\W_])" + r"[\s\-_.]*".join(parts) + r"(?![^\W_])", re.IGNORECASE)
    hidden = " ".join(spelled.sub(_HIDDEN, said).split()).strip(" .")[:_MOST_CHARACTERS]
    squeezed = re.sub(r"[\W_]+", "", hidden.lower())
    if re.sub(r"[\W_]+", "", bare.lower()) in squeezed or len(hidden.split()) < _FEWEST_WORDS:
        return None
    return hidden if hidden.isprintable() and '"' not in hidden else None
