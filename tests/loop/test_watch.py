"""From prompts to logged answers: what is asked and kept, and how an interrupted run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import EndpointError
from ghostbust.home import Home
from ghostbust.loop.watch import LOG_EVERY, Watched, Watcher, judge_samples, needs_prompts
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Answer, Context, Flag, Prompt, Sample, Verdict
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    Say = Callable[[Prompt], str]

SETTINGS = SamplingSettings(samples_per_prompt=2, seed=3, max_new_tokens=9)
INVENTED = "zz-quux-sensorlib"


def say(prompt: Prompt) -> str:
    """What a model that knows one package and makes up another would answer."""
    if prompt.context is Context.CODE:
        return f"```python\nimport requests\nprint('{prompt.family}')\n```"
    return f"1. requests\n2. {INVENTED}\n"


class FailsAfter:
    """An answer for each prompt, until there were so many; then the server is gone."""

    def __init__(self, answers: int) -> None:
        self.left = answers

    def __call__(self, prompt: Prompt) -> str:
        if not self.left:
            raise EndpointError("the model server went away")
        self.left -= 1
        return say(prompt)


def keys(watched: Watched) -> list[tuple[str, int, str]]:
    return [(a.sample.prompt.id, a.sample.number, a.sample.text) for a in watched.answers]


@pytest.fixture
def watcher(store: Store, judge: Judge) -> Callable[[Sampler], Watcher]:
    return lambda sampler: Watcher(store, sampler, judge, SETTINGS)


MakeWatcher = Callable[[Sampler], Watcher]
MakeSampler = Callable[..., "Sampler"]


def test_tasks_are_asked_in_all_three_contexts(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task], store: Store
) -> None:
    watched = watcher(scripted(say)).tasks(tasks[:3], RunKind.SWEEP)
    assert len(watched.answers) == 3 * 3 * SETTINGS.samples_per_prompt
    by_context = watched.measurement.by_context
    assert set(by_context) == set(Context)
    assert (by_context["code"].absent, by_context["code"].real) == (0, 6)
    assert (by_context["helps"].absent, by_context["helps"].real) == (6, 6)
    assert watched.measurement.rate == pytest.approx(12 / 30)
    run = store.runs.get(watched.run_id)
    assert (run.status, run.spec.kind, run.spec.seed) == (RunStatus.DONE, RunKind.SWEEP, 3)
    assert run.measurement == watched.measurement
    needs = {a.sample.prompt for a in watched.answers if a.sample.prompt.context is Context.NEEDS}
    assert {prompt.family for prompt in needs} == {"task-0", "task-1", "task-2"}
    assert all(f"print('{prompt.family}')" in prompt.text for prompt in needs), "its own code"


def test_a_task_without_code_has_no_needs_prompt(tasks: list[Task]) -> None:
    prompt = tasks[0].prompt(Context.CODE)
    empty = Sample(prompt, " \n", "m", None, 0, 0, 0.7, False, 1)
    second = replace(empty, text="import requests", number=1)
    assert needs_prompts(tasks[:2], [Answer(empty, ()), Answer(second, ())]) == []


def test_the_run_says_what_made_it(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task], store: Store, judge: Judge
) -> None:
    watched = watcher(scripted(say, "round-0001-aa")).tasks(tasks[:1], RunKind.WATCH)
    spec = store.runs.get(watched.run_id).spec
    assert (spec.model, spec.adapter, spec.seed) == ("made-up", "round-0001-aa", 3)
    assert spec.snapshots == judge.dates
    assert spec.settings["registry"] == "snapshot"
    assert spec.settings["max_new_tokens"] == 9
    assert "seed" not in spec.settings


def test_answers_are_logged_in_batches_and_told_as_they_are(
    store: Store, judge: Judge, scripted: MakeSampler, tasks: list[Task]
) -> None:
    told: list[tuple[int, int]] = []

    def hear(done: int, total: int) -> None:
        told.append((done, total))
        run = store.runs.recent(1)[0]
        assert len(store.answers.sampled_keys(run.id)) == done

    prompts = list(first_prompts(tasks[:10]))
    Watcher(store, scripted(say), judge, SETTINGS, hear).prompts(prompts, RunKind.GATE)
    assert told == [(LOG_EVERY, 40), (2 * LOG_EVERY, 40), (40, 40)]


def test_a_task_that_comes_twice_is_asked_once(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task]
) -> None:
    once = watcher(scripted(say)).tasks(tasks[:3], RunKind.SWEEP)
    twice = watcher(scripted(say)).tasks([*tasks[:3], tasks[0]], RunKind.SWEEP)
    assert keys(twice) == keys(once)


def test_a_failure_leaves_an_interrupted_run_with_what_was_logged(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task], store: Store
) -> None:
    with pytest.raises(EndpointError):
        watcher(scripted(FailsAfter(20))).tasks(tasks[:20], RunKind.SWEEP)
    (run,) = store.runs.recent()
    assert (run.status, run.measurement) == (RunStatus.INTERRUPTED, None)
    logged = store.answers.sampled_keys(run.id)
    # What didn't fill a batch wasn't logged yet.
    assert len(logged) == LOG_EVERY


@pytest.mark.parametrize("done", [20, 45, 100])
def test_the_same_call_goes_on_where_it_was(
    done: int, watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task], store: Store
) -> None:
    """Interrupted in the first stage or (100 of 80 + 40) in the second, it ends as if it wasn't."""
    whole = watcher(scripted(say)).tasks(tasks[:20], RunKind.SWEEP)
    with pytest.raises(EndpointError):
        watcher(scripted(FailsAfter(done))).tasks(tasks[:20], RunKind.WATCH)
    run = store.runs.recent()[0]
    numbers: dict[str, int] = {}
    for prompt_id, _ in store.answers.sampled_keys(run.id):
        numbers[prompt_id] = numbers.get(prompt_id, 0) + 1
    kept = {key for key, count in numbers.items() if count == SETTINGS.samples_per_prompt}
    sampler = scripted(say)
    resumed = watcher(sampler).tasks(tasks[:20], RunKind.WATCH)
    assert resumed.run_id == run.id
    assert len(kept) >= 8
    assert not kept & {prompt.id for prompt in sampler.asked}  # type: ignore[attr-defined]
    assert keys(resumed) == keys(whole)
    assert resumed.measurement == whole.measurement
    assert len(store.answers.sampled_keys(run.id)) == len(whole.answers)


