"""``ghostbust round`` and ``ghostbust demo`` on a small model."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter
from ghostbust.cli.output import Output, Stages
from ghostbust.cli.rounds import _print_demo, print_round
from ghostbust.cli.story import MOST_PRINTED, Story, why_of
from ghostbust.loop.demo import DemoSize, run_demo
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
from ghostbust.text import redact
from tests.cli.reading import document, one_line

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
samples = 2
blocks = 1
"""
FIGURES = {
    "rate", "ci95", "refs", "real", "absent", "suspect", "unknown", "local", "unmapped", "induced",
    "induced_real", "installers", "inventing", "answers", "volume", "all_names",
    "unknown_share",
}  # fmt: skip


@pytest.fixture
def prepared(run: Run, home: Path, talking_model_dir: Path) -> Run:
    """Runs a command on the small model, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")

    def invoke(command: str, *args: object) -> Result:
        return run(command, "--model", talking_model_dir, "--registry", "snapshot", *args)

    return invoke


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("round",), "nothing to unlearn is logged yet; run `ghostbust sweep` first"),
        (("round", "--method", "npos"), "--method: should be 'au-heard', "),
        (("round", "--holdout", 9), "--holdout"),
        (("demo", "--model", "no/such-model"), "can't load the model 'no/such-model'"),
    ],
)
def test_what_can_not_start_is_one_line(
    prepared: Run, words: tuple[object, ...], said: str
) -> None:
    assert said in one_line(prepared(*words))


@pytest.mark.parametrize("command", ["round", "demo"])
def test_an_unknown_method_is_one_line_before_a_model_is_loaded(
    command: str, run: Run, home: Path
) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text('[training]\nmethod = "npos"\n', "utf-8")
    said = one_line(run(command, "--home", home, "--model", "no/such-model"))
    assert re.search(r"ghostbust\.toml: training\.method: should be 'au-heard', .* 'npos'$", said)


def test_after_a_sweep_it_makes_a_gated_adapter_by_the_method_that_is_asked_for(
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
    assert one_line(prepared("round", "--holdout", 12)) == (
        "ghostbust: no adapter could pass the gates, likelihood and coding: too few tasks: 1, needs"
        " 100; raise gates.humaneval_tasks or name gates.mbpp, or --train-anyway"
    )
    result = prepared(
        "round", "--json", "--holdout", 12, "--seed", 3, "--budgeted", "--train-anyway",
        "--method", "npo",
    )  # fmt: skip
    told = document(result)
    with Store.open(home / "ghostbust.db") as store:
        assert store.spending.of(utc_now().date())["samples"] >= 72
        assert store.rounds.get(1).method == "npo"
    assert set(told) == {
        "round", "adapter", "path", "before", "after", "gate", "promoted", "model", "seed",
        "wall_s",
    }  # fmt: skip
    assert (told["round"], told["seed"], told["promoted"]) == (1, 3, False)
    assert set(told["before"]) == set(told["after"]) == FIGURES
    assert told["before"]["answers"] == told["after"]["answers"]
    assert told["gate"]["verdict"] in ("FAIL", "INCONCLUSIVE")
    gates = [gate["gate"] for gate in told["gate"]["gates"]]
    assert gates == ["hallucination", "volume", "unknown", "faults", "likelihood", "coding"]
    made = read_adapter(Path(told["path"]))
    assert (made.name, made.facts["method"]) == (told["adapter"], "npo")
    assert (made.facts["settings"]["weights"]["end"], made.facts["looks"]) == (2.0, [])
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
    said = one_line(run("adapters", "promote", told["adapter"]))
    assert f"may not serve: its gate report says {told['gate']['verdict']}" in said
    sampled = prepared("sweep", "--limit", 2, "--adapter", told["adapter"], "--json")
    assert json.loads(sampled.stdout)["adapter"] == told["adapter"]


@pytest.fixture
def outcome() -> RoundOutcome:
    """What a round comes to whose gates passed and that a person has to approve."""
    empty = Watched(1, (), measure([]))
    candidate = Candidate("round-0001-aa", Path("adapters/round-0001-aa"), "m", "au", 0, 1, 0.5, 1)
    result = GateResult("volume", GateVerdict.PASS, "fine [b]indeed[/b]", 1.0, 1.1, None, "band")
    report = GateReport(candidate.name, (result,))
    return RoundOutcome(1, candidate, report, empty, replace(empty, run_id=2), None)


@pytest.mark.parametrize(
    ("verdict", "promoted", "said"),
    [
        (GateVerdict.PASS, True, "gates: PASS; promoted: it serves now"),
        (GateVerdict.PASS, False, "waits for `ghostbust adapters promote round-0001-aa`"),
        (GateVerdict.FAIL, False, "gates: FAIL; not promoted"),
    ],
)
def test_what_came_of_it_is_said(
    outcome: RoundOutcome,
    verdict: GateVerdict,
    promoted: bool,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (gate,) = outcome.report.results
    report = GateReport(outcome.report.candidate, (replace(gate, verdict=verdict),))
    move = Promotion("round-0001-aa", None, "promote", "", utc_now()) if promoted else None
    ended = replace(outcome, report=report, promotion=move)
    print_round(Output(), ended, 1)
    shown = capsys.readouterr().out
    assert said in shown
    assert "adapter: adapters/round-0001-aa" in shown
    assert "fine [b]indeed[/b]" in shown
    assert round_document(ended)["promoted"] is promoted


def test_the_demo_ends_with_one_truthful_document(
    run: Run, prepared: Run, home: Path, talking_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = DemoSize(train_tasks=14, holdout_tasks=11)
    monkeypatch.setattr("ghostbust.loop.demo.run_demo", partial(run_demo, size=small))
    opened: list[str] = []

    def open_it(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", open_it)
    ended = run("demo", "--model", talking_model_dir, "--json", "--seed", 1, "--open")
    told = document(ended)
    page = home.with_name(f"{home.name}.html")
    assert (told["page"], opened) == (str(page), [page.as_uri()])
    with Store.open(home / "ghostbust.db") as store:
        names = [one.name for one in store.ledger.hallucinations(limit=1000)]
    # A log and the page may leave the machine: no name is in them that somebody could register.
    long = [name for name in names if len(name) > 5]
    assert long
    assert not [name for name in long if name in ended.stderr or name in page.read_text("utf-8")]
    assert f"✗ {redact(names[0])[:2]}" in ended.stderr
    steps = [
        line for line in ended.stderr.splitlines() if re.match("load|sweep|ask|sel|tr|gate", line)
    ]
    assert len(steps) >= 8
    for step in steps:
        assert why_of(step), step
    assert set(told) == {
        "model", "seed", "registry", "round", "adapter", "path", "before", "after", "gate",
        "promoted", "page", "wall_s", "peak_rss_mb",
    }  # fmt: skip
    assert (told["model"], told["seed"]) == (str(talking_model_dir), 1)
    assert told["registry"] == "snapshot"
    for figures in (told["before"], told["after"]):
        assert set(figures) == FIGURES
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


def watched(*names: str) -> Watched:
    """One answer for each invented name."""
    made = []
    for number, name in enumerate(names):
        prompt = Prompt(f"help {number}", Context.HELPS, Ecosystem.PYPI, str(number))
        lookup = Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "", utc_now())
        ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name)
        sample = Sample(prompt, name, "m", None, 0, 0, 0.7, False, 3)
        made.append(Answer(sample, (Judged(ref, lookup),)))
    return Watched(1, tuple(made), measure(made))


def test_inventions_are_told_once_each_and_not_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In full with the line that names them, where they may be shown."""
    answers = watched("fastcsv-x", "fastcsv-x", *(f"quux-{n}" for n in range(20))).answers
    for reveal in (True, False):
        output = Output()
        with Stages(output) as stages:
            story = Story(stages, output, reveal=reveal)
            story.found(answers[:3])
            story.found(answers[3:])
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == MOST_PRINTED + 1
        whole = "  ✗ fastcsv-x: ABSENT, not-registered. It wrote: fastcsv-x"
        assert lines[0] == (whole if reveal else "  ✗ fas…(9): ABSENT, not-registered")
        assert "others" in lines[-1]


