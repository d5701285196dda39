"""SARIF logs: valid by a model that was generated from the standard's schema, and stable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from ghostbust.cli.findings import Finding
from ghostbust.cli.sarif import FINGERPRINT, sarif_log
from ghostbust.documents import plain
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.names import manifest_ref
from ghostbust.text import Place


def finding(
    name: str = "x",
    verdict: Verdict = Verdict.ABSENT,
    reason: str = "not-registered",
    place: Place | None = None,
) -> Finding:
    lookup = Lookup(Ecosystem.PYPI, name, verdict, reason, "because", "rule", utc_now())
    return Finding(manifest_ref(Ecosystem.PYPI, name), lookup, place, ["y"])


def at(line: int, path: str = "a.md") -> Place:
    return Place(path, line, 2, line, 3)


def run_of(*findings: Finding) -> Any:
    """The only run of a log that has been through JSON and the schema."""
    log = json.loads(json.dumps(plain(sarif_log(findings))))
    Schema.model_validate(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return run


def fingerprints(*findings: Finding) -> list[str]:
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
