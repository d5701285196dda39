"""`ghostbust check` and `hook` of versions that a real package lacks, asked of real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli.hook_agents import ToolEvent
from ghostbust.cli.hook_ruling import HookRules, rule
from ghostbust.cli.judging import Vouching
from ghostbust.registries.judge import Mode

if TYPE_CHECKING:
    from tests.cli.conftest import FakeRegistries, Run


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["requests==99.9.9"], 1),
        (["requests==2.31.0"], 0),
        (["requests>=2"], 0),
        (["left-pad@9.9.9@npm"], 1),
        (["left-pad@1.3.0@npm"], 0),
        (["pkg:npm/left-pad@9.9.9"], 1),
        (["pkg:pypi/requests@2.32.5"], 0),
        (["--command", "pip install 'requests>=99'"], 1),
        (["--command", "npm install left-pad@9.9.9"], 1),
        (["--command", "npm install left-pad@latest"], 0),
        (["--command", "cargo add serde@99"], 1),
        (["--command", "cargo add serde@1"], 0),
        (["pkg:cargo/serde_json@1.0.1"], 0),
        (["--command", "npm install left-pad@^1.2"], 0),
        (["--command", "pip install -i https://own.example.test requests==99.9.9"], 0),
        (["requests==99.9.9", "--registry", "snapshot"], 0),  # which holds no versions
    ],
)
def test_exit_codes(registries: FakeRegistries, run: Run, arguments: list[str], code: int) -> None:
    result = run("check", *arguments)
    assert (result.exit_code, result.stderr.strip()) == (code, ""), result.output


def test_it_is_real_and_a_finding(registries: FakeRegistries, run: Run) -> None:
    Path("requirements.txt").write_text("requests==99.9.9\nrequests\n")
    Path("package.json").write_text('{"dependencies": {"left-pad": "9.9.9"}}')
    Path("README.md").write_text("Then `pip install requests==99.9.9`.\n")  # of a release to come
    found = json.loads(run("check", ".", "--json").stdout)
    results = {one["name"]: one for one in found["results"]}
    assert {(name, one["verdict"], one["reason"]) for name, one in results.items()} == {
        ("left-pad", "REAL", "version-absent"), ("requests", "REAL", "version-absent"),
    }  # fmt: skip
    assert "no version ==99.9.9, the newest is 2.32.5" in results["requests"]["evidence"]
    assert (found["without_version"], found["invented"]) == (2, 0)
    places = run("check", ".").stdout.splitlines()
    assert [line.partition(" ")[0] for line in places[:2]] == [
        "package.json:1:20:", "requirements.txt:1:1:",
    ]  # fmt: skip
    log = json.loads(run("check", ".", "--format", "sarif").stdout)
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["real/version-absent"] * 2


def test_nobody_to_ask_says_nothing_of_versions(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    result = run("check", "requests==99.9.9")
    assert result.exit_code == 0
    assert "wasn't answered" in " ".join(result.stdout.split())


def test_links_that_pip_takes_versions_from_as_well_leave_it_open(
    registries: FakeRegistries, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/wheels")
    assert run("check", "requests==99.9.9").exit_code == 0


@pytest.mark.parametrize(
    ("command", "decision"),
    [
        ("pip install requests==99.9.9", "deny"),
        ("pip install requests==2.31.0", "allow"),
        ("npm i left-pad@9.9.9", "deny"),
        ("cargo add serde@99", "deny"),
        ("cargo add serde@1.0", "allow"),
        ("uv add 'requests>=2.31,<3'", "allow"),
    ],
)
def test_the_hook_denies_it(
    registries: FakeRegistries, tmp_path: Path, command: str, decision: str
) -> None:
    event = ToolEvent("", [command])
    ruling = rule(event, HookRules(Mode.AUTO, None, tmp_path / "none", Vouching()))
    assert ruling.decision == decision, ruling.reason
