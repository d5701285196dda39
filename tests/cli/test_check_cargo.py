"""`ghostbust check` and `hook` of crates, by a sparse index on the loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli.hook_agents import FileWrite, ToolEvent
from ghostbust.cli.hook_ruling import HookRules, rule
from ghostbust.cli.judging import Vouching
from ghostbust.registries.judge import Mode
from ghostbust.registries.snapshot import Snapshot

if TYPE_CHECKING:
    from tests.cli.conftest import FakeRegistries, Run

BAD = "zz_no_such_crate"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["serde@cargo"], 0),
        (["Serde-JSON@cargo"], 0),  # registered as serde_json
        (["pkg:cargo/serde_json"], 0),
        ([f"{BAD}@cargo"], 1),
        (["9bad@cargo"], 1),  # no crate may begin with a digit
        (["std@cargo"], 0),
        (["--command", f"cargo add serde {BAD}"], 1),
        (["--command", "cargo install --locked serde"], 0),
        (["--command", f"cargo add {BAD} --registry corp"], 3),
        (["--command", "cargo add --path ../x x"], 4),
        ([f"{BAD}@cargo", "--registry", "snapshot"], 3),  # there is none
    ],
)
def test_exit_codes(registries: FakeRegistries, run: Run, arguments: list[str], code: int) -> None:
    assert registries.crates
    result = run("check", *arguments)
    assert result.exit_code == code, result.output


def test_a_checkout(registries: FakeRegistries, run: Run) -> None:
    Path("Cargo.toml").write_text(
        f'[package]\nname = "mine"\n[dependencies]\nserde = "99"\n{BAD} = "1"\n'
        'own = { path = "own" }\nforked = { git = "https://git.example.test/forked" }\n'
        'json = { package = "serde_json", version = "1" }\n'
    )
    Path("Cargo.lock").write_text(
        'version = 4\n[[package]]\nname = "mine"\nversion = "0.1.0"\n'
        '[[package]]\nname = "serde"\nversion = "1.0.0"\n'
        'source = "registry+https://git.example.test/rust-lang/crates-index"\n'
        '[[package]]\nname = "forked"\nversion = "1.0.0"\n'
        'source = "git+https://git.example.test/forked#0123"\n'
    )
    found = json.loads(run("check", ".", "--json").stdout)
    assert {(one["name"], one["reason"]) for one in found["results"]} == {
        ("serde", "version-absent"), ("zz-no-such-crate", "not-registered"),
        ("serde-json", "registered"), ("forked", "elsewhere"),
    }  # fmt: skip
    purls = {one["name"]: one["purl"] for one in found["results"]}
    assert purls["serde-json"] == "pkg:cargo/serde_json"


def test_an_index_that_cant_be_asked_leaves_crates_unknown_and_says_what_to_set(
    registries: FakeRegistries, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARGO_REGISTRIES_FAKE_INDEX", "https://git.example.test/index")
    result = run("check", "serde@cargo", "requests")
    assert result.exit_code == 3
    assert "sparse+" in result.stdout
    assert not registries.asked


@pytest.mark.parametrize(
    ("path", "content", "decision"),
    [
        ("Cargo.toml", f'[dependencies]\n{BAD} = "1"\n', "deny"),
        ("Cargo.toml", '[dependencies]\nserde = { version = "1", features = ["derive"] }', "allow"),
        ("crates/a/Cargo.toml", '[workspace.dependencies]\nserde = "99"\n', "deny"),
    ],
)
def test_the_hook_reads_manifests(
    registries: FakeRegistries, tmp_path: Path, path: str, content: str, decision: str
) -> None:
    assert registries.crates
    event = ToolEvent("", [], [FileWrite(path, content)])
    ruling = rule(event, HookRules(Mode.AUTO, None, tmp_path / "none", Vouching()))
    assert ruling.decision == decision, ruling.reason


def test_a_synced_snapshot_answers_without_asking(
    registries: FakeRegistries, run: Run, home: Path
) -> None:
    address = registries.settings["PIP_INDEX_URL"].replace("/simple", "/archive.tar.gz")
    made = json.loads(
        run("registry", "sync", "--ecosystem", "cargo", "--index", address, "--json").stdout
    )
    assert (made["date"], made["names"], made["complete"]) == ("2026-05-28", 2, True)
    registries.asked.clear()
    for names, code in (["serde@cargo", "serde_json@cargo"], 0), ([f"{BAD}@cargo"], 1):
        assert run("check", *names, "--registry", "snapshot").exit_code == code
    # By the newest version of that day: only far beyond it, there is none.
    for wanted, code in (
        ("99", 1),
        (">=3, <9", 1),
        ("=99.0.0-rc.1", 1),
        ("2", 0),
        ("1.0.300", 0),
        ("<99", 0),
    ):
        Path("Cargo.toml").write_text(f'[dependencies]\nserde = "{wanted}"\n')
        assert run("check", "Cargo.toml", "--registry", "snapshot").exit_code == code, wanted
    assert not registries.asked
    registries.crates["tokio"] = ["1.0.0"]
    again = json.loads(
        run("registry", "sync", "--ecosystem", "cargo", "--index", address, "--json").stdout
    )
    assert (again["names"], again["added"]) == (3, 1)
    kept = home / "registry" / "2026-05-28" / "registry-cargo.json"
    assert [Snapshot.load(kept).newest(name) for name in ("serde", "tokio")] == ["1.0.228", ""]
    assert [one["ecosystem"] for one in json.loads(run("registry", "status", "--json").stdout)[
        "snapshots"]] == ["pypi", "npm", "cargo"]  # fmt: skip


def test_the_first_sync_needs_an_archive_of_an_index(registries: FakeRegistries, run: Run) -> None:
    wrong = registries.settings["PIP_INDEX_URL"] + "/pip/"
    assert run("registry", "sync", "--ecosystem", "cargo").exit_code == 2
    assert run("registry", "sync", "--ecosystem", "cargo", "--index", wrong).exit_code == 3
