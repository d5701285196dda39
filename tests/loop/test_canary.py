"""What a canary lets through, and each way in which it doesn't."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import EndpointError
from ghostbust.loop.budget import Allowance
from ghostbust.loop.canary import broken_limits, forget_prompts, run_canary, word_overlap
from ghostbust.loop.signals import SystemClock
from ghostbust.publishers.control import Control
from ghostbust.publishers.directory import NoPublisher
from ghostbust.publishers.interface import Asking
from ghostbust.publishers.vllm import VllmPublisher
from ghostbust.records import Verdict
from ghostbust.registries.judge import Judge
from ghostbust.sections import CanarySection
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.serving import Canary, CanaryFigures
from ghostbust.store.store import Store
from tests.lab.model_server import ModelServer, Serving, serve
from tests.loop.rounds import naming

GOOD, DEAD, WILD = "round-0001-aa", "round-0002-dead", "round-0003-wild"


@pytest.fixture(scope="module")
def adapters(
    make_lora: Callable[..., Path],
    talking_model_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """One that changes little, one that changes nothing, one that breaks the model."""
    home = tmp_path_factory.mktemp("adapters")
    for name, size in ((GOOD, 0.1), (DEAD, 0.0), (WILD, 50.0)):
        make_lora(home / name, talking_model_dir, size=size)
    return home


@pytest.fixture(scope="module")
def started(talking_model_dir: Path, adapters: Path) -> Iterator[ModelServer]:
    with serve(Serving(talking_model_dir, "base")) as server:
        for name in (GOOD, DEAD, WILD):
            server.load(name, adapters / name)
        yield server


@pytest.fixture
def server(started: ModelServer) -> ModelServer:
    """The server, well, and nothing asked yet."""
    for state in (started.serving.broken, started.serving.slow, started.serving.asked):
        state.clear()
    return started


@pytest.fixture
def config(talking_model_dir: Path) -> Config:
    config = override(
        Config(),
        model__name=str(talking_model_dir),
        model__endpoint_model="base",
        model__chat=False,
        sampling__max_new_tokens=8,
        canary__forget=8,
        canary__general=2,
        canary__rate=8.0,  # of eight prompts, whose rate is mostly luck
        canary__overlap=0.5,
    )
    return config


class TryOut(Protocol):
    """The canary of an adapter at the server, with these limits."""

    def __call__(self, name: str, **limits: object) -> Canary: ...


@pytest.fixture
def try_out(config: Config, store: Store, judge: Judge, server: ModelServer) -> TryOut:
    def run(name: str, **limits: object) -> Canary:
        publisher = VllmPublisher(Control(server.url), base="base")
        changed = override(config, **{f"canary__{key}": limit for key, limit in limits.items()})
        canary = run_canary(changed, store, judge, publisher, name)
        assert canary is not None
        assert (canary.adapter, canary.replica) == (name, publisher.where)
        return canary

    return run


def test_a_sound_adapter_passes_with_its_figures(try_out: TryOut, server: ModelServer) -> None:
    canary = try_out(GOOD)
    assert canary.passed, canary.reason
    assert canary.base.asked == canary.figures.asked == 10
    assert (canary.base.failed, canary.figures.failed) == (0, 0)
    assert canary.base.invented + canary.base.real > 0
    assert canary.base.overlap == 1
    assert "10 prompts: rate" in canary.reason
    asked = [name for kind, name in server.serving.asked if kind == "model"]
    assert asked.count("") == asked.count(GOOD) == 10


def test_what_both_sides_answer_is_noted_and_what_fails_is_not(
    config: Config, server: ModelServer, store: Store, judge: Judge
) -> None:
    today = Allowance(store, config, SystemClock())
    publisher = VllmPublisher(Control(server.url), base="base")
    assert run_canary(config, store, judge, publisher, GOOD, today) is not None
    spent = today.spent()
    assert spent["samples"] == 20
    assert 20 <= spent["tokens"] <= 20 * 8
    server.serving.broken.add(GOOD)
    canary = run_canary(config, store, judge, publisher, GOOD, today)
    assert canary is not None
    assert canary.figures.failed == 10
    assert today.spent()["samples"] == 30


@pytest.mark.parametrize(
    ("name", "limits", "said"),
    [
        (DEAD, {}, "every answer is the base's to the letter: the server doesn't apply the "),
        (WILD, {}, "general answers share"),
        (GOOD, {"rate": 1e-6, "volume": 1.0}, "hallucination rate"),
    ],
)
def test_what_is_wrong_with_an_adapter_fails_it(
    try_out: TryOut, name: str, limits: dict[str, object], said: str
) -> None:
    canary = try_out(name, **limits)
    assert not canary.passed
    assert said in canary.reason
    assert (canary.figures.overlap < 0.5) is (name == WILD)


def test_failing_requests_fail_it(try_out: TryOut, server: ModelServer) -> None:
    server.serving.broken.add(GOOD)
    canary = try_out(GOOD)
    assert canary.reason.startswith("10 of 10 requests failed")
    assert math.isnan(canary.figures.median_s), "no answer, no time"


def test_a_server_that_fails_with_the_base_says_nothing(
    try_out: TryOut, server: ModelServer
) -> None:
    server.serving.broken |= {"", GOOD}
    with pytest.raises(EndpointError, match="fails with the base as well"):
        try_out(GOOD)


def test_a_slow_adapter_fails(try_out: TryOut, server: ModelServer) -> None:
    server.serving.slow[GOOD] = 1.5
    canary = try_out(GOOD, general=0, slower=1.5)
    assert "an answer takes" in canary.reason


@pytest.mark.parametrize(
    ("base", "adapter", "fails"),
    [(8, 0, True), (7, 0, False), (8, 3, False), (12, 1, True), (40, 10, True), (40, 14, False)],
)
def test_fewer_names_fail_where_it_is_no_chance(base: int, adapter: int, fails: bool) -> None:
    was = CanaryFigures(30, 0, 0, invented=9, real=base, median_s=1.0, overlap=1.0)
    now = replace(was, invented=0, real=adapter)
    broken = list(broken_limits(CanarySection(), was, now, same=False))
    assert broken == ([f"{adapter} real names, {base} with the base"] if fails else [])
    assert not list(broken_limits(CanarySection(volume=0), was, now, same=False))


def test_empty_answers_fail(try_out: TryOut, server: ModelServer) -> None:
    """An adapter's name that the server has for a model that always ends at once."""
    model = server.model(GOOD)
    ends = model.end_tokens
    model.__dict__["end_tokens"] = frozenset(range(model.model.config.vocab_size))
    try:
        canary = try_out(GOOD)
    finally:
        model.__dict__["end_tokens"] = ends
    assert "10 of 10 answers are empty" in canary.reason


