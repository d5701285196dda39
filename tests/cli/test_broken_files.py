"""Files from outside that no parser can read: one line and exit code 2, whatever reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.store.store import Store
from tests.cli.reading import one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run

DEEP_JSON, DEEP_TOML = '{"a":' * 100_000, "a = " + "[" * 100_000
BROKEN = {
    "deep": DEEP_JSON,
    "many digits": '{"id": ' + "1" * 5000 + "}",
    "half a character": '{"task": "\\ud83d"}',
}


@pytest.fixture
def said(run: Run, home: Path) -> Callable[..., str]:
    """What a command says that can't read a file: one line."""
    Store.open(Home.open(home).database).close()

    def invoke(*command: object) -> str:
        return one_line(run(*command))

    return invoke


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "command",
    [
        ("prompts", "add", "--file"),
        ("sweep", "--limit", "1", "--prompts"),
        ("eval", "--limit", "1", "--suite", "libhallubench="),
        ("eval", "--limit", "1", "--suite", "packagehallucination="),
    ],
    ids=" ".join,
)
def test_lines_of_json(
    text: str, command: tuple[str, ...], said: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text(f"{text}\n", "utf-8")
    *words, last = command
    where = [f"{last}{file}"] if last.endswith("=") else [last, file]
    assert f"{file}, line 1: not valid JSON (" in said(*words, *where)


@pytest.mark.parametrize("text", [DEEP_TOML, "a = " + "1" * 5000], ids=["deep", "many digits"])
def test_settings(text: str, said: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "ghostbust.toml"
    file.write_text(text, "utf-8")
    assert f"{file} isn't valid TOML: " in said("jobs", "list", "--config", file)


def test_settings_in_the_environment(
    said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTBUST_PROMPTS__FILES", "[" * 50_000)
    assert "GHOSTBUST_PROMPTS__FILES: should be a JSON list" in said("jobs", "list")


@pytest.mark.parametrize("text", [DEEP_JSON, '{"adapter": 1, "path": 2}'])
def test_the_pointer_to_what_serves(text: str, said: Callable[..., str], home: Path) -> None:
    (home / "deployed.json").write_text(text, "utf-8")
    assert "deployed.json" in said("names", "list")


def test_a_snapshots_manifest(said: Callable[..., str], home: Path) -> None:
    (home / "registry").mkdir()
    (home / "registry" / "registry-pypi.json").write_text(DEEP_JSON, "utf-8")
    told = said("check", "requests", "--registry", "snapshot")
    assert "registry-pypi.json: it can't be read (it is nested too deeply)" in told
