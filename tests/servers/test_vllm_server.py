"""vLLM itself with SmolLM2, where it is installed: sweeps, `doctor`, adapters, its refusals.

Wanted is the program ``vllm`` on the PATH; docs/guides/serving.md says how one that needs no GPU
can be had. It takes minutes to start.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ghostbust.config import Config, override
from ghostbust.errors import CanaryError, EndpointError, ModelError, PublishError
from ghostbust.home import Home
from ghostbust.loop.build import make_endpoint
from ghostbust.loop.publish import (
    bring_up,
    flip,
    make_publishing,
    rehearse,
    restore,
    stands,
    unpublish,
)
from ghostbust.models.load import load_model
from ghostbust.publishers.control import Control
from ghostbust.publishers.vllm import VllmPublisher
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.store import Store
from ghostbust.unlearners.settings import TrainSettings, Weights
from tests.servers.conftest import free_port, ghostbust, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("vllm") is None, reason="no vllm on the PATH"),
]

START_S = 1200.0
"""longest start; most of it is the import of torch, three times"""
BASE = "smollm2"
ONE, TWO, HIGH, SAME, LOUD = (f"round-{n:04}-aa" for n in range(1, 6))
RANK = 16
"""the server's ``--max-lora-rank``"""


@dataclass(frozen=True)
class Vllm:
    """The server, and the home whose adapters it can read."""

    url: str
    """with its ``/v1``"""
    home: Home

    def folder(self, name: str) -> Path:
        return self.home.adapters / name

    def publisher(self, **options: object) -> VllmPublisher:
        return VllmPublisher(
            Control(self.url, timeout_s=600),
            base=BASE,
            **options,  # type: ignore[arg-type]
        )


@contextmanager
def served(model: Path, work: Path, *more: str, **environment: str) -> Iterator[str]:
    """vLLM with the model, from when it answers on; its address, without ``/v1``."""
    port = str(free_port())
    command = [
        "vllm", "serve", str(model), "--host", "127.0.0.1", "--port", port,
        "--served-model-name", BASE, "--max-model-len", "1024", "--dtype", "float32",
        "--enforce-eager", *more,
    ]  # fmt: skip
    environment = os.environ | environment | {
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    environment.pop("PYTHONPATH", None)  # its own Python may be another one
    url = f"http://127.0.0.1:{port}"
    with running(command, work, f"{url}/health", start_s=START_S, environment=environment):
        yield url


@pytest.fixture(scope="module")
def vllm(
    embedded_model_dir: Path,
    make_lora: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Vllm]:
    work = tmp_path_factory.mktemp("vllm")
    home = Home.open(work / "home")
    for name, size, rank, seed in (
        (ONE, 0.05, 8, 1), (TWO, 0.05, 8, 2), (HIGH, 0.05, 32, 3), (SAME, 0, 8, 4), (LOUD, 2, 8, 5),
    ):  # fmt: skip
        make_lora(home.adapters / name, embedded_model_dir, size=size, rank=rank, seed=seed)
    options = (
        "--enable-lora", "--max-lora-rank", str(RANK), "--max-loras", "2", "--max-cpu-loras", "4",
    )  # fmt: skip
    updating = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}
    with served(embedded_model_dir, work, *options, **updating) as url:
        yield Vllm(f"{url}/v1", home)


@pytest.fixture(autouse=True)
def emptied(vllm: Vllm) -> Iterator[None]:
    """Nothing is loaded after a test, as before it."""
    yield
    publisher = vllm.publisher()
    for name in publisher.loaded():
        publisher.unload(name)
    assert publisher.loaded() == frozenset()


def config_of(vllm: Vllm, **options: object) -> Config:
    told: dict[str, object] = {
        "model__endpoint": vllm.url, "model__name": BASE, "registry__mode": "snapshot",
        "publish__kind": "vllm", "publish__timeout_s": 600, "sampling__max_new_tokens": 16,
        "canary__forget": 2, "canary__general": 2, "canary__rate": 1e9, "canary__volume": 0.0,
        "canary__overlap": 0.0, "canary__slower": 50, "canary__empty": 0.99,
    }  # fmt: skip
    return override(Config(), **(told | options))


def ask(vllm: Vllm, model: str, path: str = "/completions", **fields: object) -> httpx.Response:
    body = {
        "model": model, "prompt": "To parse YAML in Python, use", "max_tokens": 6,
        "temperature": 0, "logprobs": 0,
    }  # fmt: skip
    return httpx.post(f"{vllm.url}{path}", json=body | fields, trust_env=False, timeout=300)


