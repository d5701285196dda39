"""SARIF logs, annotations of GitHub Actions, and the rules that they report under."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Log
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from ghostbust.cli.sarif import FINGERPRINT, RULES, message, rule_of, sarif_log, workflow_commands
from ghostbust.documents import plain
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.names import manifest_ref
from ghostbust.results import MAY_BE_SETTLED, Checked
from ghostbust.text import Place

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def finding(
    name: str = "x",
    verdict: Verdict = Verdict.ABSENT,
    reason: str = "not-registered",
    place: Place | None = None,
) -> Checked:
    lookup = Lookup(Ecosystem.PYPI, name, verdict, reason, "because", "rule", utc_now())
    ref = manifest_ref(Ecosystem.PYPI, name)
    return Checked.of(ref, lookup, {(Ecosystem.PYPI, name): ["y"]}, place)


def at(line: int, path: str = "a.md") -> Place:
    return Place(path, line, 2, line, 3)


def test_there_is_a_rule_for_each_reason_to_object() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule_of(finding("x", rule.verdict, rule.reason)) is rule for rule in RULES)
    reasons = {rule.reason for rule in RULES if rule.verdict is Verdict.SUSPECT}
    assert reasons == set(SuspectReason)
    unknown = {rule.reason for rule in RULES if rule.verdict is Verdict.UNKNOWN}
    assert unknown == set(MAY_BE_SETTLED)
    for verdict, reason in ((Verdict.REAL, "registered"), (Verdict.UNKNOWN, "no-mapping")):
        assert rule_of(finding("x", verdict, reason)) is None


def test_a_message_names_what_may_have_been_meant_and_no_control_characters() -> None:
    assert message(finding("x\x1b\n")) == ("pypi package x\\x1b\\n is ABSENT: because; nearest: y")


def run_of(*findings: Checked) -> Any:
    """The only run of a log that has been through JSON and the schema."""
    log = json.loads(json.dumps(plain(sarif_log(findings))))
    Schema.model_validate(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return run


def fingerprints(*findings: Checked) -> list[str]:
    return [result["partialFingerprints"][FINGERPRINT] for result in run_of(*findings)["results"]]


def test_a_result() -> None:
    run = run_of(finding(place=at(4)))
    (result,) = run["results"]
    assert result["ruleId"] == "absent/not-registered"
    assert result["level"] == "error"
    assert result["message"]["text"] == "pypi package x is ABSENT: because; nearest: y"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "a.md"}
    assert location["region"] == {"startLine": 4, "startColumn": 2, "endLine": 4, "endColumn": 3}
    assert run["columnKind"] == "unicodeCodePoints"


def test_rules_are_listed_once_and_results_point_to_theirs() -> None:
    run = run_of(
        finding("a", Verdict.SUSPECT, "decoy"), finding("b"), finding("c"),
        finding("d", Verdict.UNKNOWN, "unreachable"), finding("e", Verdict.REAL, "registered"),
    )  # fmt: skip
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert sorted(rules) == ["absent/not-registered", "suspect/decoy", "unknown/unreachable"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    assert [result["level"] for result in run["results"]] == ["error"] * 3 + ["warning"]


def test_nothing_found_is_a_valid_log_too() -> None:
    run = run_of()
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_a_registry_that_gave_no_answer_is_said() -> None:
    (invocation,) = run_of(finding("a", Verdict.UNKNOWN, "unreachable"))["invocations"]
    assert not invocation["executionSuccessful"]
    assert "1 of the places" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_fingerprints_stay_when_lines_move_and_differ_by_file_name_and_repeat() -> None:
    before = fingerprints(finding(place=at(1)), finding(place=at(2)))
    assert fingerprints(finding(place=at(7)), finding(place=at(9))) == before
    assert len(set(before)) == 2
    others = fingerprints(finding(place=at(1, "b.md")), finding("z", place=at(1)))
    assert not set(others) & set(before)


@pytest.mark.parametrize(
    ("path", "uri"),
    [("sub/a b#.md", "sub/a%20b%23.md"), ("./a.md", "a.md"), ("-", "stdin")],
)
def test_uris(path: str, uri: str) -> None:
    (result,) = run_of(finding(place=at(1, path)))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_file_elsewhere_has_its_whole_path(tmp_path: Path) -> None:
    (result,) = run_of(finding(place=at(1, str(tmp_path / "a.md"))))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (tmp_path / "a.md").as_uri()


def test_a_name_is_no_link_in_a_message() -> None:
    (result,) = run_of(finding("[pay](x:)"))["results"]
    assert "\\[pay\\](x:)" in result["message"]["text"]


def test_the_model_is_strict() -> None:
    log: Any = plain(sarif_log([finding()]))
    log["runs"][0]["results"][0]["unheard_of"] = 1
    with pytest.raises(ValidationError, match="unheard_of"):
        Schema.model_validate(log)


def test_an_annotation() -> None:
    place = Place("docs/a,b:c%.md", 3, 5, 3, 6)
    (line,) = workflow_commands([finding(place=place)])
    assert line == (
        "::error title=Package doesn't exist,file=docs/a%2Cb%3Ac%25.md,line=3,endLine=3,col=5,"
        "endColumn=6::pypi package x is ABSENT: because; nearest: y"
    )


@pytest.mark.parametrize("place", [None, Place("-", 1, 1, 1, 2)])
def test_what_stands_in_no_file_is_said_without_one(place: Place | None) -> None:
    (line,) = workflow_commands([finding("x", Verdict.UNKNOWN, "unreachable", place)])
    assert line.startswith("::warning title=Registry gave no answer::pypi package x")


def test_nothing_is_said_of_what_is_real() -> None:
    assert list(workflow_commands([finding("x", Verdict.REAL, "registered")])) == []


@pytest.mark.parametrize("name", ["a\n::stop-commands::x", "a\r::error::x", "100%0A::x"])
def test_a_name_does_not_break_out_of_its_line(name: str) -> None:
    (line,) = workflow_commands([finding(name)])
    assert "\n" not in line
    assert "\r" not in line
    assert "%0A" not in line.replace("%250A", "")


@pytest.mark.parametrize("reveal", [False, True])
def test_it_is_valid_and_redacted_unless_asked(
    run: Run, home: Path, fill_home: Callable[[Home], str], reveal: bool
) -> None:
    fill_home(Home.open(home))
    done = run("report", "round", 1, "--format", "sarif", *(["--reveal"] if reveal else []))
    assert done.stdout.isascii()
    assert ("zz-quux-sensorlib" in done.stdout) is reveal
    told = json.loads(done.stdout)
    Log.model_validate(told)
    (one,) = told["runs"]
    rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in one["results"]} == rules
    prints = [json.dumps(result["partialFingerprints"]) for result in one["results"]]
    assert len(set(prints)) == len(prints)
    gates = {r["ruleId"]: (r["kind"], r["level"]) for r in one["results"] if "kind" in r}
    assert gates == {"gate/volume": ("pass", "none"), "gate/coding": ("open", "none")}
    text = " ".join(result["message"]["text"] for result in one["results"])
    assert text.isprintable()
    assert "[click](" not in text
