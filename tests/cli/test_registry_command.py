"""`ghostbust registry`: status, build, sync."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from ghostbust.registries.snapshot import Snapshot

Run = Callable[..., Result]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text("requests\nflask\n")
    return file


def test_status(run: Run, index: Any) -> None:
    result = run("registry", "status", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    pypi, npm = told["snapshots"]
    assert (pypi["ecosystem"], pypi["complete"], pypi["verified"]) == ("pypi", True, True)
    assert (npm["ecosystem"], npm["complete"], npm["problem"]) == ("npm", False, None)
    assert pypi["names"] > 800_000
    assert pypi["bytes"] > 4_000_000
    assert told["endpoints"][0] == {
        "ecosystem": "pypi", "scope": None, "url": index.url, "origin": "PIP_INDEX_URL",
        "credentials": False,
    }  # fmt: skip


def test_status_shows_no_credential(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:se-cret@index.example.test/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:se-cret@extra.example.test/simple")
    monkeypatch.setenv("npm_config_@mine:registry", "https://mine.example.test")
    monkeypatch.setenv("npm_config_//mine.example.test/:_authToken", "to-ken")
    for flags in ((), ("--json",)):
        result = run("registry", "status", *flags)
        assert result.exit_code == 0
        assert "index.example.test" in result.stdout
        assert "se-cret" not in result.output
        assert "to-ken" not in result.output
    asked = json.loads(result.stdout)["endpoints"]
    assert [(one["url"], one["credentials"]) for one in asked[:2]] == [
        ("https://index.example.test/simple", True),
        ("https://extra.example.test/simple", True),
    ]
    assert (asked[3]["scope"], asked[3]["credentials"]) == ("@mine", True)


def test_status_of_a_damaged_snapshot(run: Run, home: Path, names: Path) -> None:
    assert run("registry", "build", names, "--ecosystem", "pypi", "--date",
               "2026-01-02").exit_code == 0  # fmt: skip
    (home / "registry" / "registry-pypi.tsv").write_text("changed")
    result = run("registry", "status", "--json")
    pypi = json.loads(result.stdout)["snapshots"][0]
    assert (result.exit_code, pypi["verified"]) == (2, False)
    assert pypi["problem"] in result.stderr
    assert result.stderr.count("\n") == 1


def test_build_into_the_home_makes_it_the_one_in_use(run: Run, home: Path, names: Path) -> None:
    result = run("registry", "build", names, "--ecosystem", "pypi", "--date", "2026-01-02",
                 "--complete", "--json")  # fmt: skip
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "ecosystem": "pypi",
        "date": "2026-01-02",
        "names": 2,
        "complete": True,
        "path": str(home / "registry" / "registry-pypi.json"),
    }
    told = json.loads(run("check", "numpy", "--registry", "snapshot", "--json").stdout)
    assert told["results"][0]["verdict"] == "ABSENT"
    assert told["results"][0]["source"] == "snapshot:2026-01-02"


def test_build_elsewhere_with_summaries(run: Run, home: Path, names: Path, tmp_path: Path) -> None:
    (tmp_path / "summaries.tsv").write_text("flask\tplaceholder\tA placeholder package\n")
    out = tmp_path / "out"
    result = run("registry", "build", names, "--ecosystem", "pypi", "--date", "2026-01-02",
                 "--summaries", tmp_path / "summaries.tsv", "--out", out)  # fmt: skip
    assert result.exit_code == 0
    assert "2 pypi names of 2026-01-02" in result.stdout
    made = Snapshot.load(out / "registry-pypi.json")
    assert (made.complete, made.look_up("flask").reason) == (False, "placeholder")
    assert not home.exists()


@pytest.mark.parametrize(
    "args",
    [
        ("missing.txt", "--ecosystem", "pypi", "--date", "2026-01-02"),
        ("names.txt", "--ecosystem", "cargo", "--date", "2026-01-02"),
        ("names.txt", "--ecosystem", "pypi", "--date", "yesterday"),
        ("names.txt", "--ecosystem", "pypi"),
    ],
)
def test_build_with_wrong_input(run: Run, args: tuple[str, ...]) -> None:
    result = run("registry", "build", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("present")
def test_sync(run: Run, home: Path, index: Any) -> None:
    result = run("registry", "sync", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (told["changed"], told["added"], told["vanished"], told["names"]) == (True, 1, 1, 3)
    made = Snapshot.load(home / "registry" / "registry-pypi.json")
    assert "left-pad" in made
    assert made.popular(5) == ["pip", "requests"]
    result = run("registry", "sync")
    assert result.exit_code == 0
    assert "nothing newer" in result.stdout
    assert index.asked[-1][1]["If-None-Match"] == index.etag


@pytest.mark.usefixtures("present")
def test_sync_sends_the_credentials_of_pip(
    run: Run, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//me:se-cret@"))
    result = run("registry", "sync")
    assert result.exit_code == 0
    assert index.asked[-1][1]["Authorization"].startswith("Basic ")
    assert "se-cret" not in result.output


def test_sync_of_an_index_that_refuses(run: Run, home: Path, index: Any) -> None:
    index.status = 403
    result = run("registry", "sync")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "HTTP 403" in result.stderr
    assert not (home / "registry" / "registry-pypi.json").exists()


def test_sync_refuses_a_listing_far_shorter_than_the_snapshot(run: Run, home: Path) -> None:
    result = run("registry", "sync")
    assert result.exit_code == 3
    assert "3 names" in result.stderr
    assert list((home / "registry").iterdir()) == []


def test_sync_keeps_the_snapshot_before_for_other_days(
    run: Run, home: Path, present: Snapshot
) -> None:
    assert run("registry", "sync").exit_code == 0
    kept = Snapshot.load(home / "registry" / "2026-01-02" / "registry-pypi.json")
    kept.verify()
    assert kept.manifest == present.manifest
    verdicts = {}
    for args in ((), ("--as-of", "2026-03-04"), ("--as-of", "2026-01-02")):
        told = json.loads(run("check", "left-pad", "gone", *args, "--json").stdout)
        verdicts[args[-1:]] = [one["verdict"] for one in told["results"]]
    assert verdicts == {
        (): ["REAL", "ABSENT"],
        ("2026-03-04",): ["ABSENT", "REAL"],
        ("2026-01-02",): ["ABSENT", "REAL"],
    }
    result = run("check", "gone", "--as-of", "2025-12-31")
    assert result.exit_code == 2
    assert "no snapshot of 2025-12-31 or before" in result.stderr
    result = run("check", "gone@npm", "--as-of", "2026-03-04")
    assert result.exit_code == 2
    assert "no npm snapshot of 2026-03-04 or before" in result.stderr
    result = run("check", "gone", "--as-of", "2026-03-04", "--registry", "live")
    assert result.exit_code == 2
    assert "only a snapshot can" in result.stderr


def test_options_of_npm_are_refused_for_pypi(run: Run) -> None:
    result = run("registry", "sync", "--complete")
    assert result.exit_code == 2
    assert "--ecosystem npm" in result.stderr
