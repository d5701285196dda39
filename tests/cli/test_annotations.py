"""Annotations of GitHub Actions: one line each, whatever the names are."""

from __future__ import annotations

import pytest

from ghostbust.cli.findings import Finding
from ghostbust.cli.sarif import workflow_commands
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.names import manifest_ref
from ghostbust.text import Place


def finding(
    verdict: Verdict, reason: str, *, name: str = "x", place: Place | None = None
) -> Finding:
    lookup = Lookup(Ecosystem.NPM, name, verdict, reason, "because", "rule", utc_now())
    return Finding(manifest_ref(Ecosystem.NPM, name), lookup, place)


def test_an_annotation() -> None:
    place = Place("docs/a,b:c%.md", 3, 5, 3, 6)
    (line,) = workflow_commands([finding(Verdict.ABSENT, "not-registered", place=place)])
    assert line == (
        "::error title=Package doesn't exist,file=docs/a%2Cb%3Ac%25.md,line=3,endLine=3,col=5,"
        "endColumn=6::npm package x is ABSENT: because"
    )


@pytest.mark.parametrize("place", [None, Place("-", 1, 1, 1, 2)])
def test_what_stands_in_no_file_is_said_without_one(place: Place | None) -> None:
    (line,) = workflow_commands([finding(Verdict.UNKNOWN, "unreachable", place=place)])
    assert line.startswith("::warning title=Registry gave no answer::npm package x")


def test_nothing_is_said_of_what_is_real() -> None:
    assert list(workflow_commands([finding(Verdict.REAL, "registered")])) == []


@pytest.mark.parametrize("name", ["a\n::stop-commands::x", "a\r::error::x", "100%0A::x"])
def test_a_name_does_not_break_out_of_its_line(name: str) -> None:
    (line,) = workflow_commands([finding(Verdict.ABSENT, "not-registered", name=name)])
    assert "\n" not in line
    assert "\r" not in line
    assert "%0A" not in line.replace("%250A", "")
