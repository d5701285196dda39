"""An adapter on every replica, before training and after, and what clients get meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from ghostbust.config import Config, override
from ghostbust.errors import CanaryError, EndpointError, PublishError, UsageError
from ghostbust.home import Home
from ghostbust.loop.promote import promote, roll_back
from ghostbust.loop.publish import (
    PREFIX,
    Publishing,
    bring_up,
    check_limits,
    flip,
    make_publishing,
    pointed,
    rehearse,
    restore,
    retire,
    stands,
    unpublish,
)
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.publishers.directory import published
from ghostbust.publishers.interface import Publisher
from ghostbust.records import GateVerdict, Promotion, utc_now
from ghostbust.store.serving import Canary, CanaryFigures
from ghostbust.store.store import Store
from ghostbust.unlearners.adapters import write_blank
from ghostbust.unlearners.settings import TrainSettings, Weights
from tests.lab.model_server import Kind, ModelServer, Serving, serve
from tests.loop.rounds import add_gated, report_of

FIGURES = CanaryFigures(10, 0, 0, 2, 8, 0.1, 1.0)


class Trial:
    """A canary that says what a test wants."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, str]] = []
        self.bad: set[str] = set()

    def __call__(self, publisher: Publisher, name: str) -> Canary:
        self.tried.append((publisher.where, name))
        reason = "it stammers" if name in self.bad else "fine"
        return Canary(
            publisher.where, name, name not in self.bad, reason, FIGURES, FIGURES, utc_now()
        )


@pytest.fixture
def trial() -> Trial:
    return Trial()


@pytest.fixture
def servers(tiny_model_dir: Path) -> Iterator[list[ModelServer]]:
    """Two vLLM servers of the tiny model."""
    with ExitStack() as stack:
        yield [stack.enter_context(serve(Serving(tiny_model_dir, "base"))) for _ in range(2)]


@pytest.fixture
def passed(
    home: Home, store: Store, make_lora: Callable[..., Path], tiny_model_dir: Path
) -> Callable[[], str]:
    """Makes an adapter whose gates passed; its name."""

    def make(folder: Path, seed: int) -> None:
        make_lora(folder, tiny_model_dir, seed=seed, size=0.2)

    return lambda: add_gated(store, home, make=make)


def config_for(servers: list[ModelServer], kind: str = "vllm", **options: object) -> Config:
    urls = tuple(f"{server.url}/v1" for server in servers)
    keys = {f"publish__{key}": value for key, value in options.items()}
    return override(
        Config(), model__name="tiny", model__endpoint=urls[0], model__endpoint_model="base",
        publish__kind=kind, publish__replicas=urls, **keys,
    )  # fmt: skip


@pytest.fixture
def publishing(servers: list[ModelServer], home: Home, store: Store, trial: Trial) -> Publishing:
    return replace(make_publishing(config_for(servers), home, store), trial=trial)


def model_of(home: Home) -> str:
    model: str = json.loads(home.serving.read_text())["model"]
    return model


@dataclass
class Stage:
    """A home with two servers, and adapters that passed."""

    home: Home
    store: Store
    servers: list[ModelServer]
    publishing: Publishing
    trial: Trial
    passed: Callable[[], str]

    def let(self, name: str) -> None:
        report = report_of(name, GateVerdict.PASS)
        promote(self.store, self.home, name, report, "it passed", self.publishing)

    def roll_back(self, reason: str) -> Promotion:
        return roll_back(self.store, self.home, reason, self.publishing)

    def loaded(self) -> list[set[str]]:
        return [set(server.serving.adapters) for server in self.servers]

    @property
    def model(self) -> str:
        return model_of(self.home)


@pytest.fixture
def stage(
    home: Home, store: Store, servers: list[ModelServer], publishing: Publishing, trial: Trial,
    passed: Callable[[], str],
) -> Stage:  # fmt: skip
    return Stage(home, store, servers, publishing, trial, passed)


def test_what_is_promoted_is_loaded_tried_and_served_everywhere(stage: Stage) -> None:
    name = stage.passed()
    stage.let(name)
    assert stage.loaded() == [{name}, {name}]
    assert stage.trial.tried == [(each.where, name) for each in stage.publishing.publishers]
    assert [canary.passed for canary in stage.store.published.canaries(name)] == [True, True]
    assert {row.unloaded for row in stage.store.published.all()} == {None}
    assert stage.model == name == pointed(stage.home.serving)
    assert published(stage.home.deployed) == (name, stage.home.adapters / name)
    assert [stand.ready for stand in stands(stage.publishing, name)] == [True, True]


