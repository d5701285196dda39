"""`ghostbust registry`: status, build, sync, diff, imports, recheck, rescore."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text("requests\nflask\n")
    return file


def test_status(run: Run, index: Any) -> None:
    told = document(run("registry", "status", "--json"))
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
    made = run("registry", "build", names, "--ecosystem", "pypi", "--date", "2026-01-02",
               "--complete", "--json")  # fmt: skip
    assert document(made) == {
        "ecosystem": "pypi",
        "date": "2026-01-02",
        "names": 2,
        "complete": True,
        "path": str(home / "registry" / "registry-pypi.json"),
    }
    told = document(run("check", "numpy", "--registry", "snapshot", "--json"), 1)
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


@pytest.mark.usefixtures("present")
def test_sync(run: Run, home: Path, index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("registry", "sync", "--json")
    told = document(result)
    assert result.stderr == ""
    assert (told["changed"], told["added"], told["vanished"], told["names"]) == (True, 1, 1, 3)
    made = Snapshot.load(home / "registry" / "registry-pypi.json")
    assert "left-pad" in made
    assert made.popular(5) == ["pip", "requests"]
    result = run("registry", "sync")
    assert result.exit_code == 0
    assert "nothing newer" in result.stdout
    assert index.asked[-1][1]["If-None-Match"] == index.etag

    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//me:se-cret@"))
    result = run("registry", "sync")
    assert result.exit_code == 0
    assert index.asked[-1][1]["Authorization"].startswith("Basic ")
    assert "se-cret" not in result.output


def test_sync_of_an_index_that_refuses_or_lists_far_too_little(
    run: Run, home: Path, index: Any
) -> None:
    assert "3 names" in one_line(run("registry", "sync"), 3)
    assert list((home / "registry").iterdir()) == []
    index.status = 403
    assert "HTTP 403" in one_line(run("registry", "sync"), 3)
    assert not (home / "registry" / "registry-pypi.json").exists()


def test_sync_keeps_the_snapshot_before_for_other_days(
    run: Run, home: Path, present: Snapshot
) -> None:
    assert run("registry", "sync").exit_code == 0
    kept = Snapshot.load(home / "registry" / "2026-01-02" / "registry-pypi.json")
    kept.verify()
    assert kept.manifest == present.manifest
    verdicts = {}
    for args in ((), ("--as-of", "2026-03-04"), ("--as-of", "2026-01-02")):
        told = document(run("check", "left-pad", "gone", *args, "--json"), 1)
        verdicts[args[-1:]] = [one["verdict"] for one in told["results"]]
    assert verdicts == {
        (): ["REAL", "ABSENT"],
        ("2026-03-04",): ["ABSENT", "REAL"],
        ("2026-01-02",): ["ABSENT", "REAL"],
    }
    for words, said in (
        (("gone", "--as-of", "2025-12-31"), "no snapshot of 2025-12-31 or before"),
        (("gone@npm", "--as-of", "2026-03-04"), "no npm snapshot of 2026-03-04 or before"),
        (("gone", "--as-of", "2026-03-04", "--registry", "live"), "only a snapshot can"),
    ):
        assert said in one_line(run("check", *words))


@pytest.mark.usefixtures("present")
def test_the_one_in_use_against_another_day(run: Run) -> None:
    assert run("registry", "sync").exit_code == 0
    few = document(run("registry", "diff", "2026-01-02", "--limit", "0", "--json"))
    assert (few["appeared"], few["appeared_names"]) == (1, [])
    told = document(run("registry", "diff", "2026-01-02", "--json"))
    assert (told["ecosystem"], told["old"]) == ("pypi", "2026-01-02")
    assert (told["appeared"], told["appeared_names"]) == (1, ["left-pad"])
    assert (told["vanished"], told["vanished_names"]) == (1, ["go…(4)"])


@pytest.mark.usefixtures("present")
def test_two_that_are_named_with_vanished_names_in_full(run: Run, home: Path) -> None:
    assert run("registry", "sync").exit_code == 0
    result = run("registry", "diff", home / "registry", "2026-01-02", "--reveal")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == ["+ gone", "- left-pad"]
    assert "1 appeared, 1 vanished" in result.stdout


@pytest.mark.usefixtures("present")
def test_an_incomplete_one_shows_no_absence(run: Run, tmp_path: Path) -> None:
    names, few = tmp_path / "names.txt", tmp_path / "few"
    names.write_text("requests\n")
    assert run("registry", "build", names, "--ecosystem", "pypi", "--date", "2026-02-03",
               "--out", few).exit_code == 0  # fmt: skip
    result = run("registry", "diff", "2026-01-02", few)
    assert result.exit_code == 0
    assert "not both are complete" in result.stderr


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "pyyaml-6.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pyyaml-6.0.dist-info/METADATA", "Name: PyYAML\nVersion: 6.0\n")
        archive.writestr("yaml/__init__.py", "")
    return path


def test_a_wheel(run: Run, wheel: Path, home: Path) -> None:
    told = document(run("registry", "imports", wheel, "--json"))
    (row,) = told["rows"]
    assert (row["module"], row["distribution"], row["version"]) == ("yaml", "pyyaml", "6.0")
    assert (told["facts"], told["before"], told["path"]) == (1, 0, None)
    assert not home.exists()


def test_a_table_is_made_and_extended(run: Run, wheel: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.tsv"
    assert run("registry", "imports", wheel, "--out", out).exit_code == 0
    told = document(run("registry", "imports", "--installed", "--out", out, "--json"))
    assert told["before"] == 1
    assert {"yaml", "dateutil"} <= {row["module"] for row in told["rows"]}
    assert "\nyaml\tpyyaml\t" in out.read_text()


@pytest.fixture
def invented(log_run: Callable[..., int]) -> None:
    """Two names that a run logged as absent."""
    log_run(said("zz-a", ABSENT), said("zz-b", ABSENT))


@pytest.mark.usefixtures("invented")
def test_names_that_could_not_be_asked_and_a_claimed_one(run: Run, index: Any) -> None:
    index.status = 403
    result = run("registry", "recheck")
    assert result.exit_code == 3
    assert "2 names, 0 claimed, 2 could not be asked" in result.stdout
    index.status = 200
    index.names.append("zz-b")
    told = document(run("registry", "recheck", "--json"), 1)
    assert (told["asked"], told["unknown"], told["told"]) == (2, 0, 0)
    (claimed,) = told["claimed"]
    assert (claimed["purl"], claimed["event"]) == ("pkg:pypi/zz-b", "claimed")
    assert "1 files" in claimed["evidence"]


@pytest.mark.usefixtures("invented")
def test_what_was_asked_for_is_not_due(run: Run, index: Any) -> None:
    index.names.append("zz-b")
    result = run("registry", "recheck")
    assert result.exit_code == 1
    assert "claimed: zz-b (pypi), first released: not told, by: not told" in result.stdout
    result = run("registry", "recheck")
    assert result.exit_code == 0, "nothing is due"
    assert "0 names, 0 claimed" in result.stdout


REAL, ABSENT = (Verdict.REAL, "registered"), (Verdict.ABSENT, "not-registered")


def said(name: str, verdict: tuple[Verdict, str], source: str = "snapshot:2026-01-02") -> Lookup:
    return Lookup(Ecosystem.PYPI, name, *verdict, "", source, datetime(2026, 1, 2, tzinfo=UTC))


def snapshot(folder: Path, day: date, *names: str) -> None:
    build_snapshot(
        [NameRow(name) for name in names], ecosystem=Ecosystem.PYPI, date=day, complete=True,
        out_dir=folder,
    )  # fmt: skip


@pytest.fixture
def snapshots(home: Path) -> None:
    """Of three days, the newest of them in use: one name came, one came and went again."""
    snapshot(home / "registry" / "2025-12-01", date(2025, 12, 1), "requests", "zz-late")
    snapshot(home / "registry" / "2026-01-02", date(2026, 1, 2), "requests")
    snapshot(home / "registry", date(2026, 2, 3), "requests", "zz-a")


def score(run: Run, *args: object) -> Any:
    return document(run("registry", "rescore", *args, "--json"))


def changed(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["name"], one["then"]["verdict"], one["now"]["verdict"]) for one in told["changed"]]


@pytest.mark.usefixtures("snapshots")
def test_the_day_of_the_run_gives_the_figures_of_the_run(
    run: Run, home: Path, log_run: LogRun
) -> None:
    number = log_run(said("requests", REAL), said("zz-a", ABSENT))
    told = score(run, number, "--as-of", "2026-01-31")
    assert told["then"] == told["now"]
    assert (told["then"]["rate"], told["then"]["volume"], told["changed"]) == (0.5, 1.0, [])
    assert told["snapshots_then"] == {"pypi": "2026-01-02"}
    assert told["snapshots_now"] == {"pypi": "2026-01-02"}
    assert (told["left_out"], told["only_live"], told["cutoff"]) == (0, 0, None)
    with Store.open(home / "ghostbust.db", read_only=True) as store:
        measured = store.runs.get(number).measurement
    assert measured is not None
    assert (measured.rate, measured.volume) == (0.5, 1.0)


@pytest.mark.usefixtures("snapshots")
def test_what_was_registered_since_is_claimed_and_never_cured(
    run: Run, home: Path, log_run: LogRun
) -> None:
    number = log_run(said("requests", REAL), said("zz-a", ABSENT))
    before = (home / "ghostbust.db").read_bytes()
    told = score(run, number)
    assert (home / "ghostbust.db").read_bytes() == before, "nothing is logged by it"
    assert changed(told) == [("zz-a", "ABSENT", "SUSPECT")]
    assert told["changed"][0]["now"] == {
        "verdict": "SUSPECT", "reason": "claimed", "source": "snapshot:2026-02-03",
    }  # fmt: skip
    assert (told["then"]["rate"], told["now"]["rate"]) == (0.5, 0.5)
    assert told["changed"][0]["answers"] == 1


@pytest.mark.usefixtures("snapshots")
def test_people_get_both_figures_and_names_that_are_free_shortened(
    run: Run, log_run: LogRun
) -> None:
    unsure = (Verdict.UNKNOWN, "unreachable")
    number = log_run(said("zz-nobodys", unsure, "live"), said("zz-a", ABSENT))
    result = run("registry", "rescore", number)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert any(line[:2] == ["then", "1.000"] for line in lines)
    assert any(line[:2] == ["now", "1.000"] for line in lines)
    assert "zz-a" in result.stdout
    assert "2 changed" in result.stdout
    assert "zz-nobodys" not in result.stdout
    assert "zz-nobodys" in run("registry", "rescore", number, "--reveal").stdout


@pytest.mark.usefixtures("snapshots")
def test_what_the_log_does_not_hold_is_said(run: Run, log_run: LogRun) -> None:
    young = (Verdict.SUSPECT, "younger-than-model")
    number = log_run(said("requests", young, "live"))
    result = run("registry", "rescore", number)
    assert "1 names were SUSPECT by what a live registry told" in result.stderr
    assert score(run, number)["only_live"] == 1
    private = log_run(said("zz-a", ABSENT), private=True)
    result = run("registry", "rescore", private)
    assert "1 answers are in neither figure" in result.stderr
    told = score(run, private)
    assert (told["left_out"], told["now"]["answers"], told["now"]["rate"]) == (1, 0, None)


@pytest.mark.usefixtures("snapshots")
def test_the_age_of_the_models_knowledge_counts_as_far_as_snapshots_show_it(
    run: Run, log_run: LogRun, home: Path
) -> None:
    number = log_run(said("zz-a", REAL, "live"))
    assert changed(score(run, number)) == []
    (home / "ghostbust.toml").write_text("[model]\ncutoff = 2025-12-15\n")
    told = score(run, number)
    assert (told["cutoff"], told["changed"][0]["now"]["reason"]) == (
        "2025-12-15", "younger-than-model",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("build", "missing.txt", "--ecosystem", "pypi", "--date", "2026-01-02"), "missing.txt"),
        (("build", "names.txt", "--ecosystem", "gem", "--date", "2026-01-02"), "--ecosystem"),
        (
            ("build", "names.txt", "--ecosystem", "pypi", "--date", "yesterday"),
            "is no day such as 2026-11-24",
        ),
        (("build", "names.txt", "--ecosystem", "pypi"), "Missing option '--date'"),
        (("sync", "--names-package", "x"), "--ecosystem npm"),
        (("diff", "2020-01-01"), "2026-01-02"),
        (("imports",), "nothing to read"),
        (("imports", "missing.whl"), "missing.whl"),
        (("imports", "--installed", "--out", "no/folder/x"), "no/folder/x"),
        (("rescore", 1), "there are no runs"),
    ],
)
@pytest.mark.usefixtures("present")
def test_what_cannot_be_done_is_one_line(run: Run, command: tuple[object, ...], said: str) -> None:
    assert said in one_line(run("registry", *command))


@pytest.mark.usefixtures("snapshots")
def test_a_run_or_a_day_that_isnt_there_cannot_be_rescored(run: Run, log_run: LogRun) -> None:
    log_run(said("requests", REAL))
    assert "there is no run 9" in one_line(run("registry", "rescore", 9))
    earlier = run("registry", "rescore", 1, "--as-of", "2020-01-01")
    assert "no snapshot of 2020-01-01" in one_line(earlier)
