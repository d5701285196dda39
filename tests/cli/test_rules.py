"""The rules that logs and annotations report under."""

from __future__ import annotations

import pytest

from ghostbust.cli.findings import NOT_ASKED, Finding
from ghostbust.cli.sarif import RULES, message, rule_of
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.names import manifest_ref


def lookup(verdict: Verdict, reason: str, name: str = "x") -> Lookup:
    return Lookup(Ecosystem.PYPI, name, verdict, reason, "because", "rule", utc_now())


def test_there_is_one_for_each_reason_to_object() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    reasons = {rule.reason for rule in RULES if rule.verdict is Verdict.SUSPECT}
    assert reasons == set(SuspectReason)
    assert {rule.reason for rule in RULES if rule.verdict is Verdict.UNKNOWN} == set(NOT_ASKED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_of(rule: object) -> None:
    found = next(one for one in RULES if one is rule)
    assert rule_of(lookup(found.verdict, found.reason)) is rule


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(Verdict.REAL, "registered"), (Verdict.BUILTIN, "builtin"), (Verdict.UNKNOWN, "no-mapping")],
)
def test_what_is_nothing_to_report(verdict: Verdict, reason: str) -> None:
    assert rule_of(lookup(verdict, reason)) is None


def test_a_message_names_what_may_have_been_meant_and_no_control_characters() -> None:
    told = lookup(Verdict.ABSENT, "not-registered", "x\x1b\n")
    ref = manifest_ref(Ecosystem.PYPI, "x")
    assert message(Finding(ref, told, None, ["y"])) == (
        "pypi package x\\x1b\\n is ABSENT: because; nearest: y"
    )