def test_a_failing_canary_leaves_what_served_and_says_why(stage: Stage) -> None:
    first, second = stage.passed(), stage.passed()
    stage.let(first)
    stage.trial.bad.add(second)
    with pytest.raises(CanaryError, match=f"canary of {second} at .*: it stammers"):
        stage.let(second)
    assert stage.loaded() == [{first}, {first}], "unloaded again, also where it wasn't tried"
    assert stage.model == stage.store.promotions.deployed() == first
    assert not stage.store.published.canaries(second)[0].passed
    assert len(stage.store.promotions.all()) == 1


def test_a_replica_that_does_not_take_it_stops_it_everywhere(stage: Stage) -> None:
    stage.servers[1].serving.max_rank = 2
    with pytest.raises(PublishError, match="LoRA rank 4 is greater than max_lora_rank 2"):
        stage.let(stage.passed())
    assert stage.loaded() == [set(), set()]
    assert stage.trial.tried == []
    assert not stage.home.serving.exists()


def test_publishing_again_changes_nothing(stage: Stage) -> None:
    name = stage.passed()
    for _ in range(3):
        stage.let(name)
    for server in stage.servers:
        assert server.serving.asked.count(("POST", "/v1/load_lora_adapter")) == 1
    assert stage.loaded() == [{name}, {name}]


def test_old_ones_stay_for_some_rounds_and_then_go(stage: Stage) -> None:
    stage.servers[0].load("theirs", stage.home.adapters / stage.passed())
    names = [stage.passed() for _ in range(4)]
    for name in names:
        stage.let(name)
    assert stage.loaded() == [{*names[1:], "theirs"}, set(names[1:])]
    gone = {row.adapter for row in stage.store.published.all() if row.unloaded is not None}
    assert gone == {names[0]}


def test_a_rollback_flips_back_everywhere_and_ends_at_the_base(stage: Stage) -> None:
    first, second = stage.passed(), stage.passed()
    for name in (first, second):
        stage.let(name)
    for server in stage.servers:
        server.unload(first)  # a restart, or another hand
    tried = len(stage.trial.tried)
    assert stage.roll_back("bad").adapter == first
    assert all(first in each for each in stage.loaded())
    assert stage.model == first
    assert stage.roll_back("bad too").adapter is None
    assert (stage.model, pointed(stage.home.serving)) == ("base", None)
    assert len(stage.trial.tried) == tried, "what served before isn't tried again"


def test_a_rollback_does_not_wait_for_a_replica_that_is_away(stage: Stage) -> None:
    first, second = stage.passed(), stage.passed()
    for name in (first, second):
        stage.let(name)
    stage.servers[1].shutdown()
    stage.servers[1].server_close()
    move = stage.roll_back("bad")
    assert (move.adapter, stage.model) == (first, first)
    assert "can't reach" in move.reason
    with pytest.raises(EndpointError, match="can't reach"):
        stage.let(second)


def test_a_rollback_passes_over_what_a_replica_refuses_by_now(stage: Stage) -> None:
    first, second = stage.passed(), stage.passed()
    for name in (first, second):
        stage.let(name)
    stage.servers[0].unload(first)
    stage.servers[0].serving.max_rank = 2
    move = stage.roll_back("bad")
    assert (move.adapter, stage.model) == (None, "base")
    assert f"passed over {first}" in move.reason


def test_after_a_restart_everything_is_restored(stage: Stage) -> None:
    name = stage.passed()
    stage.let(name)
    stage.servers[0].unload(name)
    stage.home.serving.unlink()
    assert [stand.ready for stand in stands(stage.publishing, name)] == [False, False]
    assert restore(stage.publishing, stage.store, published(stage.home.deployed)) == []
    assert [stand.ready for stand in stands(stage.publishing, name)] == [True, True]
    assert stage.loaded() == [{name}, {name}]


def test_unpublishing_and_retiring_leave_notes(stage: Stage) -> None:
    name = stage.passed()
    row = stage.store.rounds.adapter(name)
    assert row is not None
    bring_up(stage.publishing, stage.store, name, row.candidate.path)
    unpublish(stage.publishing, stage.store, name)
    assert stage.loaded() == [set(), set()]
    assert all(row.unloaded for row in stage.store.published.all())
    bring_up(stage.publishing, stage.store, name, row.candidate.path)
    assert retire(stage.publishing, stage.store) == [], "it never came to serve"
    assert stage.loaded() == [set(), set()]