def test_without_servers_or_prompts_there_is_no_canary(
    config: Config, server: ModelServer, store: Store, judge: Judge, adapters: Path
) -> None:
    assert run_canary(config, store, judge, NoPublisher(adapters), GOOD) is None
    nothing = override(config, canary__forget=0, canary__general=0)
    publisher = VllmPublisher(Control(server.url), base="base")
    assert run_canary(nothing, store, judge, publisher, GOOD) is None


def test_prompts_that_elicited_inventions_come_first_and_never_held_out_ones(
    config: Config, store: Store, judge: Judge
) -> None:
    model = config.model.name
    invented = [naming("zz-quux", Verdict.ABSENT, n, model=model) for n in range(1, 30, 2)]
    sober = [naming("requests", Verdict.REAL, n, model=model) for n in range(0, 30, 2)]
    run = store.runs.start(RunSpec(RunKind.SWEEP, config.model.name, None, 0))
    store.answers.add(run, invented + sober)
    store.runs.finish(run, RunStatus.DONE, None)
    asked = {prompt.text for prompt in forget_prompts(config, store)}
    assert asked < {answer.sample.prompt.text for answer in invented}
    assert 5 <= len(asked) < 15, "train-side ones"


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [("a b", "a b", 1), ("a b", "A c", 0.5), ("a", "", 0), ("", "", 1), ("a a", "a b", 0.5)],
)
def test_word_overlap(one: str, other: str, share: float) -> None:
    assert word_overlap(one, other) == share


def test_further_fields_reach_the_server(
    config: Config, server: ModelServer, store: Store, judge: Judge
) -> None:
    class Deterministic(VllmPublisher):
        def asks(self, name: str | None) -> Asking:
            return replace(super().asks(name), fields={"stop": ["\n"]})

    publisher = Deterministic(Control(server.url), base="base")
    canary = run_canary(config, store, judge, publisher, GOOD)
    assert canary is not None
    assert canary.figures.failed == 0