def likelihoods(vllm: Vllm, model: str) -> list[float]:
    """Natural logarithms of the probabilities of the greedy tokens."""
    found = ask(vllm, model).json()["choices"][0]["logprobs"]["token_logprobs"]
    return [float(each) for each in found]


def post(vllm: Vllm, path: str, **body: object) -> tuple[int, str, str]:
    """Status, type and message of the server's answer; type is empty where it did as asked."""
    answer = httpx.post(f"{vllm.url}{path}", json=body, trust_env=False, timeout=300)
    if answer.status_code == 200:
        return 200, "", answer.text
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["type"], error["message"]


def test_a_sweep_and_a_look_by_doctor(vllm: Vllm, tmp_path: Path) -> None:
    (tmp_path / "ghostbust.toml").write_text(
        f'model = {{endpoint = "{vllm.url}", endpoint_model = "{BASE}"}}\n'
        'registry = {mode = "snapshot"}\npublish = {kind = "vllm"}\n'
        "sampling = {max_new_tokens = 16}\n"
    )
    swept = ghostbust("sweep", "--limit", "1", "--samples", "1", "--quiet", home=tmp_path)
    assert swept.returncode in (0, 1), swept.stderr
    with Store.open(tmp_path / "ghostbust.db", read_only=True) as store:
        samples = [answer.sample for answer in store.answers.read()]
    assert len(samples) == 3, "a task in three contexts"
    assert all(sample.text.strip() and sample.tokens for sample in samples)
    looked = ghostbust("doctor", "--json", home=tmp_path)
    checks = {row["check"]: row for row in json.loads(looked.stdout)["checks"]}
    about = [row for row in checks.values() if vllm.url[7:-3] in str(row)]
    assert about, checks
    assert all(row["level"] == "OK" for row in about), about


def test_limits_are_asked_before_training(vllm: Vllm) -> None:
    targets = frozenset({"q_proj", "gate_proj"})
    vllm.publisher(max_rank=RANK).check(RANK, targets)
    with pytest.raises(PublishError, match="takes ranks up to 16, not 20"):
        vllm.publisher(max_rank=RANK).check(20, targets)
    with pytest.raises(PublishError, match="serves no model 'other'"):
        VllmPublisher(Control(vllm.url), base="other").check(8, targets)
    assert vllm.publisher().loaded() == frozenset(), "asking loads nothing"


def test_a_rehearsal_shows_the_rank_that_it_does_not_tell(
    vllm: Vllm, embedded_model_dir: Path, tmp_path: Path
) -> None:
    loaded = load_model(str(embedded_model_dir), tmp_path)
    before = set(vllm.home.adapters.iterdir())
    with Store.open(vllm.home.database) as store:
        publishing = make_publishing(config_of(vllm, publish__max_rank=32), vllm.home, store)
        rehearse(
            publishing, loaded, TrainSettings(weights=Weights(), rank=RANK), vllm.home.adapters
        )
        with pytest.raises(PublishError, match="LoRA rank 32 is greater than max_lora_rank 16"):
            rehearse(
                publishing, loaded, TrainSettings(weights=Weights(), rank=32), vllm.home.adapters
            )
    assert vllm.publisher().loaded() == frozenset()
    assert set(vllm.home.adapters.iterdir()) == before
    assert ask(vllm, BASE).status_code == 200


def test_an_adapter_is_loaded_tried_flipped_and_unloaded(vllm: Vllm) -> None:
    with Store.open(vllm.home.database) as store:
        publishing = make_publishing(config_of(vllm), vllm.home, store)
        publisher = publishing.publishers[0]
        base = likelihoods(vllm, BASE)
        (canary,) = bring_up(publishing, store, ONE, vllm.folder(ONE))
        assert canary.passed, canary.reason
        assert publisher.loaded() == {ONE}
        one = likelihoods(vllm, ONE)
        assert one != base
        flip(publishing, ONE, None)
        pointer = json.loads(vllm.home.serving.read_text())
        assert ask(vllm, pointer["model"]).json()["model"] == ONE
        assert [stand.ready for stand in stands(publishing, ONE)] == [True]

        bring_up(publishing, store, TWO, vllm.folder(TWO))
        flip(publishing, TWO, ONE)
        assert likelihoods(vllm, TWO) not in (base, one)
        assert likelihoods(vllm, ONE) == one, "what served before stays"
        assert likelihoods(vllm, BASE) == base
        flip(publishing, None, TWO)
        assert json.loads(vllm.home.serving.read_text())["model"] == BASE
        for name in (ONE, TWO, ONE):
            unpublish(publishing, store, name)
        assert publisher.loaded() == frozenset()
        assert ask(vllm, ONE).status_code == 404
        assert restore(publishing, store, (TWO, vllm.folder(TWO))) == []
        assert publisher.ready(TWO)


