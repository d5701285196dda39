"""The watch under way survives a kill, without a text that may not be kept."""

from __future__ import annotations

import pytest

from ghostbust.errors import HomeError
from ghostbust.home import Home
from ghostbust.loop.daemon import jobs
from ghostbust.loop.daemon.jobs import Pending
from ghostbust.loop.discovery.forms import Parent, take_apart
from ghostbust.prompts import Task
from ghostbust.records import Context
from ghostbust.store.store import Store


def parent_of(task: Task) -> Parent:
    parent = take_apart(task.prompt(Context.CODE))
    assert parent is not None
    return parent


def test_it_is_found_as_it_was_kept(home: Home, store: Store, tasks: list[Task]) -> None:
    variant = parent_of(tasks[1]).child("broader", task="Draw what the sensors told.")
    kept = Pending(7, (tasks[0].prompt(Context.HELPS), variant))
    assert jobs.find(home, store, tasks) is None
    jobs.keep(home, store, kept)
    assert jobs.find(home, store, tasks) == kept
    assert jobs.find(home, store, []) == kept, "texts that may be kept are in the store"
    jobs.drop(home)
    jobs.drop(home)
    assert jobs.find(home, store, tasks) is None


def test_private_texts_are_kept_nowhere(home: Home, store: Store, tasks: list[Task]) -> None:
    own = Task("own", "Count the salaries above the median.", private=True)
    asked = own.prompt(Context.HELPS)
    jobs.keep(home, store, Pending(7, (asked,)))
    assert jobs.find(home, store, [own]) == Pending(7, (asked,)), "the task itself is at hand"
    assert jobs.find(home, store, tasks) is None
    variant = parent_of(own).child("broader", task="Count the salaries below the mean.")
    jobs.keep(home, store, Pending(7, (asked, variant)))
    assert jobs.find(home, store, [own]) is None
    for file in (home.watch, home.database, home.path / "ghostbust.db-wal"):
        assert b"salaries" not in file.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1}', '{"seed": "x", "prompts": []}'])
def test_a_broken_file_is_one_line(home: Home, store: Store, text: str) -> None:
    home.watch.write_text(text)
    with pytest.raises(HomeError, match=r"^can't read \S+watch\.json: [^\n]+; remove it$"):
        jobs.find(home, store, [])
