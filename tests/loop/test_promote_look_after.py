"""What serves goes back by itself where it does worse than what served before, and only then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ghostbust.cli.daemon import workplace
from ghostbust.config import Config, override
from ghostbust.errors import EndpointError
from ghostbust.home import Home
from ghostbust.loop.daemon.watch_job import watch
from ghostbust.loop.promote import look_after, note_requests, promote, request_figures
from ghostbust.loop.publish import Publishing
from ghostbust.measure import measure
from ghostbust.operations.logs import Redactor
from ghostbust.prompts import Task
from ghostbust.publishers.directory import NoPublisher, published
from ghostbust.records import Context, Ecosystem, GateVerdict, Promotion, Prompt, Verdict
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import Requests, RunKind, RunSpec, RunStatus
from ghostbust.store.serving import Canary, CanaryFigures
from ghostbust.store.store import Store
from tests.loop.rounds import add_gated, naming, report_of

CONFIG = override(Config(), model__name="made-up")
START = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Store:
    return Store.open(home.database, now=clock)


@dataclass
class Live:
    """A home whose adapter was promoted after a watch of the base: 40 of 200 names invented."""

    home: Home
    store: Store
    clock: Clock
    deployed: str = ""

    def watched(self, adapter: str | None, invented: int, requests: Requests | None = None) -> None:
        """A watch of 200 answers with one name each, so many of them invented; an hour passes."""
        spec = RunSpec(
            RunKind.WATCH, "made-up", adapter, self.clock.now.hour + 24 * self.clock.now.day
        )
        run_id = self.store.runs.start(spec)
        answers = [
            naming("zz-ghost", Verdict.ABSENT, number, adapter=adapter, seed=spec.seed)
            if number < invented
            else naming("requests", Verdict.REAL, number, adapter=adapter, seed=spec.seed)
            for number in range(200)
        ]
        self.store.answers.add(run_id, answers)
        self.store.runs.finish(run_id, RunStatus.DONE, measure(answers, seed=0))
        if requests is not None:
            self.store.runs.add_requests(run_id, requests)
        self.clock.now += timedelta(hours=1)

    def promoted(self) -> str:
        """The name of an adapter that a round made, and that serves."""
        name = add_gated(self.store, self.home)
        promote(self.store, self.home, name, report_of(name, GateVerdict.PASS), "it passed")
        self.clock.now += timedelta(seconds=1)
        return name

    def look(self, config: Config = CONFIG) -> Promotion | None:
        return look_after(self.store, self.home, config)


@pytest.fixture
def live(home: Home, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Live:
    monkeypatch.setattr("ghostbust.loop.promote.utc_now", clock)
    live = Live(home, store, clock)
    live.watched(None, 40, Requests(200, 0, 0.5))
    live.deployed = live.promoted()
    return live


@pytest.mark.parametrize(("invented", "taken_back"), [(80, True), (40, False)])
def test_behind_one_that_no_watch_has_seen_the_base_is_compared(
    live: Live, invented: int, taken_back: bool
) -> None:
    second = live.promoted()
    live.watched(second, invented)
    move = live.look()
    assert (move is not None) is taken_back
    assert move is None or move.adapter == live.deployed


def test_a_worse_rate_takes_it_back_with_one_line_and_the_reason_in_the_store(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    live.watched(live.deployed, 80)
    move = live.look()
    assert move is not None
    assert (move.adapter, move.kind, published(live.home.deployed)) == (None, "rollback", None)
    assert move.reason.startswith("rolled back by itself: hallucination rate 0.400 (0.3")
    assert move.reason.endswith("before")
    round_ = live.store.rounds.get(1)
    assert (round_.state, round_.reason) == (RoundState.ROLLED_BACK, move.reason)
    (line,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert line.startswith(
        f"rollback: {live.deployed} is taken back, the base serves: hallucination"
    )
    assert live.look() is None, "once"


@pytest.mark.parametrize("invented", [0, 40, 50])
def test_what_is_better_or_not_surely_worse_serves_on(live: Live, invented: int) -> None:
    live.watched(live.deployed, invented)
    assert live.look() is None
    assert live.store.rounds.get(1).state is RoundState.PROMOTED


def test_few_answers_conclude_nothing(live: Live) -> None:
    live.watched(live.deployed, 150)
    assert live.look(override(CONFIG, rollback__answers=201)) is None


def test_it_can_be_left_to_a_person_or_to_wider_limits(live: Live) -> None:
    live.watched(live.deployed, 80)
    assert live.look(override(CONFIG, rollback__auto=False)) is None
    assert live.look(override(CONFIG, rollback__rate=3.0)) is None


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        (Requests(180, 20, 0.5), "10.0% of requests fail, 0.0% before"),
        (Requests(200, 0, 1.3), "a request takes 1.30 s, 0.50 s before"),
        (Requests(200, 2, 0.6), None),
        (Requests(0, 19, None), None),
    ],
)
def test_failing_and_slow_requests_take_it_back(
    live: Live, requests: Requests, said: str | None
) -> None:
    live.watched(live.deployed, 20, requests)
    move = live.look()
    assert (None if move is None else move.reason) == (said and f"rolled back by itself: {said}")


def test_a_watch_that_never_ends_for_its_failures_counts_too(live: Live) -> None:
    run_id = live.store.runs.start(RunSpec(RunKind.WATCH, "made-up", live.deployed, 1))
    live.store.runs.finish(run_id, RunStatus.INTERRUPTED, None)
    for _ in range(3):  # each try of it adds to what it came to
        live.store.runs.add_requests(run_id, Requests(0, 8, None))
    move = live.look()
    assert move is not None
    assert "100.0% of requests fail" in move.reason


def canary(passed: bool) -> Canary:
    figures = CanaryFigures(6, 0, 0, 1, 1, 0.5, 1.0)
    return Canary("gpu", "round-0001-aa", passed, "", figures, figures, START)


@pytest.mark.parametrize("found", [canary(True), canary(False), None, EndpointError("down")])
def test_a_canary_has_to_say_the_same_of_requests(
    live: Live, found: Canary | EndpointError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that fails with the base as well isn't mended by taking the adapter back."""

    def trial(*_: object) -> Canary | None:
        if isinstance(found, EndpointError):
            raise found
        return found

    publishing = Publishing((NoPublisher(live.home.adapters),), None, str, 2, trial)
    monkeypatch.setattr("ghostbust.loop.promote.make_publishing", lambda *_: publishing)
    live.watched(live.deployed, 20, Requests(100, 100, 0.5))
    move = live.look()
    blamed = found is None or (isinstance(found, Canary) and not found.passed)
    assert (move is not None) is blamed


