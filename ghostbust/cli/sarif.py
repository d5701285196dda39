"""Verdicts as a SARIF 2.1.0 log or as GitHub annotations, which code hosts show beside the lines.

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
from ghostbust.records import (
    GateReport,
    GateResult,
    GateVerdict,
    Lookup,
    SuspectReason,
    Verdict,
    content_id,
)
from ghostbust.registries.names import VERSION_ABSENT, is_valid_name, purl, purl_of
from ghostbust.text import Place, visible

if TYPE_CHECKING:
    from ghostbust.cli.source_text import Unchecked
    from ghostbust.reports.document import NamedIn, Report
    from ghostbust.results import Checked


@dataclass(frozen=True, slots=True)
class Rule:
    """What logs and annotations report a verdict under: one for each verdict and reason."""

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
VERSION = "2.1.0"
FINGERPRINT, REPORT_FINGERPRINT = "ghostbustName/v1", "ghostbustReport/v1"
"""name the way the fingerprints are made; change with it"""
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
        Verdict.REAL,
        VERSION_ABSENT,
        "Version doesn't exist",
        "The registry has this package, but no version of it is what the text asks for.",
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
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
"""of GitHub Actions, by the level"""
_KINDS = {
    GateVerdict.PASS: ("pass", "none"),
    GateVerdict.FAIL: ("fail", "error"),
    GateVerdict.INCONCLUSIVE: ("open", "none"),
}
"""kind and level of a gate's result"""
_GATES = {
    "hallucination": "The rate of invented names, among those that could be judged, has to fall.",
    "volume": "Names that the base supports may not become fewer, nor names in all more.",
    "unknown": "The shares of unknown names, and of real ones that the base doesn't support, may"
    " not rise.",
    "faults": "Empty, malformed and looping answers may not become more.",
    "coding": "The candidate has to solve the coding tasks that the base solves.",
    "likelihood": "Right solutions of coding tasks have to stay as likely.",
}
"""what each gate asks for"""
_BY_VERDICT = {(rule.verdict, rule.reason): rule for rule in RULES}


def rule_of(lookup: Lookup) -> Rule | None:
    """The rule that a verdict falls under; None for what is nothing to report."""
    return _BY_VERDICT.get((lookup.verdict, lookup.reason))


def message(one: Checked) -> str:
    """One line for people: the name, the verdict, and what may have been meant."""
    like = f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""
    text = f"{one.ecosystem} package {one.name} is {one.verdict}: {one.evidence}{like}"
    return visible(text)


def sarif_log(findings: Sequence[Checked], skipped: Sequence[Unchecked] = ()) -> dict[str, object]:
    """The log as a JSON document; ``skipped``: what wasn't looked at."""
    reported = [(one, rule) for one in findings if (rule := rule_of(one))]
    used = [rule for rule in RULES if any(rule is other for _, other in reported)]
    seen: Counter[tuple[str, ...]] = Counter()
    results = []
    for one, rule in reported:
        # Without the line: the fingerprint stays when lines above it come and go.
        where = (rule.id, one.ecosystem, one.name, _path(one.place))
        seen[where] += 1
        fingerprint = content_id(*where, str(seen[where]))
        results.append(_result(one, rule, used.index(rule), fingerprint))
    descriptors = [_descriptor(rule) for rule in used]
    return _log(
        ghostbust.__version__, descriptors, results, invocations=[_invocation(findings, skipped)]
    )


def _log(
    version: str,
    rules: Sequence[object],
    results: Sequence[object],
    **more: object,
) -> dict[str, object]:
    """A log of one run."""
    driver = {"name": "ghostbust", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"version": VERSION, "runs": [run | more]}


def _descriptor(rule: Rule) -> dict[str, object]:
    """A rule as a log describes it."""
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["security", "supply-chain"]},
    }


def _result(one: Checked, rule: Rule, index: int, fingerprint: str) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": rule.level,
        "message": {"text": _text(message(one))},
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {
            "ecosystem": str(one.ecosystem),
            "name": one.name,
            "purl": purl_of(one.ref),
            "source": one.source,
            "nearest": list(one.nearest),
        },
    }
    if (place := one.place) is not None:
        region = {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        }
        location = {"artifactLocation": {"uri": _uri(place)}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _invocation(findings: Iterable[Checked], skipped: Iterable[Unchecked]) -> dict[str, object]:
    """Says, beside the results, whether everything could be asked for and was looked at."""
    unanswered = sum(one.unanswered for one in findings)
    notes = [("warning", f"not looked at: {one.what}: {one.why}") for one in skipped]
    if unanswered:
        text = f"{unanswered} of the places name a package that nobody could be asked for"
        notes.insert(0, ("error", text))
    invocation: dict[str, object] = {"executionSuccessful": unanswered == 0}
    if notes:
        invocation["toolExecutionNotifications"] = [
            {"level": level, "message": {"text": _text(text)}} for level, text in notes
        ]
    return invocation


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


def _text(text: str) -> str:
    """Visible text in which nothing is a link: SARIF reads ``[label](target)`` as one."""
    shown = visible(text)
    return shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def workflow_commands(
    findings: Iterable[Checked], skipped: Iterable[Unchecked] = ()
) -> Iterator[str]:
    """A workflow command of GitHub Actions for each place that `sarif_log` has a result for.

    Then one for each thing that wasn't looked at. A name can't break out of its line: what has a
    meaning there is percent-encoded, and control characters are shown as escapes.
    """
    for one in findings:
        if rule := rule_of(one):
            values = {"title": rule.title}
            if (place := one.place) is not None and place.path != "-":
                values |= {
                    "file": place.path,
                    "line": str(place.line),
                    "endLine": str(place.end_line),
                    "col": str(place.column),
                    "endColumn": str(place.end_column),
                }
            properties = ",".join(f"{key}={_property(value)}" for key, value in values.items())
            yield f"::{_COMMANDS[rule.level]} {properties}::{_data(message(one))}"
    for thing in skipped:
        yield f"::warning title=Not looked at::{_data(f'{thing.what}: {thing.why}')}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def report_log(report: Report) -> dict[str, object]:
    """A report as a log: a result for each invented name, and one for each gate.

    The results have no place in a file: they are about a model. Names are those of the report,
    shortened unless it reveals them; the fingerprint is a hash of the whole name.
    """
    named = [
        (one, rule) for one in report.names if (rule := _BY_VERDICT.get((one.verdict, one.reason)))
    ]
    rules = list(dict.fromkeys(rule for _, rule in named))
    gates = sorted({result.gate for gate in report.gates for result in gate.results})
    results = [_name_result(one, rule, revealed=report.revealed) for one, rule in named]
    results += [_gate_result(gate, result) for gate in report.gates for result in gate.results]
    gate_rules = [
        {"id": f"gate/{gate}", "shortDescription": {"text": _text(f"The gate {gate}")}}
        | ({"fullDescription": {"text": _GATES[gate]}} if gate in _GATES else {})
        for gate in gates
    ]
    return _log(
        report.version,
        [*map(_descriptor, rules), *gate_rules],
        results,
        automationDetails={"description": {"text": _text(report.title)}},
        invocations=[
            {"executionSuccessful": True, "endTimeUtc": f"{report.made:%Y-%m-%dT%H:%M:%SZ}"}
        ],
    )


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
        "properties": {
            "base": result.base,
            "candidate": result.candidate,
            "test": result.test,
            "olderMeasure": result.is_of_older_measure,
        },
    }