def test_a_flip_that_fails_half_way_is_taken_back(
    home: Home, store: Store, passed: Callable[[], str], tiny_model_dir: Path, trial: Trial
) -> None:
    """llama.cpp: the second server wasn't started with the adapter that the first one has."""
    names = [passed(), passed()]
    preloaded = {f"{name}.gguf": home.adapters / name for name in names}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serve(Serving(tiny_model_dir, "base", "llamacpp", preloaded=each)))
            for each in (preloaded, {"other.gguf": home.adapters / names[0]})
        ]
        made = make_publishing(config_for(servers, "llamacpp"), home, store)
        publishing = replace(made, trial=trial)
        with pytest.raises(PublishError, match="has no adapter"):
            flip(publishing, names[0], None)
        assert servers[0].serving.scales == {0: 0.0, 1: 0.0}
        assert not home.serving.exists()
        troubles = flip(publishing, names[0], None, whatever=True)
        assert len(troubles) == 1
        assert servers[0].serving.scales == {0: 1.0, 1: 0.0}
        assert model_of(home) == "base", "at llama.cpp clients ask for nothing else"


def test_limits_are_asked_before_training(
    publishing: Publishing, servers: list[ModelServer], home: Home, store: Store
) -> None:
    check_limits(publishing, 16, frozenset())
    with pytest.raises(PublishError, match="ranks up to 16"):
        check_limits(publishing, 32, frozenset())
    with pytest.raises(UsageError, match=r"publish\.replicas names nobody"):
        make_publishing(override(Config(), publish__kind="vllm"), home, store)


@dataclass
class Load:
    """Clients that go by the pointer file: so many requests a second, a dozen at once at most."""

    home: Home
    url: str
    per_s: float = 20
    answered: list[str] = field(default_factory=list)
    """the model of each answer"""
    errors: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._ended = threading.Event()
        self._ticks = threading.Semaphore(0)
        self._client = httpx.Client(verify=False, trust_env=False, timeout=30)
        self._threads = [threading.Thread(target=self._ask) for _ in range(12)]
        self._threads.append(threading.Thread(target=self._tick))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticks.release(12)
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _tick(self) -> None:
        while not self._ended.wait(1 / self.per_s):
            self._ticks.release()

    def _ask(self) -> None:
        while self._ticks.acquire() and not self._ended.is_set():
            model = model_of(self.home) if self.home.serving.exists() else "base"
            body = {"model": model, "prompt": "pip install", "max_tokens": 4, "temperature": 0}
            try:
                answer = self._client.post(f"{self.url}/v1/completions", json=body)
            except httpx.HTTPError as exc:
                self.errors.append(repr(exc))
                continue
            if answer.status_code == 200 and answer.json()["choices"]:
                self.answered.append(model)
            else:
                self.errors.append(f"{model}: {answer.status_code} {answer.text}")


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
def test_clients_see_no_error_through_load_canary_flip_and_unload(
    kind: Kind, home: Home, store: Store, passed: Callable[[], str], tiny_model_dir: Path
) -> None:
    """20 requests a second throughout; the canaries are real."""
    names = [passed() for _ in range(4)]
    preloaded = {f"{name}.gguf": home.adapters / name for name in names}
    serving = Serving(tiny_model_dir, "base", kind, max_rank=8)
    if kind == "llamacpp":
        serving.preloaded = preloaded
    with serve(serving) as server:
        config = override(
            config_for([server], kind, keep=1), sampling__max_new_tokens=4, canary__forget=4,
            canary__general=2, canary__overlap=0.0, canary__rate=1e9, canary__slower=50,
            canary__empty=0.99, registry__mode="snapshot",
        )  # fmt: skip
        publishing = make_publishing(config, home, store)
        with Load(home, server.url) as load:
            time.sleep(0.5)
            for name in names:
                report = report_of(name, GateVerdict.PASS)
                promote(store, home, name, report, "it passed", publishing)
                time.sleep(0.4)
            for _ in range(2):
                roll_back(store, home, "a drill", publishing)
                time.sleep(0.4)
        assert load.errors == []
        assert server.serving.failures == []
        assert len(load.answered) > 40
        if kind == "vllm":
            assert {"base", *names} <= set(load.answered)
            assert len(server.serving.adapters) <= 3
        assert store.promotions.deployed() == names[1]
        assert [stand.ready for stand in stands(publishing, names[1])] == [True]
        assert len(store.published.canaries()) == 4


