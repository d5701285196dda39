"""What exists of what was recommended, as CycloneDX."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ghostbust.exports.cyclonedx import bom, write_cyclonedx
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.store import Store
from ghostbust.store.tallies import RegisteredTally


def problem(text: str) -> object:
    """What the standard's schema objects to; None for nothing."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def test_it_is_valid_and_lists_what_exists_only(store: Store, tmp_path: Path) -> None:
    write_cyclonedx(store, tmp_path / "bom.json")
    text = (tmp_path / "bom.json").read_text("ascii")
    assert problem(text) is None
    assert "zz-quux-sensorlib" not in text
    told = json.loads(text)
    assert [one["purl"] for one in told["components"]] == [
        "pkg:pypi/requests",
        "pkg:pypi/zz-harbor-toolkit",
    ]
    answers = told["components"][0]["properties"][2]
    assert answers == {"name": "ghostbust:answers", "value": "96"}


def test_a_claimed_name_is_a_vulnerability_in_triage(store: Store, tmp_path: Path) -> None:
    write_cyclonedx(store, tmp_path / "bom.json")
    told = json.loads((tmp_path / "bom.json").read_text("ascii"))
    (found,) = told["vulnerabilities"]
    assert found["affects"] == [{"ref": "pkg:pypi/zz-harbor-toolkit"}]
    assert found["analysis"]["state"] == "in_triage"


def test_scopes_of_npm_are_groups_and_impossible_names_are_left_out() -> None:
    names = [("@babel/core", Ecosystem.NPM), ("<script>", Ecosystem.NPM), ("a b", Ecosystem.PYPI)]
    registered = [RegisteredTally(e, name, Verdict.REAL, "registered", 2) for name, e in names]
    made = bom(registered, (), ["m"], datetime(2026, 12, 1, tzinfo=UTC))
    assert problem(json.dumps(made)) is None
    assert [(c["group"], c["name"]) for c in made["components"]] == [("@babel", "core")]  # type: ignore[attr-defined]
