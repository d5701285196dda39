"""``ghostbust round`` and ``ghostbust demo`` on a small model."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter
from ghostbust.cli.output import Output
from ghostbust.cli.rounds import _print_demo, print_round
from ghostbust.loop.round import RoundOutcome
from ghostbust.loop.watch import Watched
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Candidate,
    Context,
    Ecosystem,
    GateReport,
    GateResult,
    GateVerdict,
    Judged,
    Lookup,
    PackageRef,
    Promotion,
    Prompt,
    RefKind,
    Sample,
    Verdict,
    utc_now,
)
from ghostbust.results import round_document
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SETTINGS = """
[model]
device = "cpu"

[sampling]
max_new_tokens = 8
samples_per_prompt = 1

[training]
rank = 2
members = 1
max_answers = 24

[gates]
humaneval_tasks = 1
max_new_tokens = 8
"""
FIGURES = {
    "rate", "ci95", "refs", "real", "absent", "suspect", "unknown", "local", "unmapped", "induced",
    "induced_real", "answers", "volume",
}  # fmt: skip


@pytest.fixture
def prepared(run: Run, home: Path, talking_model_dir: Path) -> Run:
    """Runs a command on the small model, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")

    def invoke(command: str, *args: object) -> Result:
        return run(command, "--model", talking_model_dir, "--registry", "snapshot", *args)

    return invoke


def test_with_nothing_logged_it_is_one_line(prepared: Run) -> None:
    result = prepared("round")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "ghostbust: nothing to unlearn is logged yet; run `ghostbust sweep` first\n"
    )


@pytest.mark.parametrize("command", ["round", "demo"])
def test_an_unknown_method_is_one_line_before_a_model_is_loaded(
    command: str, run: Run, home: Path, talking_model_dir: Path
) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text('[training]\nmethod = "npos"\n', "utf-8")
    result = run(command, "--home", home, "--model", "no/such-model", "--registry", "snapshot")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(
        r"ghostbust: .*ghostbust\.toml: training\.method: should be 'au-heard', .* not 'npos'\n",
        result.stderr,
    )


def test_a_round_unlearns_by_the_method_that_is_asked_for(prepared: Run, home: Path) -> None:
    assert prepared("round", "--method", "npos").exit_code == 2
    assert prepared("sweep", "--limit", 16).exit_code == 0
    result = prepared("round", "--json", "--holdout", 12, "--method", "npo", "--train-anyway")
    assert result.exit_code == 0, result.stderr
    with Store.open(home / "ghostbust.db") as store:
        assert store.spending.of(utc_now().date()) == {}, "a person's round is in no budget"
    facts = read_adapter(Path(json.loads(result.stdout)["path"])).facts
    assert facts["method"] == "npo"
    assert (facts["settings"]["weights"]["end"], facts["looks"]) == (2.0, [])
    with Store.open(home / "ghostbust.db") as store:
        assert store.rounds.get(1).method == "npo"


