"""A report as SARIF: names under the rules of check, gates as pass, fail or open."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Log
from typer.testing import Result

from ghostbust.home import Home

Run = Callable[..., Result]


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
