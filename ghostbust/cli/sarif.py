"""Findings as a SARIF 2.1.0 log, which code hosts show beside the lines that it names.

One result for each place that names a package which is ABSENT or SUSPECT, or which nobody could
be asked for. The property names are those of the OASIS standard.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import ghostbust
from ghostbust.cli.findings import Finding
from ghostbust.cli.names import purl_of
from ghostbust.cli.places import Place
from ghostbust.cli.rules import RULES, Rule, message, rule_of
from ghostbust.records import content_id

VERSION = "2.1.0"
FINGERPRINT = "ghostbustName/v1"
"""names the way the fingerprint is made; changes with it"""


def sarif_log(findings: Sequence[Finding], *, unread: int = 0) -> dict[str, object]:
    """The log as a JSON document. ``unread``: parts of the texts that could not be read."""
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
        "invocations": [_invocation(findings, unread)],
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


def _invocation(findings: Iterable[Finding], unread: int) -> dict[str, object]:
    """Says, beside the results, whether everything could be read and asked for."""
    unanswered = sum(one.unanswered for one in findings)
    told: dict[str, object] = {"executionSuccessful": not (unanswered or unread)}
    texts = []
    if unanswered:
        texts.append(f"{unanswered} of the places name a package that nobody could be asked for")
    if unread:
        texts.append(f"{unread} parts of the texts take too much to be read in whole")
    if texts:
        told["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": text}} for text in texts
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