def test_another_seed_model_or_prompt_is_another_run(
    store: Store, judge: Judge, scripted: MakeSampler, tasks: list[Task]
) -> None:
    with pytest.raises(EndpointError):
        Watcher(store, scripted(FailsAfter(20)), judge, SETTINGS).tasks(tasks[:20], RunKind.SWEEP)
    interrupted = store.runs.recent()[0].id
    others = [
        Watcher(store, scripted(say), judge, replace(SETTINGS, seed=4)).tasks(
            tasks[:20], RunKind.SWEEP
        ),
        Watcher(store, scripted(say, "other"), judge, SETTINGS).tasks(tasks[:20], RunKind.SWEEP),
        Watcher(store, scripted(say), judge, SETTINGS).tasks(tasks[:19], RunKind.SWEEP),
    ]
    assert interrupted not in {watched.run_id for watched in others}


def test_a_partly_answered_prompt_of_a_fickle_model_counts_once(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task], store: Store
) -> None:
    """A server that ignores the seed gives new texts; the run still ends with one of each."""
    fails = FailsAfter(0)

    def differs(prompt: Prompt) -> str:
        return fails(prompt) + f"\nattempt {fails.left}"

    settings = replace(SETTINGS, samples_per_prompt=3)
    prompts = list(first_prompts(tasks[:10]))
    make = watcher(scripted(differs))
    for left in (20, 35, 99):
        fails.left = left
        try:
            watched = replace(make, settings=settings).prompts(prompts, RunKind.WATCH)
        except EndpointError:
            continue
    places = [(a.sample.prompt.id, a.sample.number) for a in watched.answers]
    assert len(set(places)) == len(places) == 60


def test_private_prompts_leave_no_text_but_are_measured(
    watcher: MakeWatcher, scripted: MakeSampler, store: Store
) -> None:
    secret = Task("own-1", "Read the ledgers of Quillfeather & Sons.", private=True)
    watched = watcher(scripted(say)).tasks([secret], RunKind.SWEEP)
    assert watched.measurement.absent == 4
    assert list(store.answers.read(run_id=watched.run_id)) == []
    assert len(store.answers.sampled_keys(watched.run_id)) == 6
    assert [found.name for found in store.ledger.hallucinations()] == [INVENTED]


