"""Findings as workflow commands of GitHub Actions, one line each, shown beside the code.

A name can't break out of its line: what has a meaning there is percent-encoded, and control
characters are shown as escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ghostbust.cli.findings import Finding
from ghostbust.cli.rules import message, rule_of
from ghostbust.shown import visible

if TYPE_CHECKING:
    from ghostbust.cli.sources import Skipped

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
