"""An alarm is raised once, with what was known at the time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ghostbust.records import Ecosystem
from ghostbust.store.rows import RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer


def test_alarms(store: Store, spec: RunSpec, clock: Clock, make_answer: MakeAnswer) -> None:
    run = store.runs.start(spec)
    store.answers.add(run, [make_answer(absent=("ghost-a", "ghost-b"))])
    first = clock() - timedelta(days=3)
    for name in ("ghost-a", "ghost-b"):
        store.ledger.mark_claimed(
            Ecosystem.PYPI, name, clock(), first_released=first, uploader="me", evidence=name
        )
    store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-a", clock.step(days=1), uploader="another")
    store.ledger.mark_claimed(Ecosystem.PYPI, "never-invented", clock())
    newest, oldest = store.alarms.recent()
    assert (newest.name, oldest.name) == ("ghost-b", "ghost-a")
    assert (oldest.uploader, oldest.evidence, oldest.first_released) == ("me", "ghost-a", first)
    assert (oldest.at, oldest.times_seen) == (clock() - timedelta(days=1), 1)
    assert store.alarms.recent(1) == [newest]
    store.alarms.mark_told(oldest.id, ["webhook", "command"])
    assert store.alarms.untold() == [newest]
    assert store.alarms.recent()[1].told == ("webhook", "command")
