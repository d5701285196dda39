"""A steady load: at its rate whatever the server does, each error kept, by what the file names."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.bench.model_server import ModelServer, serve
from ghostbust.bench.serving import Serving
from ghostbust.loop.trial.clients import Clients


@pytest.fixture(scope="module")
def server(talking_model_dir: Path) -> Iterator[ModelServer]:
    with serve(Serving(talking_model_dir, "base")) as server:
        yield server


def clients(server: ModelServer, pointer: Path, timeout_s: float = 30) -> Clients:
    return Clients(f"{server.url}/v1", pointer, "base", per_s=20, tokens=4, timeout_s=timeout_s)


def test_they_ask_at_their_rate_for_what_the_file_names(
    server: ModelServer, tmp_path: Path
) -> None:
    pointer = tmp_path / "serving.json"
    with clients(server, pointer) as asked:
        time.sleep(1)
        pointer.write_text(json.dumps({"model": "gone"}))
        time.sleep(1)
    assert set(asked.heard) == {"base", "gone"}
    assert asked.heard["base"].errors == []
    answered, failed = len(asked.heard["base"].waits), len(asked.heard["gone"].errors)
    assert answered + failed == asked.asked
    assert asked.asked <= 20 * asked.wall_s + 1, "no more than is due, however fast it answers"
    assert asked.share > 0.3, "a busy machine begins fewer, not hardly any"
    assert asked.heard["gone"].waits == []
    assert asked.heard["gone"].errors[0].startswith("404")


def test_an_answer_that_takes_too_long_is_an_error(server: ModelServer, tmp_path: Path) -> None:
    server.serving.slow[""] = 0.5  # of the base
    with clients(server, tmp_path / "none", timeout_s=0.2) as asked:
        time.sleep(0.4)
    server.serving.slow.clear()
    assert asked.heard["base"].waits == []
    assert "ReadTimeout" in asked.heard["base"].errors[0]
