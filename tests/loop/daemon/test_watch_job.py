"""A watch logs what the model invents; one that was interrupted is continued."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import override
from ghostbust.errors import BusyError, EndpointError, HomeError
from ghostbust.home import Home
from ghostbust.loop.budget import SAMPLES, Allowance
from ghostbust.loop.daemon import watch_job
from ghostbust.loop.daemon.jobs import Stopped, Workplace
from ghostbust.loop.daemon.watch_job import Pending, drop, find, keep, watch
from ghostbust.loop.discovery.operators import Parent, take_apart
from ghostbust.loop.round_steps import train_answers
from ghostbust.loop.session import open_session
from ghostbust.loop.watch import LOG_EVERY
from ghostbust.prompts import Task, name_side, side_of
from ghostbust.records import Context, Ecosystem, Prompt, Side
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.unlearners.sets import select
from tests.loop.choosing import nothing, one_ghost
from tests.loop.daemon.conftest import CONFIG

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, ScriptedSampler


def running(place: Workplace, sampler: ScriptedSampler) -> Workplace:
    return replace(place, open_sampler=lambda _: sampler)


def test_a_watch_logs_what_the_model_invents(
    place: Workplace, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watch(place)
    (run,) = store.runs.recent()
    assert (run.spec.kind, run.status, run.spec.seed) == (RunKind.WATCH, RunStatus.DONE, 1)
    assert store.ledger.count_new_inventions() == 40
    assert not place.home.watch.exists()
    assert "watch: run 1 done: 40 answers" in caplog.text
    assert "40 inventions never seen before" in caplog.text
    assert "zz-ghost" not in caplog.text, "no names in the log"
    watch(place)
    assert [run.spec.seed for run in store.runs.recent()] == [2, 1]


def test_a_watch_says_what_is_left_and_counts_repeats(
    place: Workplace, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watch(place)
    assert "watch: 40 names of this adapter so far; at least about" in caplog.text
    assert "the next invention is new with probability" in caplog.text
    assert store.tallies.refresh_repeats() <= 40, "those of the last second at most"
    counted = store._connection.rows("SELECT id FROM names WHERE counted_at IS NULL")
    assert counted == []


def test_watches_pause_where_they_find_nothing_new(
    place: Workplace,
    store: Store,
    scripted: MakeSampler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("ghostbust.loop.discovery.plan.LEAST_ANSWERS", 40)
    quiet = replace(place, config=override(CONFIG, discovery__stop_below=5))
    sampler = scripted(nothing)
    watch(running(quiet, sampler))
    assert len(sampler.asked) == 40
    watch(replace(quiet, open_sampler=lambda _: pytest.fail("no model is loaded")))
    assert "watch: none now: 0 new names in the last 40 answers" in caplog.text
    place.home.deployed.write_text(json.dumps({"adapter": "round-0001", "path": "/somewhere"}))
    watch(replace(quiet, open_sampler=lambda _: scripted(one_ghost, "round-0001")))
    assert len(store.runs.recent()) == 2, "another adapter is watched"


def test_what_was_pruned_is_not_asked(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    first = scripted(nothing)
    watch(running(place, first))
    asked = {prompt.id for prompt in first.asked}
    store.prompts.prune(asked)
    second = scripted(one_ghost)
    watch(running(place, second))
    assert second.asked
    assert asked.isdisjoint({prompt.id for prompt in second.asked})


def test_the_deployed_adapter_is_what_is_watched(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    place.home.deployed.write_text(json.dumps({"adapter": "round-0001", "path": "/somewhere"}))
    opened: list[tuple[str, Path] | None] = []

    def open_sampler(adapter: tuple[str, Path] | None) -> ScriptedSampler:
        opened.append(adapter)
        return scripted(one_ghost, None if adapter is None else adapter[0])

    watch(replace(place, open_sampler=open_sampler))
    assert opened == [("round-0001", Path("/somewhere"))]
    assert store.runs.recent()[0].spec.adapter == "round-0001"
    assert store.promotions.deployed() == "round-0001", "the pointer's move was logged"


def test_a_stopped_watch_closes_the_sampler_and_is_gone_on_with(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    def say(prompt: Prompt) -> str:
        if len(sampler.asked) == LOG_EVERY + 4:
            place.stopping.set()
        return one_ghost(prompt)

    sampler = scripted(say)
    with pytest.raises(Stopped):
        watch(running(place, sampler))
    assert sampler.open == 0
    (run,) = store.runs.recent()
    assert run.status is RunStatus.INTERRUPTED
    assert len(list(store.answers.read(run_id=run.id))) == LOG_EVERY, "whole transactions"
    first = [prompt.id for prompt in sampler.asked]
    place.stopping.clear()
    rest = scripted(one_ghost)
    watch(running(place, rest))
    (run,) = store.runs.recent()
    assert (run.id, run.status) == (1, RunStatus.DONE)
    assert len(rest.asked) == 40 - LOG_EVERY, "what is logged isn't drawn again"
    assert set(first[:LOG_EVERY]).isdisjoint({prompt.id for prompt in rest.asked})


def test_a_watch_that_was_killed_behind_its_end_is_not_done_again(
    place: Workplace, store: Store, scripted: MakeSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(watch_job, "drop", lambda home: die())
        with pytest.raises(SystemExit):
            watch(running(place, scripted(one_ghost)))
    assert [run.status for run in store.runs.recent()] == [RunStatus.DONE]
    assert place.home.watch.exists()
    again = scripted(one_ghost)
    watch(running(place, again))
    assert (len(again.asked), len(store.runs.recent())) == (0, 1)
    assert not place.home.watch.exists()
    watch(running(place, again))
    assert len(store.runs.recent()) == 2, "the next one is a new one"


def test_a_watch_whose_model_is_out_of_reach_is_gone_on_with(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    def say(prompt: Prompt) -> str:
        raise EndpointError("nobody answers")

    with pytest.raises(EndpointError):
        watch(running(place, scripted(say)))
    assert place.home.watch.exists()
    watch(place)
    assert [(run.id, run.status) for run in store.runs.recent()] == [(1, RunStatus.DONE)]


def test_prompts_that_break_the_watch_are_not_asked_for_ever(
    place: Workplace, scripted: MakeSampler
) -> None:
    def say(prompt: Prompt) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        watch(running(place, scripted(say)))
    assert not place.home.watch.exists()


def test_a_watch_waits_for_whoever_holds_the_home(place: Workplace) -> None:
    with place.home.exclusive("sweep"), pytest.raises(BusyError, match="sweep"):
        watch(place)


def test_what_another_model_rewrites_counts_in_the_budgets_of_the_day(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    rewriter = scripted(lambda _: "Sort the sensors of the valley by height, then plot the towers.")
    place = replace(place, open_rewriter=lambda: rewriter)
    for _ in range(3):
        watch(place)
    assert rewriter.asked
    asked = sum(len(store.answers.sampled_keys(run.id)) for run in store.runs.recent())
    assert Allowance(store, place.config, place.clock).spent()[SAMPLES] == asked + len(
        rewriter.asked
    )


@pytest.mark.parametrize(
    ("limits", "answers"),
    [({"daemon__watch_answers": 10}, 10), ({"daemon__watch_tokens": 100}, 12)],
)
def test_a_watch_ends_when_its_budget_is_spent(
    place: Workplace,
    store: Store,
    limits: dict[str, int],
    answers: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    watch(replace(place, config=override(CONFIG, **limits)))
    (run,) = store.runs.recent()
    assert run.status is RunStatus.DONE
    assert len(store.answers.sampled_keys(run.id)) == answers
    assert f"ended by {next(iter(limits)).replace('__', '.')}" in caplog.text
    assert not place.home.watch.exists()


def test_an_interrupted_watch_spends_only_what_is_left(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    limited = replace(place, config=override(CONFIG, daemon__watch_answers=20))

    def say(prompt: Prompt) -> str:
        if len(sampler.asked) == LOG_EVERY + 2:
            raise EndpointError("nobody answers")
        return one_ghost(prompt)

    sampler = scripted(say)
    with pytest.raises(EndpointError):
        watch(running(limited, sampler))
    watch(limited)
    (run,) = store.runs.recent()
    assert (run.status, len(store.answers.sampled_keys(run.id))) == (RunStatus.DONE, 20)


def test_the_sides_stay_apart_over_many_watches_and_restarts(
    place: Workplace, home: Home, tasks: list[Task], scripted: MakeSampler
) -> None:
    """By family, for what is asked, and by name and family, for what a round may be shown."""
    settings = override(CONFIG, prompts__holdout_share=0.25, prompts__name_holdout_share=0.3)

    def say(prompt: Prompt) -> str:
        if prompt.operator in ("paraphrase", "narrower", "broader", "neighbour"):
            return f"Weigh the parcels of depot {prompt.id} and print labels for {prompt.family}."
        return one_ghost(prompt) + "\n\n```bash\npip install requests\n```"

    held_out = {task.id for task in tasks if side_of(task.id, 0.25) is Side.HOLDOUT}
    secret = {task.text for task in tasks if task.id in held_out}
    watched: list[str] = []
    for _ in range(6):  # each opens the file anew, and knows nothing but what is in it
        model = scripted(say)
        watch(running(replace(place, config=settings), model))
        assert held_out.isdisjoint(prompt.family for prompt in model.asked)
        assert not any(text in prompt.text for prompt in model.asked for text in secret)
        watched += [prompt.id for prompt in model.asked]
    with open_session(home, settings, purpose="test") as session:
        pool = {prompt.id: prompt for prompt in session.store.prompts.read()}
        sets = select(train_answers(session), [], most=500, probes=0, seed=1, name_holdout=0.3)
    assert len({pool[key].operator for key in watched if key in pool}) >= 8
    for prompt in pool.values():
        ancestors = [pool[key] for key in (prompt.parent, prompt.other_parent) if key]
        assert all(side_of(one.family, 0.25) is Side.TRAIN for one in [prompt, *ancestors])
        assert not ancestors or prompt.family in {one.family for one in ancestors}
    shown = {name for answer in sets.forget + sets.retain for name in answer.invented}
    assert {name_side(Ecosystem.PYPI, name, 0.3) for name in shown} == {Side.TRAIN}
    trained = {answer.sample.prompt.family for answer in sets.forget + sets.retain}
    assert trained
    assert trained.isdisjoint(held_out)


def test_without_train_side_tasks_a_watch_says_so(
    place: Workplace, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    watch(replace(place, tasks=[]))
    assert "no task is on the training side" in caplog.text
    assert store.runs.recent() == []
    watch(place)
    assert len(store.runs.recent()) == 1, "tasks that came since are asked"


def parent_of(task: Task) -> Parent:
    parent = take_apart(task.prompt(Context.CODE))
    assert parent is not None
    return parent


def test_it_is_found_as_it_was_kept(home: Home, store: Store, tasks: list[Task]) -> None:
    variant = parent_of(tasks[1]).child("broader", task="Draw what the sensors told.")
    kept = Pending(7, (tasks[0].prompt(Context.HELPS), variant))
    assert find(home, store, tasks) is None
    keep(home, store, kept)
    assert find(home, store, tasks) == kept
    assert find(home, store, []) == kept, "texts that may be kept are in the store"
    drop(home)
    drop(home)
    assert find(home, store, tasks) is None


def test_private_texts_are_kept_nowhere(home: Home, store: Store, tasks: list[Task]) -> None:
    own = Task("own", "Count the salaries above the median.", private=True)
    asked = own.prompt(Context.HELPS)
    keep(home, store, Pending(7, (asked,)))
    assert find(home, store, [own]) == Pending(7, (asked,)), "the task itself is at hand"
    assert find(home, store, tasks) is None
    variant = parent_of(own).child("broader", task="Count the salaries below the mean.")
    keep(home, store, Pending(7, (asked, variant)))
    assert find(home, store, [own]) is None
    for file in (home.watch, home.database, home.path / "ghostbust.db-wal"):
        assert b"salaries" not in file.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1}', '{"seed": "x", "prompts": []}'])
def test_a_broken_file_is_one_line(home: Home, store: Store, text: str) -> None:
    home.watch.write_text(text)
    with pytest.raises(HomeError, match=r"^can't read \S+watch\.json: [^\n]+; remove it$"):
        find(home, store, [])
