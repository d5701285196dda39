"""Only what nothing rests on is deleted, and no count changes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Stopped, Workplace, forget_old, watch
from ghostbust.prompts import Task
from ghostbust.records import Ecosystem, Lookup, Prompt, Verdict
from ghostbust.sections import DaemonSection, RegistrySection, RetentionSection, SamplingSection
from ghostbust.store.store import Store
from tests.simulated import SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

KINDS = ("I can't say.", "```bash\npip install requests\n```", "```bash\npip install zz-ghost\n```")


@pytest.fixture
def place(home: Home, tasks: list[Task], scripted: MakeSampler) -> Workplace:
    """A home with thirty answers: of nothing, of real names, of an invented one."""
    config = Config(
        sampling=SamplingSection(samples_per_prompt=1),
        registry=RegistrySection(mode="snapshot"),
        daemon=DaemonSection(watch_prompts=30),
        retention=RetentionSection(answers_days=30, lookups_days=30),
    )
    count = iter(range(1000))

    def say(_: Prompt) -> str:
        return KINDS[next(count) % 3]

    made = Workplace(
        home, config, tasks, lambda _: scripted(say, "round-0001-aa"), ["no"], threading.Event(),
        clock=SimulatedClock(datetime.now(UTC) + timedelta(days=31)),
    )  # fmt: skip
    watch(made)
    return made


def texts(store: Store) -> list[str]:
    rows = store._connection.rows("SELECT text FROM samples WHERE text IS NOT NULL")
    return sorted({row["text"] for row in rows})


def test_texts_go_that_invent_nothing_and_nothing_else_changes(
    place: Workplace, store: Store
) -> None:
    (run,) = store.runs.recent()
    forget_old(place)
    assert texts(store) == [KINDS[2]], "an invention's text stays"
    assert len(store.answers.sampled_keys(run.id)) == 30
    assert store.runs.recent()[0].measurement == run.measurement


def test_of_the_base_all_stay(place: Workplace, store: Store) -> None:
    """Rounds weigh kinds of answers by how often the base gives them."""
    with store._connection.write() as connection:
        connection.execute("UPDATE samples SET adapter = NULL")
    forget_old(place)
    assert texts(store) == sorted(KINDS)


def test_what_a_round_may_have_trained_on_stays(place: Workplace, store: Store) -> None:
    store.rounds.start(model="made-up", method="au", seed=1, settings={})
    forget_old(place)
    assert texts(store) == sorted(KINDS[1:])


def test_young_answers_and_other_runs_stay(place: Workplace, store: Store) -> None:
    place.clock.jump(-2 * 86400)  # type: ignore[attr-defined]
    forget_old(place)
    assert texts(store) == sorted(KINDS)
    place.clock.jump(2 * 86400)  # type: ignore[attr-defined]
    with store._connection.write() as connection:
        connection.execute("UPDATE runs SET kind = 'sweep'")
    forget_old(place)
    assert texts(store) == sorted(KINDS)


def test_live_verdicts_go_but_not_on_invented_names(place: Workplace, store: Store) -> None:
    for name in ("requests", "zz-ghost"):
        at = datetime.now(UTC)
        store.lookups.put_lookup(
            Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "", "asked", "live", at)
        )
    forget_old(place)
    assert store.lookups.get_lookup(Ecosystem.PYPI, "requests") is None
    assert store.lookups.get_lookup(Ecosystem.PYPI, "zz-ghost") is not None


def test_without_limits_nothing_goes_and_a_stop_is_heard(place: Workplace, store: Store) -> None:
    place.stopping.set()
    with pytest.raises(Stopped):
        forget_old(place)