def test_the_canary_stops_what_must_not_serve(vllm: Vllm) -> None:
    """One that changes nothing, as if it weren't applied; and one that makes gibberish."""
    with Store.open(vllm.home.database) as store:
        config = config_of(vllm, canary__overlap=Config().canary.overlap)
        publishing = make_publishing(config, vllm.home, store)
        for name, said in ((SAME, "doesn't apply the adapter"), (LOUD, "general answers share")):
            with pytest.raises(CanaryError, match=said):
                bring_up(publishing, store, name, vllm.folder(name))
            assert vllm.publisher().loaded() == frozenset(), "unloaded again"


def test_the_sampler_asks_for_an_adapter_by_its_name(vllm: Vllm) -> None:
    vllm.publisher().load(ONE, vllm.folder(ONE))
    prompts = [Prompt("Which packages parse YAML?", Context.CODE, Ecosystem.PYPI, family="f")]
    settings = SamplingSettings(temperature=0.8, max_new_tokens=12, samples_per_prompt=2, seed=7)

    def texts(name: str | None) -> list[str]:
        sampler = make_endpoint(config_of(vllm), name)
        sampler.check()
        return sorted(sample.text for sample in sampler.sample(prompts, settings))

    base, adapted = texts(None), texts(ONE)
    assert base == texts(None), "the seed is honoured"
    assert adapted != base
    with pytest.raises(EndpointError, match=f"has no model '{TWO}'"):
        make_endpoint(config_of(vllm), TWO).check()


def test_its_refusals(vllm: Vllm, tmp_path: Path) -> None:
    """What the reference server has to say alike; tests/publishers/test_vllm.py."""
    load, unload = "/load_lora_adapter", "/unload_lora_adapter"
    folder = str(vllm.folder(ONE))
    bad = "InvalidUserInput"
    assert post(vllm, load)[:2] == (400, "Bad Request")
    assert post(vllm, load, lora_name="", lora_path="")[:2] == (400, bad)
    assert post(vllm, load, lora_name=BASE, lora_path=folder)[:2] == (400, bad)
    assert post(vllm, load, lora_name=ONE, lora_path=folder)[0] == 200
    status, kind, said = post(vllm, load, lora_name=ONE, lora_path=folder)
    assert (status, kind) == (400, bad)
    assert "has already been loaded" in said
    status, kind, said = post(vllm, load, lora_name="x", lora_path="/nowhere/at/all")
    assert (status, kind) == (404, "NotFoundError")
    assert "No adapter found for" in said
    (tmp_path / "adapter_config.json").write_text("{")
    assert post(vllm, load, lora_name="x", lora_path=str(tmp_path))[0] == 500
    status, kind, said = post(vllm, load, lora_name="x", lora_path=str(vllm.folder(HIGH)))
    assert (status, kind) == (500, "InternalServerError")
    assert "LoRA rank 32 is greater than max_lora_rank 16" in said
    assert post(vllm, unload)[:2] == (400, "Bad Request")
    assert post(vllm, unload, lora_name="x")[:2] == (404, "NotFoundError")
    status, kind, said = post(vllm, "/completions", model="x", prompt="a")
    assert (status, kind) == (404, "NotFoundError")
    assert "`x` does not exist" in said
    listed = httpx.get(f"{vllm.url}/models", trust_env=False, timeout=30).json()["data"]
    assert [(row["id"], row["parent"]) for row in listed] == [(BASE, None), (ONE, BASE)]
    assert listed[1]["root"] == folder


def test_the_publisher_passes_refusals_on(vllm: Vllm, tmp_path: Path) -> None:
    publisher = vllm.publisher(max_rank=32)  # more than the server has
    with pytest.raises(PublishError, match="LoRA rank 32 is greater than max_lora_rank 16"):
        publisher.load(HIGH, vllm.folder(HIGH))
    with pytest.raises(ModelError, match="its rank 32 is over 16"):
        vllm.publisher(max_rank=16).load(HIGH, vllm.folder(HIGH))
    with pytest.raises(PublishError, match=f"finds no adapter at /elsewhere/{ONE}"):
        vllm.publisher(server_path="/elsewhere").load(ONE, vllm.folder(ONE))
    for _ in range(2):
        publisher.load(ONE, vllm.folder(ONE))
    other = shutil.copytree(vllm.folder(ONE), tmp_path / ONE)
    with pytest.raises(PublishError, match="another adapter under the name"):
        publisher.load(ONE, other)
    for _ in range(2):
        publisher.unload(ONE)
    assert not publisher.ready(ONE)
    assert publisher.ready(None)
