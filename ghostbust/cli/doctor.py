"""``ghostbust doctor``: is everything here that ghostbust needs?"""

from __future__ import annotations

import typer

from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table

BROKEN = 2


def doctor(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Check this installation, and say what to do about what is wrong.

    Downloads nothing. Asks the configured model servers, and each registry for one name, unless
    registry.mode is snapshot. Exits with 2 if something is broken; a warning leaves it at 0.
    """
    from ghostbust.cli.doctor_checks import examine
    from ghostbust.cli.finding import Level

    styles = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
    output = Output(as_json=as_json)
    findings = []
    rows = table("", "check", "found", "what to do")
    for finding in examine(home, config):
        findings.append(finding)
        rows.add_row(
            cell(finding.level, styles[finding.level]),
            cell(finding.check),
            cell(finding.said),
            cell(finding.todo),
        )
    output.result.print(rows)
    broken = sum(finding.level is Level.FAIL for finding in findings)
    output.document({"ok": not broken, "checks": findings})
    raise typer.Exit(BROKEN if broken else 0)