def test_after_a_sweep_it_makes_a_gated_adapter(
    prepared: Run, run: Run, home: Path, talking_model_dir: Path
) -> None:
    assert prepared("sweep", "--limit", 16).exit_code == 0
    with (home / "ghostbust.toml").open("a", encoding="utf-8") as settings:
        settings.write("[budget]\nsamples = 100\n")
    refused = prepared("round", "--budgeted", "--holdout", 12)
    assert refused.exit_code == 3
    assert refused.stderr.endswith("may be needed: raise budget.samples\n")
    text = (home / "ghostbust.toml").read_text("utf-8")
    (home / "ghostbust.toml").write_text(text.replace("100", "1000"), "utf-8")
    refused = prepared("round", "--holdout", 12)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        "ghostbust: no adapter could pass the gates, likelihood and coding: too few tasks: 1, needs"
        " 100; raise gates.humaneval_tasks or name gates.mbpp, or --train-anyway\n"
    )
    result = prepared(
        "round", "--json", "--holdout", 12, "--seed", 3, "--budgeted", "--train-anyway"
    )
    assert result.exit_code == 0, result.stderr
    with Store.open(home / "ghostbust.db") as store:
        assert store.spending.of(utc_now().date())["samples"] >= 72
    told = json.loads(result.stdout)
    assert set(told) == {
        "round", "adapter", "path", "before", "after", "gate", "promoted", "model", "seed",
        "wall_s",
    }  # fmt: skip
    assert (told["round"], told["seed"], told["promoted"]) == (1, 3, False)
    assert set(told["before"]) == set(told["after"]) == FIGURES
    assert told["before"]["answers"] == told["after"]["answers"]
    assert told["gate"]["verdict"] in ("FAIL", "INCONCLUSIVE")
    gates = [gate["gate"] for gate in told["gate"]["gates"]]
    assert gates == ["hallucination", "volume", "faults", "likelihood", "coding"]
    assert read_adapter(Path(told["path"])).name == told["adapter"]
    for stage in ("ask 12 held-out tasks", "train:", "gate: coding"):
        assert stage in result.stderr
    assert re.search(
        r"^to come: up to [\d,]+ answers with up to [\d,]+ tokens, "
        r"\d+ s at the base's [\d,]+/s; and the"
        r" steps of the training\n(.*\n)*train: \d+ answers to unlearn, \d+ to keep, about \d+"
        r" steps$",
        result.stderr, re.MULTILINE,
    )  # fmt: skip
    with Store.open(home / "ghostbust.db") as store:
        assert store.rounds.get(1).state is RoundState.REJECTED
    listed = run("adapters", "list")
    assert told["adapter"] in listed.stdout
    assert "serves: the base" in listed.stdout
    refused = run("adapters", "promote", told["adapter"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"may not serve: its gate report says {told['gate']['verdict']}" in refused.stderr
    sampled = prepared("sweep", "--limit", 2, "--adapter", told["adapter"], "--json")
    assert json.loads(sampled.stdout)["adapter"] == told["adapter"]


def test_a_few_held_out_tasks_are_too_few(prepared: Run) -> None:
    result = prepared("round", "--holdout", 9)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--holdout" in result.stderr


@pytest.fixture
def outcome() -> tuple[Watched, RoundOutcome]:
    """What a round comes to whose gates passed and that a person has to approve."""
    empty = Watched(1, (), measure([]))
    candidate = Candidate("round-0001-aa", Path("adapters/round-0001-aa"), "m", "au", 0, 1, 0.5, 1)
    result = GateResult("volume", GateVerdict.PASS, "fine [b]indeed[/b]", 1.0, 1.1, None, "band")
    report = GateReport(candidate.name, (result,))
    return empty, RoundOutcome(1, candidate, report, replace(empty, run_id=2), None)


@pytest.mark.parametrize(
    ("verdict", "promoted", "said"),
    [
        (GateVerdict.PASS, True, "gates: PASS; promoted: it serves now"),
        (GateVerdict.PASS, False, "waits for `ghostbust adapters promote round-0001-aa`"),
        (GateVerdict.FAIL, False, "gates: FAIL; not promoted"),
    ],
)
def test_what_came_of_it_is_said(
    outcome: tuple[Watched, RoundOutcome],
    verdict: GateVerdict,
    promoted: bool,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, ended = outcome
    (gate,) = ended.report.results
    report = GateReport(ended.report.candidate, (replace(gate, verdict=verdict),))
    move = Promotion("round-0001-aa", None, "promote", "", utc_now()) if promoted else None
    ended = replace(ended, report=report, promotion=move)
    print_round(Output(), before, ended)
    shown = capsys.readouterr().out
    assert said in shown
    assert "adapter: adapters/round-0001-aa" in shown
    assert "fine [b]indeed[/b]" in shown
    assert round_document(before, ended)["promoted"] is promoted


DEMO_SETTINGS = """
[model]
device = "cpu"

[training]
rank = 2
max_answers = 32

[gates]
humaneval_tasks = 1
max_new_tokens = 8
"""
DEMO_FIGURES = {"rate", "ci95", "refs", "real", "absent", "suspect", "answers", "volume"}
DEMO_KEYS = {
    "model", "seed", "registry", "before", "after", "gate", "promoted", "wall_s", "peak_rss_mb",
}  # fmt: skip


def test_the_whole_demo_ends_with_one_truthful_document(
    run: Run, home: Path, talking_model_dir: Path
) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(DEMO_SETTINGS, "utf-8")
    result = run("demo", "--model", talking_model_dir, "--json", "--seed", 1)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert set(told) >= DEMO_KEYS
    assert (told["model"], told["seed"]) == (str(talking_model_dir), 1)
    assert told["registry"] == "snapshot"
    for figures in (told["before"], told["after"]):
        assert set(figures) >= DEMO_FIGURES
        assert figures["refs"] == figures["real"] + figures["absent"] + figures["suspect"]
        assert figures["ci95"][0] <= figures["rate"] <= figures["ci95"][1]
    assert told["before"]["answers"] == told["after"]["answers"]
    assert {"verdict", "gates"} <= set(told["gate"])
    assert told["gate"]["verdict"] != "PASS"  # one benchmark task is too few
    assert told["promoted"] is False
    assert not (home / "deployed.json").exists()
    assert read_adapter(Path(told["path"])).facts["settings"]["seed"] == 1
    assert told["wall_s"] > 0
    assert 50 < told["peak_rss_mb"] < 4096


def test_an_unknown_model_is_one_line(run: Run) -> None:
    result = run("demo", "--model", "no/such-model")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't load the model 'no/such-model'" in result.stderr.splitlines()[-1]


def answers(*names: str) -> tuple[Answer, ...]:
    """One answer for each invented name."""
    made = []
    for number, name in enumerate(names):
        prompt = Prompt(f"help {number}", Context.HELPS, Ecosystem.PYPI, str(number))
        at = datetime(2026, 11, 24, tzinfo=UTC)
        lookup = Lookup(
            Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "snapshot:2026-11-23", at
        )
        ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name)
        sample = Sample(prompt, name, "m", None, 0, 0, 0.7, False, 3)
        made.append(Answer(sample, (Judged(ref, lookup),)))
    return tuple(made)


def demonstrated(
    before: tuple[Answer, ...], after: tuple[Answer, ...]
) -> tuple[Watched, RoundOutcome]:
    """A demo whose base gave the first answers, and whose adapter the second."""
    candidate = Candidate("round-0001-aa", Path("a"), "m", "au", 0, 1, 0.5, 1.0)
    report = GateReport(candidate.name, ())
    ended = RoundOutcome(1, candidate, report, Watched(2, after, measure(after)), None)
    return Watched(1, before, measure(before)), ended


def test_names_that_look_alike_when_shortened_are_counted_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = answers("fastcsv-x", "fastcsv-x", "fastcsv-y")
    _print_demo(Output(), *demonstrated(before, answers("fastcsv-y")), reveal=False)
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if "fas…(9)" in line]
    assert rows == [["fas…(9)", "ABSENT", "2", "0"], ["fas…(9)", "ABSENT", "1", "1"]]
    assert "fastcsv" not in shown
    _print_demo(Output(), *demonstrated(before, ()), reveal=True)
    assert "fastcsv-x" in capsys.readouterr().out