def test_names_that_look_alike_when_shortened_are_counted_apart(
    outcome: RoundOutcome, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = replace(outcome, before=watched("fastcsv-x", "fastcsv-x", "fastcsv-y"))
    _print_demo(Output(), replace(ended, after=watched("fastcsv-y")), reveal=False)
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if "fas…(9)" in line]
    assert rows == [["fas…(9)", "ABSENT", "2", "0"], ["fas…(9)", "ABSENT", "1", "1"]]
    assert "fastcsv" not in shown
    _print_demo(Output(), ended, reveal=True)
    assert "fastcsv-x" in capsys.readouterr().out


def test_a_round_compares_names_in_all_by_context(
    outcome: RoundOutcome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # else the heads break where there is no terminal
    before, after = watched("fastcsv-x", "fastcsv-y"), watched("fastcsv-x", "fastcsv-x")
    print_round(Output(), replace(outcome, before=before, after=after), 1)
    lines = capsys.readouterr().out.splitlines()
    (head,) = (n for n, line in enumerate(lines) if "after beside before" in line)
    columns = lines[head + 2].split()
    assert columns == ["drop", "supported", "all", "more", "unknown", "more", "unsupported"]
    for row, context in zip(lines[head + 4 : head + 6], ("all", "helps"), strict=True):
        figures = re.sub(r"\(\S+\)", "", row).split()
        assert figures == [context, "0.000", "–", "1.000", "0.000", "–"], "one answer a prompt"