RANK_4 = TrainSettings(weights=Weights(), rank=4)
LOAD = {"vllm": ("POST", "/v1/load_lora_adapter"), "sglang": ("POST", "/load_lora_adapter")}


@pytest.fixture
def tiny(tiny_model_dir: Path, tmp_path: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir), tmp_path)


@pytest.fixture
def start(tiny_model_dir: Path) -> Iterator[Callable[..., ModelServer]]:
    with ExitStack() as stack:

        def begin(kind: str = "vllm", max_rank: int = 16) -> ModelServer:
            serving = Serving(tiny_model_dir, "base", kind, max_rank=max_rank)  # type: ignore[arg-type]
            return stack.enter_context(serve(serving))

        yield begin


def publishing_at(
    home: Home, store: Store, *servers: ModelServer, max_rank: int = 16, path: str | None = None
) -> Publishing:
    config = override(
        Config(),
        model__endpoint_model="base",
        publish__kind=servers[0].serving.kind,
        publish__replicas=tuple(server.url for server in servers),
        publish__max_rank=max_rank,
        publish__server_path=path,
    )
    return make_publishing(config, home, store)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_every_replica_loads_it_and_lets_go_of_it(
    kind: str, start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    servers = start(kind), start(kind)
    rehearse(publishing_at(home, store, *servers), tiny, RANK_4, home.adapters)
    for server in servers:
        assert server.serving.asked.count(LOAD[kind]) == 1
        assert not server.serving.adapters
    assert not list(home.adapters.iterdir())
    assert not store.published.all(), "it was never meant to serve"


def test_a_rank_that_one_server_does_not_take_is_told_and_nothing_stays(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    servers = start(), start(max_rank=8)
    publishing = publishing_at(home, store, *servers, max_rank=32)  # which isn't true
    settings = TrainSettings(weights=Weights(), rank=16)
    with pytest.raises(PublishError, match="LoRA rank 16 is greater than max_lora_rank 8"):
        rehearse(publishing, tiny, settings, home.adapters)
    assert not servers[0].serving.adapters
    assert not list(home.adapters.iterdir())


def test_a_folder_that_the_server_does_not_see_is_told(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    publishing = publishing_at(home, store, start(), path="/mnt/not-here")
    with pytest.raises(PublishError, match=r"finds no adapter at /mnt/not-here/rehearsal-"):
        rehearse(publishing, tiny, RANK_4, home.adapters)


def test_what_a_killed_process_left_goes_first(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    server = start()
    publishing = publishing_at(home, store, server)
    left, unseen = (home.adapters / f"{PREFIX}{name}" for name in ("0000aaaa", "0000bbbb"))
    for folder in (left, unseen):
        write_blank(folder, tiny, RANK_4)
    publishing.publishers[0].load(left.name, left)
    rehearse(publishing, tiny, RANK_4, home.adapters)
    assert not server.serving.adapters
    assert not list(home.adapters.iterdir())


def test_a_server_that_goes_away_leaves_the_folder_for_the_next_time(
    start: Callable[..., ModelServer],
    tiny: LoadedModel,
    home: Home,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start()
    publishing = publishing_at(home, store, server)
    publisher = publishing.publishers[0]

    def away(name: str) -> None:
        raise EndpointError("can't reach it")

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "unload", away)
        with pytest.raises(EndpointError, match="can't reach it"):
            rehearse(publishing, tiny, RANK_4, home.adapters)
    assert [folder.name for folder in home.adapters.iterdir()] == list(server.serving.adapters)
    rehearse(publishing, tiny, RANK_4, home.adapters)
    assert not server.serving.adapters
    assert not list(home.adapters.iterdir())


def test_where_nothing_is_loaded_at_run_time_nothing_is_tried(
    tiny: LoadedModel, home: Home, store: Store
) -> None:
    publishing = make_publishing(Config(), home, store)
    rehearse(publishing, tiny, TrainSettings(weights=Weights(), rank=1024), home.adapters)
    assert not list(home.adapters.iterdir())
