"""The reference server with the real model: a canary passes a sound adapter, not a broken one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ghostbust.config import Config, override
from ghostbust.errors import CanaryError
from ghostbust.home import Home
from ghostbust.loop.publish import bring_up, make_publishing
from ghostbust.store.store import Store

ROOT = Path(__file__).parents[2]


def test_it_runs_as_a_program_and_answers_as_vllm_does(tiny_model_dir: Path) -> None:
    command = [sys.executable, "-m", "tests.lab.model_server", str(tiny_model_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                (card,) = client.get("/v1/models").json()["data"]
                assert card["id"] == "base"
                body = {"model": "base", "messages": [{"role": "user", "content": "hi"}], "seed": 3}
                first, again = (client.post("/v1/chat/completions", json=body) for _ in range(2))
                assert first.status_code == 200
                assert first.json()["choices"] == again.json()["choices"]
                lost = client.post("/v1/completions", json={"model": "no", "prompt": "a"})
                assert (lost.status_code, lost.json()["error"]["type"]) == (404, "NotFoundError")
                unknown = client.post("/v1/unload_lora_adapter", json={"lora_name": "no"})
                assert unknown.status_code == 404
                half = client.post("/v1/load_lora_adapter", json={"lora_name": "no"})
                assert (half.status_code, half.json()["error"]["type"]) == (400, "Bad Request")
                empty = client.post(
                    "/v1/load_lora_adapter", json={"lora_name": "", "lora_path": "/x"}
                )
                assert (empty.status_code, empty.json()["error"]["type"]) == (
                    400, "InvalidUserInput",
                )  # fmt: skip
                assert lost.json()["error"]["param"] == "model"
                assert "Valid aliases: base." in lost.json()["error"]["message"]
        finally:
            server.terminate()


@pytest.mark.slow
def test_the_real_models_canary(
    embedded_model_dir: Path, make_lora: Callable[..., Path], tmp_path: Path
) -> None:
    """Random weights, small ones and large ones, in the place of a trained adapter's."""
    from tests.lab.model_server import Serving, serve

    home = Home.open(tmp_path / "home")
    sound = make_lora(home.adapters / "round-0001-aa", embedded_model_dir, size=0.005, rank=8)
    broken = make_lora(home.adapters / "round-0002-bb", embedded_model_dir, size=1.0, rank=8)
    with (
        serve(Serving(embedded_model_dir, "smollm2")) as server,
        Store.open(home.database) as store,
    ):
        config = override(
            Config(), model__endpoint=server.url, publish__kind="vllm", canary__forget=2,
            canary__general=2, sampling__max_new_tokens=16, registry__mode="snapshot",
            canary__rate=1e9, canary__slower=9, publish__timeout_s=600,
        )  # fmt: skip
        publishing = make_publishing(config, home, store)
        (canary,) = bring_up(publishing, store, sound.name, sound)
        assert canary.passed
        with pytest.raises(CanaryError) as caught:
            bring_up(publishing, store, broken.name, broken)
        assert "general answers share" in str(caught.value)
        assert set(server.serving.adapters) == {sound.name}
