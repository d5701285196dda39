"""A light install: without the libraries of the extra ``local``, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ghostbust.extras import LOCAL
from tests.cli.loopback import ModelServer

ROOT = Path(__file__).parents[1]
ANSWER = "```sh\npip install requests zz-quux-sensorlib\n```"

Light = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which no process can import what the extra brings, nor what comes with that."""
    blocked = (*LOCAL, "tokenizers")
    text = f"import sys\nsys.modules.update(dict.fromkeys({blocked}))\n"
    (tmp_path / "sitecustomize.py").write_text(text, "utf-8")
    return os.environ | {
        "PYTHONPATH": str(tmp_path), "GHOSTBUST_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path), "GHOSTBUST_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip


@pytest.fixture
def light(tmp_path: Path, environment: dict[str, str]) -> Light:
    """Runs a command there."""

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ghostbust", *args],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model server whose every answer names a real and an invented package."""
    made = ModelServer()
    said = {"message": {"content": ANSWER}, "finish_reason": "stop"}
    usage = {"completion_tokens": 9}
    made.pages["/v1/chat/completions"] = (200, {"choices": [said], "usage": usage})
    with made.serving():
        yield made


def test_the_extra_is_what_is_looked_for() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    local = [Requirement(line).name for line in extra["optional-dependencies"]["local"]]
    assert {name.replace("-", "_") for name in local} == set(LOCAL)
    assert not {Requirement(line).name for line in extra["dependencies"]} & set(local)


def test_what_needs_no_model_works(tmp_path: Path, light: Light) -> None:
    (tmp_path / "answer.md").write_text(ANSWER, "utf-8")
    row = {"prompt": "Read a sensor.", "completion": ANSWER}
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    for code, *args in (
        (1, "check", "requests", "zz-quux-sensorlib", "--registry", "snapshot"),
        (0, "extract", "answer.md"),
        (0, "ingest", "log.jsonl", "--registry", "snapshot"),
        (0, "report"),
        (0, "dashboard", "--plain"),
        (0, "names", "list"),
        (0, "prompts", "list"),
        (0, "adapters", "list"),
        (0, "registry", "status"),
        (0, "export", "ledger", "--out", "ledger.jsonl", "--format", "jsonl"),
    ):
        ended = light(*args)
        assert ended.returncode == code, f"{args}: {ended.stderr}"
    assert light("names", "list", "--json").stdout.count("zz-") == 1


def test_a_server_is_swept_and_watched(tmp_path: Path, light: Light, server: ModelServer) -> None:
    (tmp_path / "home").mkdir()
    model = f'[model]\nname = "coder"\nendpoint = "{server.url}"\n'
    settings = model + '[registry]\nmode = "snapshot"\n'
    (tmp_path / "home" / "ghostbust.toml").write_text(settings, "utf-8")
    swept = light("sweep", "--limit", "3", "--samples", "1", "--json")
    assert swept.returncode == 0, swept.stderr
    assert json.loads(swept.stdout)["rate"] == 0.5
    watched = light("jobs", "run", "watch")
    assert watched.returncode == 0, watched.stderr
    assert light("jobs", "list").returncode == 0


def test_the_daemon_begins_and_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "home").mkdir()
    settings = '[model]\nname = "coder"\nendpoint = "http://127.0.0.1:9/v1"\n'
    (tmp_path / "home" / "ghostbust.toml").write_text(settings, "utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "ghostbust", "daemon"],
        env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 0, first + rest
    assert "import" not in first + rest


@pytest.mark.parametrize(
    "args",
    [
        ("sweep",), ("round",), ("demo",), ("eval",), ("bench", "unlearners"),
        ("bench", "continual"),
    ],
)  # fmt: skip
def test_what_needs_a_model_here_says_what_to_type(light: Light, args: tuple[str, ...]) -> None:
    ended = light(*args)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1].endswith(": pip install 'ghostbust[local]'")
