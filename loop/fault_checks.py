"""What has to hold in a home folder whose processes were killed; every breach is one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ghostbust.adapters import read_adapter
from ghostbust.errors import ModelError
from ghostbust.home import Home
from ghostbust.publishers.directory import POINTER, published
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store


def breaches_at_once(home: Home, replica: Path) -> Iterator[str]:
    """What may never be seen, not even between the kill and the next start."""
    for folder in (*home.adapters.iterdir(), *replica.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            yield from _incomplete(folder)
    for pointer in (home.deployed, replica / POINTER):
        serving = published(pointer)
        if serving is not None:
            yield from _incomplete(serving[1])


def breaches_of_round(home: Home, replica: Path, logged: int, wanted: RoundState) -> Iterator[str]:
    """What has to hold when the round has come to its end; ``logged`` answers were there before."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        rounds, moves = store.rounds.recent(), store.promotions.all()
    if [one.state for one in rounds] != [wanted]:
        yield f"rounds are {[str(one.state) for one in rounds]}, not one {wanted}"
        return
    name = rounds[0].adapter if wanted is RoundState.PROMOTED else None
    if [move.adapter for move in moves] != ([] if name is None else [name]):
        yield f"{len(moves)} moves of the pointer"
    yield from _serves(home, replica, name)
    left = [path.name for path in home.adapters.iterdir() if path.name.startswith(".")]
    left += [path.name for path in (home.training, home.trainer) if path.exists()]
    if left:
        yield f"left over: {left}"


def breaches_of_watch(home: Home, replica: Path, logged: int, prompts: int) -> Iterator[str]:
    """What has to hold when the watch has come to its end."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        watches = [run for run in store.runs.recent() if run.spec.kind is RunKind.WATCH]
        if len(watches) != 1:
            yield f"{len(watches)} watches instead of one"
        for run in watches:
            if (answers := len(store.answers.sampled_keys(run.id))) != prompts:
                yield f"a watch of {answers} answers, {prompts} were asked for"
    if home.watch.exists():
        yield "the watch is still noted as under way"


def breaches_of_rollback(home: Home, replica: Path, logged: int) -> Iterator[str]:
    """What has to hold when the only adapter was taken back."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        states = [str(one.state) for one in store.rounds.recent()]
        kinds = [move.kind for move in store.promotions.all()]
    if states != [RoundState.ROLLED_BACK]:
        yield f"the round is {states}"
    if kinds != ["rollback", "promote"]:
        yield f"moves of the pointer: {kinds}"
    yield from _serves(home, replica, None)


def count_answers(home: Home) -> int:
    """How many samples are logged."""
    with closing(sqlite3.connect(home.database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM samples").fetchone()
    return int(count)


def _breaches_of_store(home: Home, logged: int) -> Iterator[str]:
    with closing(sqlite3.connect(home.database)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchall()
        if told != [("ok",)]:
            yield f"the database is damaged: {told[:1]}"
        twice = connection.execute(
            "SELECT count(*) FROM names n WHERE times_seen !="
            " (SELECT count(*) FROM sightings s WHERE s.name_id = n.id)"
        ).fetchone()
        if twice != (0,):
            yield f"{twice[0]} names are counted wrongly"
    if count_answers(home) < logged:
        yield "answers are lost"
    with Store.open(home.database) as store:
        unfinished = [run.id for run in store.runs.recent() if run.status is not RunStatus.DONE]
    if unfinished:
        yield f"runs {unfinished} came to no end"


def _incomplete(folder: Path) -> Iterator[str]:
    try:
        read_adapter(folder)
    except ModelError as exc:
        yield str(exc)


def _serves(home: Home, replica: Path, name: str | None) -> Iterator[str]:
    for pointer in (home.deployed, replica / POINTER):
        serving = published(pointer)
        if (None if serving is None else serving[0]) != name:
            yield f"{pointer.name} names {serving and serving[0]}, not {name}"