def test_a_finished_run_is_known_by_all_that_made_it(
    store: Store, judge: Judge, scripted: MakeSampler, tasks: list[Task]
) -> None:
    def made(**change: object) -> Watcher:
        return Watcher(store, scripted(say), judge, SETTINGS, **change)  # type: ignore[arg-type]

    prompts = list(first_prompts(tasks[:5]))
    assert made().known(prompts, RunKind.EVAL) is None
    watched = made().tasks(tasks[:5], RunKind.EVAL)
    assert made().known(prompts, RunKind.EVAL) == watched
    assert made().known(prompts[1:], RunKind.EVAL) is None
    assert made().known(prompts, RunKind.SWEEP) is None
    assert made(made_by={"weights": "others"}).known(prompts, RunKind.EVAL) is None


def test_a_run_whose_texts_were_not_kept_is_not_known(
    watcher: MakeWatcher, scripted: MakeSampler, tasks: list[Task]
) -> None:
    mixed = [tasks[0], Task("own-1", "Read the ledgers of Quillfeather & Sons.", private=True)]
    watcher(scripted(say)).tasks(mixed, RunKind.EVAL)
    assert watcher(scripted(say)).known(list(first_prompts(mixed)), RunKind.EVAL) is None


def test_every_name_in_a_sample_is_judged(judge: Judge, tasks: list[Task]) -> None:
    prompt = tasks[0].prompt(Context.HELPS)
    sample = Sample(prompt, f"1. requests\n2. {INVENTED}\n3. json\n", "m", None, 0, 0, 0, False, 9)
    (answer,) = judge_samples([sample], judge)
    assert answer.sample is sample
    verdicts = {j.lookup.name: j.lookup.verdict for j in answer.judged}
    assert verdicts == {
        "requests": Verdict.REAL,
        INVENTED: Verdict.ABSENT,
        "json": Verdict.BUILTIN,
    }


PROGRAM = """
import sys, time
from pathlib import Path
from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.session import open_session
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task
from ghostbust.records import Sample
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.runs import RunKind

class Slow:
    model, adapter = "made-up", None
    def sample(self, prompts, settings):
        for prompt in prompts:
            time.sleep(float(sys.argv[2]))
            text = "1. requests\\n2. zz-quux-" + prompt.family + "\\n"
            print("asked", prompt.id, flush=True)
            yield Sample(prompt, text, self.model, None, settings.seed, 0, 0.7, False, 9)

def told(done, total):
    print("logged", done, flush=True)

tasks = [Task(f"task-{n}", f"Chart the tides at pier {n}.") for n in range(40)]
config = Config(registry={"mode": "snapshot"})
with open_session(Home.open(Path(sys.argv[1])), config, purpose="sweep") as session:
    watcher = Watcher(session.store, Slow(), session.judge, SamplingSettings(), told)
    watched = watcher.tasks(tasks, RunKind.SWEEP)
    print("done", watched.run_id, watched.measurement.absent, flush=True)
"""


def start(home: Home, pause_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home.path), str(pause_s)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_sweep_goes_on_and_loses_nothing_that_was_told(home: Home) -> None:
    with start(home, 0.01) as killed:
        assert killed.stdout is not None
        asked, logged = [], 0
        for line in killed.stdout:
            word, value = line.split()
            if word == "asked":
                asked.append(value)
            elif (logged := int(value)) >= 3 * LOG_EVERY:
                os.kill(killed.pid, signal.SIGKILL)
                break
    assert killed.returncode == -signal.SIGKILL
    with Store.open(home.database) as store:
        (run,) = store.runs.recent()
        assert run.status is RunStatus.RUNNING  # nobody could say otherwise
        kept = {prompt_id for prompt_id, _ in store.answers.sampled_keys(run.id)}
    assert set(asked[:logged]) <= kept
    with start(home, 0) as again:
        said = [line.split() for line in again.communicate(timeout=60)[0].splitlines()]
    assert again.returncode == 0
    assert not kept & {words[1] for words in said if words[0] == "asked"}
    # Forty tasks; in the two contexts that ask for a list each answer names one invention.
    assert said[-1] == ["done", str(run.id), "80"]


def test_a_name_of_an_earlier_turn_is_marked_as_the_prompts_own(
    judge: Judge, tasks: list[Task]
) -> None:
    first = tasks[0].prompt(Context.HELPS)
    turned = replace(first, text="List more.", turns=(first.text, f"1. {INVENTED}"))
    text = f"1. {INVENTED}\n2. zz-other-lib\n"
    (answer,) = judge_samples([Sample(turned, text, "m", None, 0, 0, 0, False, 9)], judge)
    marked = {j.lookup.name: Flag.PROMPT_INDUCED in j.ref.flags for j in answer.judged}
    assert marked == {INVENTED: True, "zz-other-lib": False}
