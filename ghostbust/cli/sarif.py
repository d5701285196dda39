"""Findings as a SARIF 2.1.0 log, which code hosts show beside the lines that it names.

One result for each place that names a package which is ABSENT or SUSPECT, or which nobody could
be asked for. The property names are those of the OASIS standard.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import ghostbust
from ghostbust.cli.findings import Finding
from ghostbust.records import (
    GateReport,
    GateResult,
    GateVerdict,
    Lookup,
    SuspectReason,
    Verdict,
    content_id,
)
from ghostbust.registries.names import is_valid_name, purl, purl_of
from ghostbust.reports.document import NamedIn, Report
from ghostbust.text import Place, visible

if TYPE_CHECKING:
    from ghostbust.cli.sources import Skipped


# --- rules
# The rules under which SARIF logs and annotations report: one for each verdict and reason.


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding."""

    verdict: Verdict
    reason: str
    title: str
    explanation: str
    level: Literal["error", "warning", "note"] = "error"

    @property
    def id(self) -> str:
        """Stable id, such as ``absent/not-registered``."""
        return f"{self.verdict.lower()}/{self.reason}"


_SUSPECT = {
    SuspectReason.PLACEHOLDER: "is registered to hold its name, and holds no package",
    SuspectReason.RESEARCH_SQUAT: "was registered by people who study invented names",
    SuspectReason.SECURITY_HOLDING: "is held by the registry or a company so that nobody else can",
    SuspectReason.QUARANTINED: "was quarantined by its registry",
    SuspectReason.NO_RELEASES: "is registered without any release",
    SuspectReason.DECOY: "stands in for another package",
    SuspectReason.YOUNGER_THAN_MODEL: "is younger than what the model can have learnt",
    SuspectReason.CLAIMED: "was invented first and registered afterwards: a likely slopsquat",
}
RULES: tuple[Rule, ...] = (
    Rule(
        Verdict.ABSENT,
        "not-registered",
        "Package doesn't exist",
        "The registry has no package of this name. Whoever registers it decides what gets"
        " installed.",
    ),
    Rule(
        Verdict.ABSENT,
        "invalid-name",
        "No possible package name",
        "The registry's rules forbid such a name, so there is no such package.",
    ),
    *(
        Rule(
            Verdict.SUSPECT,
            str(reason),
            f"Suspect package: {reason}",
            f"The registry has this name, but the package {said}.",
        )
        for reason, said in _SUSPECT.items()
    ),
    Rule(
        Verdict.UNKNOWN,
        "unreachable",
        "Registry gave no answer",
        "The registry gave no usable answer, so nothing is known of this name. Try again.",
        "warning",
    ),
    Rule(
        Verdict.UNKNOWN,
        "not-in-snapshot",
        "Not in the snapshot",
        "The snapshot isn't complete and doesn't have this name. Ask with --registry auto.",
        "warning",
    ),
    Rule(
        Verdict.UNKNOWN,
        "private-index",
        "Index that nobody trusts",
        "The public registry lacks this name, and the index that the text names instead wasn't"
        " asked. Set it in your own pip or npm configuration, or vouch for the name.",
        "warning",
    ),
)
_BY_VERDICT = {(rule.verdict, rule.reason): rule for rule in RULES}


def rule_of(lookup: Lookup) -> Rule | None:
    """The rule that a verdict falls under; None for what is nothing to report."""
    return _BY_VERDICT.get((lookup.verdict, lookup.reason))


def message(one: Finding) -> str:
    """One line for a person: which name, what of it, and what may have been meant."""
    lookup = one.lookup
    like = f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""
    text = f"{lookup.ecosystem} package {lookup.name} is {lookup.verdict}: {lookup.evidence}{like}"
    return visible(text)


VERSION = "2.1.0"
FINGERPRINT = "ghostbustName/v1"
"""names the way the fingerprint is made; changes with it"""


def sarif_log(findings: Sequence[Finding], skipped: Sequence[Skipped] = ()) -> dict[str, object]:
    """The log as a JSON document; ``skipped``: what wasn't looked at."""
    reported = [(one, rule) for one in findings if (rule := rule_of(one.lookup))]
    used = [rule for rule in RULES if any(rule is other for _, other in reported)]
    seen: Counter[tuple[str, ...]] = Counter()
    results = []
    for one, rule in reported:
        told = (rule.id, one.lookup.ecosystem, one.lookup.name, _path(one.place))
        seen[told] += 1
        results.append(_result(one, rule, used.index(rule), content_id(*told, str(seen[told]))))
    driver = {
        "name": "ghostbust",
        "version": ghostbust.__version__,
        "rules": [descriptor(rule) for rule in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(findings, skipped)],
        "results": results,
    }
    return {"version": VERSION, "runs": [run]}


