"""Findings over several sources, and their counts."""

from __future__ import annotations

import pytest

from ghostbust.cli.findings import Finding, distinct, find
from ghostbust.cli.gathering import Vouching
from ghostbust.cli.sources import Source, source_of_command, source_of_name
from ghostbust.extractors.extract import extract
from ghostbust.records import Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.results import summary
from ghostbust.text import Place

ABSENT = "zz-no-such-name-9z"


def found(*sources: Source, vouching: Vouching | None = None) -> list[Finding]:
    with default_judge(Mode.SNAPSHOT) as judge:
        return find(judge, vouching or Vouching(), sources)


def answer(text: str) -> Source:
    return Source(extract(text), text, "answer.md")


def test_every_place_is_found_with_its_line() -> None:
    text = f"`pip install {ABSENT}`\nand again:\n`pip install requests {ABSENT}`\n"
    findings = found(source_of_name("flask"), answer(text), source_of_command("pip install six"))
    assert [(one.lookup.name, one.place and one.place.line) for one in findings] == [
        ("flask", None), (ABSENT, 1), ("requests", 3), (ABSENT, 3), ("six", None),
    ]  # fmt: skip
    assert findings[1].place == Place("answer.md", 1, 14, 1, 14 + len(ABSENT))
    assert [one.lookup.name for one in distinct(findings)] == ["flask", ABSENT, "requests", "six"]


def test_what_is_vouched_for_is_not_judged() -> None:
    vouching = Vouching.of([ABSENT], [])
    findings = found(source_of_name(ABSENT), source_of_name("requests"), vouching=vouching)
    assert [one.lookup.reason for one in findings] == ["allowed", "registered"]


def test_nearest_names_are_told_of_absent_ones() -> None:
    absent, real = found(source_of_name("reqeusts"), source_of_name("requests"))
    assert absent.nearest[0] == "requests"
    assert list(real.nearest) == []


def test_the_summary_counts_names_and_unmapped_imports() -> None:
    text = "```python\nimport numpy, yaml, google.cloud.invented, numpy\n```\n"
    told = summary(distinct(found(answer(text), source_of_name(ABSENT))))
    assert (told.names, told.imports, told.unmapped, told.invented) == (4, 3, 1, 1)
    assert told.verdicts[Verdict.REAL] == 2
    assert told.unknown_share == 0.25
    assert told.unmapped_share == pytest.approx(1 / 3)


def test_imports_of_javascript_are_none_that_could_be_unmapped() -> None:
    told = summary(distinct(found(answer('```js\nimport _ from "lodash";\n```\n'))))
    assert (told.names, told.imports, told.unmapped_share) == (1, 0, None)


def test_conda_packages_are_unknown_and_no_reason_to_try_again() -> None:
    (one,) = found(answer("`conda install scipy`\n"))
    assert (one.lookup.verdict, one.lookup.reason) == (Verdict.UNKNOWN, "not-asked")
    assert not one.unanswered


def test_the_summary_of_nothing() -> None:
    told = summary([])
    assert (told.names, told.unknown_share, told.unmapped_share) == (0, None, None)
