"""A home, a model that says what a test wants, and the shipped snapshots as the judge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from ghostbust.config import Config, override
from ghostbust.home import Home
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Clock
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, first_prompts, split
from ghostbust.records import Prompt, Sample
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.loop.choosing import WRITTEN, one_ghost, things
from tests.loop.package_index import PackageIndex
from tests.loop.rounds import SAMPLING, copy_home, made_once, make_homes, round_config

Say = Callable[[Prompt], str]


class ScriptedSampler:
    """A model whose answers come from a function; an exception of it ends the sampling."""

    model = "made-up"
    chats = True

    def __init__(self, say: Say, adapter: str | None = None) -> None:
        self._say = say
        self.adapter = adapter
        self.asked: list[Prompt] = []
        self.open = 0
        """samplings begun and neither ended nor closed"""

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        self.open += 1
        try:
            for prompt in prompts:
                self.asked.append(prompt)
                for number in settings.numbers:
                    yield Sample(
                        prompt, self._say(prompt), self.model, self.adapter, settings.seed,
                        number, settings.temperature, False, 9,
                    )  # fmt: skip
        finally:
            self.open -= 1

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        return [text[:max_new_tokens] for text in texts]

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        return [message[:max_new_tokens] for message in messages]


MakeSampler = Callable[..., ScriptedSampler]


@pytest.fixture
def scripted() -> MakeSampler:
    """Makes a sampler from a function of the prompt."""
    return ScriptedSampler


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home.database) as store:
        yield store


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[PackageIndex]]:
    """The index that pip asks."""
    kind = type("Index", (PackageIndex,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield kind
        server.shutdown()


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with default_judge(Mode.SNAPSHOT) as judge:
        yield judge


@pytest.fixture
def tasks() -> list[Task]:
    """Forty tasks, each about things of its own."""
    text = "Collect the hourly readings of sensor{n} under mast{n} beside quay{n} and plot them."
    return [Task(f"task-{n}", text.format(n=n), "sensors") for n in range(40)]


@pytest.fixture(scope="session")
def sampler(talking_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalSampler:
    return LocalSampler.load(str(talking_model_dir), tmp_path_factory.mktemp("cache"))


@pytest.fixture
def config(talking_model_dir: Path) -> Config:
    return round_config(talking_model_dir)


@pytest.fixture(scope="session")
def round_homes(tmp_path_factory: pytest.TempPathFactory, talking_model_dir: Path) -> Path:
    """The folder of `rounds.make_homes`, one for all processes of the test run."""
    return made_once(
        tmp_path_factory, "round-homes", lambda folder: make_homes(folder, talking_model_dir)
    )


class InState(Protocol):
    """Opens a copy of a home in which a round was cut off, with settings changed."""

    def __call__(self, state: str, *, clock: Clock | None = None, **changed: Any) -> Session: ...


@pytest.fixture
def in_state(
    round_homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InState]:
    """Opens a session in the state `swept`, or one of `rounds.STOPS`."""
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    with ExitStack() as sessions:

        def open_(state: str, *, clock: Clock | None = None, **changed: object) -> Session:
            home = copy_home(round_homes, state, tmp_path / "home")
            config = override(round_config(round_homes / "model"), **changed)
            return sessions.enter_context(open_session(home, config, purpose="test", clock=clock))

        yield open_


@pytest.fixture
def session(
    home: Home, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    with open_session(home, config, purpose="test") as session:
        yield session


@pytest.fixture
def swept(session: Session, sampler: LocalSampler, tasks: list[Task]) -> Watched:
    """Both sides of the split were asked and logged."""
    watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
    return watcher.tasks(tasks, RunKind.SWEEP)


@pytest.fixture
def before(session: Session, sampler: LocalSampler, tasks: list[Task]) -> Watched:
    """The base on the held-out tasks."""
    _, holdout = split(tasks, session.config.prompts.holdout_share)
    settings = replace(SAMPLING, seed=2)
    return Watcher(session.store, sampler, session.judge, settings).tasks(holdout, RunKind.GATE)


@pytest.fixture
def fluent(scripted: MakeSampler) -> ScriptedSampler:
    """Rewrites every task well, by each operator in other words."""
    return scripted(lambda prompt: WRITTEN[str(prompt.operator)].format(it=things(prompt)))


@pytest.fixture
def watcher(store: Store, judge: Judge, scripted: MakeSampler) -> Watcher:
    """Asks a model that invents a name in every answer."""
    return Watcher(store, scripted(one_ghost), judge, SamplingSettings())


@pytest.fixture
def elicited(store: Store, watcher: Watcher, tasks: list[Task]) -> Store:
    """The store after a sweep in which each prompt of the tasks elicited a name of its own."""
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    return store
