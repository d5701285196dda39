"""A report as a SARIF 2.1.0 log: a result for each invented name, and one for each gate.

The results have no place in a file: what they are about is a model. Names are those of the report,
redacted unless it reveals them; the fingerprint is a hash of the whole name.
"""

from __future__ import annotations

from ghostbust.cli.rules import Rule, rule_of
from ghostbust.cli.sarif import VERSION, descriptor, plain_text
from ghostbust.records import GateReport, GateResult, GateVerdict, Lookup, content_id
from ghostbust.registries.names import is_valid_name, purl
from ghostbust.reports.records import NamedIn, Report
from ghostbust.shown import visible

FINGERPRINT = "ghostbustReport/v1"
"""names the way the fingerprint is made; changes with it"""
_KINDS = {
    GateVerdict.PASS: ("pass", "none"),
    GateVerdict.FAIL: ("fail", "error"),
    GateVerdict.INCONCLUSIVE: ("open", "none"),
}


def report_log(report: Report) -> dict[str, object]:
    """The log as a JSON document."""
    named = [(one, rule) for one in report.names if (rule := _rule(one, report))]
    rules = list(dict.fromkeys(rule for _, rule in named))
    gates = sorted({result.gate for gate in report.gates for result in gate.results})
    results = [_name_result(one, rule, revealed=report.revealed) for one, rule in named]
    results += [_gate_result(gate, result) for gate in report.gates for result in gate.results]
    run = {
        "tool": {
            "driver": {
                "name": "ghostbust",
                "version": report.version,
                "rules": [*map(descriptor, rules), *map(_gate_descriptor, gates)],
            }
        },
        "automationDetails": {"description": {"text": _text(report.title)}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "endTimeUtc": _utc(report)}],
        "results": results,
    }
    return {"version": VERSION, "runs": [run]}


def _rule(one: NamedIn, report: Report) -> Rule | None:
    """The rule that ``check`` would report the name under."""
    lookup = Lookup(one.ecosystem, "", one.verdict, one.reason, "", "", report.made)
    return rule_of(lookup)


def _name_result(one: NamedIn, rule: Rule, *, revealed: bool) -> dict[str, object]:
    answers = f"{one.samples} {'answer names' if one.samples == 1 else 'answers name'}"
    known = revealed and is_valid_name(one.ecosystem, one.name)
    return {
        "ruleId": rule.id,
        "level": rule.level,
        "message": {"text": _text(f"{answers} the {one.ecosystem} package {one.name}")},
        "partialFingerprints": {FINGERPRINT: content_id(rule.id, one.key)},
        "occurrenceCount": one.samples,
        "properties": {
            "ecosystem": str(one.ecosystem),
            "name": visible(one.name),
            "purl": purl(one.ecosystem, one.name) if known else None,
        },
    }


def _gate_result(gate: GateReport, result: GateResult) -> dict[str, object]:
    kind, level = _KINDS[result.verdict]
    return {
        "ruleId": f"gate/{result.gate}",
        "kind": kind,
        "level": level,
        "message": {"text": _text(f"{gate.candidate}: {result.verdict}: {result.reason}")},
        "partialFingerprints": {FINGERPRINT: content_id(gate.candidate, result.gate)},
        "properties": {"base": result.base, "candidate": result.candidate},
    }


def _gate_descriptor(gate: str) -> dict[str, object]:
    return {"id": f"gate/{gate}", "shortDescription": {"text": _text(f"The gate {gate}")}}


def _utc(report: Report) -> str:
    return report.made.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(text: str) -> str:
    return plain_text(visible(text))