def descriptor(rule: Rule) -> dict[str, object]:
    """A rule as a log describes it."""
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["security", "supply-chain"]},
    }


def _result(one: Finding, rule: Rule, index: int, fingerprint: str) -> dict[str, object]:
    """A result; its fingerprint stays when lines above it come and go."""
    result: dict[str, object] = {
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": rule.level,
        "message": {"text": plain_text(message(one))},
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {
            "ecosystem": str(one.lookup.ecosystem),
            "name": one.lookup.name,
            "purl": purl_of(one.ref),
            "source": one.lookup.source,
            "nearest": list(one.nearest),
        },
    }
    if one.place is not None:
        result["locations"] = [{"physicalLocation": _location(one.place)}]
    return result


def _location(place: Place) -> dict[str, object]:
    return {
        "artifactLocation": {"uri": _uri(place)},
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    }


def _invocation(findings: Iterable[Finding], skipped: Iterable[Skipped]) -> dict[str, object]:
    """Says, beside the results, whether everything could be asked for and was looked at."""
    unanswered = sum(one.unanswered for one in findings)
    notes = [("warning", f"not looked at: {one.what}: {one.why}") for one in skipped]
    if unanswered:
        text = f"{unanswered} of the places name a package that nobody could be asked for"
        notes.insert(0, ("error", text))
    told: dict[str, object] = {"executionSuccessful": unanswered == 0}
    if notes:
        told["toolExecutionNotifications"] = [
            {"level": level, "message": {"text": plain_text(visible(text))}}
            for level, text in notes
        ]
    return told


def _uri(place: Place) -> str:
    """A file below the current folder by its relative path, any other by its whole one."""
    path = _path(place)
    return f"file://{quote(path)}" if path.startswith("/") else quote(path)


def _path(place: Place | None) -> str:
    """What stands for a file in the log: the same from whichever folder above it was asked."""
    if place is None:
        return ""
    if place.path == "-":
        return "stdin"
    whole = Path(os.path.abspath(place.path))  # noqa: PTH100 (a link stays what it is)
    here = Path.cwd()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def plain_text(text: str) -> str:
    """Text in which nothing is a link: SARIF reads ``[label](target)`` as one, unless escaped."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


# --- annotations
# Findings as workflow commands of GitHub Actions, one line each, shown beside the code.
#
# A name can't break out of its line: what has a meaning there is percent-encoded, and control
# characters are shown as escapes.

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def workflow_commands(
    findings: Iterable[Finding], skipped: Iterable[Skipped] = ()
) -> Iterator[str]:
    """One line for each place that names what isn't to be trusted, or couldn't be asked for.

    Then one for each thing that wasn't looked at.
    """
    for one in findings:
        if rule := rule_of(one.lookup):
            told = {"title": rule.title}
            if (place := one.place) is not None and place.path != "-":
                told |= {
                    "file": place.path,
                    "line": str(place.line),
                    "endLine": str(place.end_line),
                    "col": str(place.column),
                    "endColumn": str(place.end_column),
                }
            properties = ",".join(f"{key}={_property(value)}" for key, value in told.items())
            yield f"::{_COMMANDS[rule.level]} {properties}::{_data(message(one))}"
    for thing in skipped:
        yield f"::warning title=Not looked at::{_data(f'{thing.what}: {thing.why}')}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- report_sarif
# A report as a SARIF 2.1.0 log: a result for each invented name, and one for each gate.
#
# The results have no place in a file: what they are about is a model. Names are those of the
# report,
# redacted unless it reveals them; the fingerprint is a hash of the whole name.

REPORT_FINGERPRINT = "ghostbustReport/v1"
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
        "partialFingerprints": {REPORT_FINGERPRINT: content_id(rule.id, one.key)},
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
        "partialFingerprints": {REPORT_FINGERPRINT: content_id(gate.candidate, result.gate)},
        "properties": {"base": result.base, "candidate": result.candidate},
    }


def _gate_descriptor(gate: str) -> dict[str, object]:
    return {"id": f"gate/{gate}", "shortDescription": {"text": _text(f"The gate {gate}")}}


def _utc(report: Report) -> str:
    return report.made.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(text: str) -> str:
    return plain_text(visible(text))