def test_only_figures_since_the_flip_count(live: Live) -> None:
    assert live.look() is None, "nothing was watched yet"
    live.watched(None, 200)
    assert live.look() is None, "another's watch says nothing of it"


def sampler(answer: Callable[[httpx.Request], httpx.Response]) -> EndpointSampler:
    return EndpointSampler("http://127.0.0.1:9", "m", transport=httpx.MockTransport(answer))


def test_a_sampler_tells_how_its_requests_fared(store: Store) -> None:
    good = sampler(lambda _: httpx.Response(200, json={"choices": [{"message": {"content": "x"}}]}))
    prompts = [Prompt(f"p{n}", Context.CODE, Ecosystem.PYPI, "f") for n in range(3)]
    settings = SamplingSettings(samples_per_prompt=1, seed=1)
    assert len(list(good.sample(prompts, settings))) == 3
    figures = request_figures(good)
    assert figures is not None
    assert (figures.answered, figures.failed) == (3, 0)
    assert figures.median_s is not None
    assert figures.median_s >= 0
    refusing = sampler(lambda _: httpx.Response(501))
    with pytest.raises(EndpointError):
        list(refusing.sample(prompts[:1], settings))
    failed = request_figures(refusing)
    assert failed is not None
    assert failed.error_rate == 1
    run_id = store.runs.start(RunSpec(RunKind.WATCH, "m", None, 1))
    note_requests(store, good)
    assert store.runs.requests(run_id) == figures
    assert store.runs.requests(run_id + 1) is None


def test_a_daemons_watch_notes_its_requests_though_its_prompts_are_kept_out_of_the_log(
    home: Home, tasks: list[Task]
) -> None:
    said = httpx.Response(200, json={"choices": [{"message": {"content": "pip install numpy"}}]})
    settings = override(
        CONFIG, registry__mode="snapshot", daemon__watch_prompts=4,
        sampling__samples_per_prompt=1,
    )  # fmt: skip
    place = workplace(home, None, lambda: settings, threading.Event(), Redactor({}))
    watch(replace(place, tasks=tasks, open_sampler=lambda _: sampler(lambda _: said)))
    with Store.open(home.database) as store:
        noted = store.runs.requests(store.runs.recent(1)[0].id)
    assert noted is not None
    assert (noted.answered, noted.failed) == (4, 0)


def test_the_daemon_opens_samplers_as_they_are(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sampler(lambda _: httpx.Response(501))
    monkeypatch.setattr("ghostbust.loop.build.make_sampler", lambda *_, **__: plain)
    redactor = Redactor({})
    place = workplace(home, None, lambda: CONFIG, threading.Event(), redactor)
    assert place.open_sampler(None) is plain, "so that it tells how its requests fared"
    assert place.hide == redactor.hide


def test_a_model_that_runs_here_has_no_requests() -> None:
    from tests.loop.conftest import ScriptedSampler

    assert request_figures(ScriptedSampler(lambda _: "")) is None
