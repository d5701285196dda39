"""``ghostbust guard`` as its user meets it, in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ghostbust import http
from tests.cli.reading import Run, document
from tests.guard.upstream import Upstream, serving, texts_of

CHAT = {"messages": [{"role": "user", "content": "Read it."}]}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def guarding(home: Path, upstream: str, *options: str) -> Iterator[http.Client]:
    """A client of the command, which is ended by SIGTERM and must end with 0."""
    port = free_port()
    command = [
        sys.executable, "-m", "ghostbust", "guard", "serve", "--upstream", upstream,
        "--port", str(port), "--home", str(home), *options,
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert f"guard: 127.0.0.1:{port} stands before" in process.stderr.readline()
            with http.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, process.stderr.read()


@pytest.fixture
def upstream() -> Upstream:
    made = Upstream()
    made.says("```sh\n", "pip install zz-quux-sensorlib\n", "```\n")
    return made


def test_it_guards_and_logs(tmp_path: Path, upstream: Upstream, run: Run) -> None:
    path = tmp_path / "guard.jsonl"
    with (
        serving(upstream.app) as url,
        guarding(tmp_path / "home", url, "--action", "annotate", "--log", str(path)) as client,
    ):
        said = texts_of(client.post("/v1/chat/completions", json=CHAT).content)[0]
    assert "# ghostbust: zz-quux-sensorlib is not on PyPI" in said
    done = run("ingest", path, "--registry", "snapshot", "--reveal")
    assert "zz-quux-sensorlib" in done.output


def test_without_sound_snapshots_answers_pass_or_nothing_starts(
    tmp_path: Path, upstream: Upstream, run: Run
) -> None:
    folder = tmp_path / "home" / "registry"
    folder.mkdir(parents=True)
    (folder / "registry-pypi.json").write_bytes(b"no manifest")
    with serving(upstream.app) as url, guarding(tmp_path / "home", url) as client:
        got = client.post("/v1/chat/completions", json=CHAT)
        assert got.content == b"".join(upstream.chunks)
    closed = run(
        "guard", "serve", "--upstream", "http://127.0.0.1:9", "--on-error", "closed",
        "--home", tmp_path / "home",
    )  # fmt: skip
    assert closed.exit_code == 2
    assert len(closed.stderr.splitlines()) == 1


def test_what_is_wrong_is_one_line(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        there = ("--upstream", "http://127.0.0.1:9")
        for options, said in (
            ((), "which server? give --upstream URL, or set guard.upstream"),
            (("--upstream", "localhost:80"), "must start with http:// or https://"),
            ((*there, "--log", tmp_path), "can't write the log"),
            ((*there, "--port", port), f"can't listen on 127.0.0.1:{port}"),
        ):
            done = run("guard", "serve", *options)
            assert done.exit_code == 2
            assert said in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    done = run("guard", "serve", "--upstream", "http://127.0.0.1:9")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        2, "ghostbust: ghostbust guard serve needs more libraries: pip install 'ghostbust[guard]'",
    )  # fmt: skip


def test_bench_sets_the_guard_beside_the_base(
    run: Run, talking_model_dir: Path, home: Path
) -> None:
    asked = ("--model", talking_model_dir, "--limit", 4, "--turns", 2, "--rows", 4)
    told = document(run("guard", "bench", *asked, "--json"))
    base, guarded = told["sides"]
    assert (told["prompts"], told["answers"]) == (8, 16)
    assert len(told["base_ms"]) == len(told["guard_ms"]) == 2
    assert told["ratio"] > 0
    assert base["invented"] > guarded["invented"]
    assert guarded["in install lines"] == 0
    assert 0 <= told["clean_unchanged"] <= told["unchanged"] < told["answers"]
    assert told["clean_unchanged"] <= told["clean"] < told["answers"]
    assert not (home / "ghostbust.db").exists()
