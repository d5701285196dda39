"""``ghostbust check``: are these packages real?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS
from ghostbust.cli.options import AsOfOption, HomeOption, JsonOption, QuietOption, RegistryOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.errors import UsageError
from ghostbust.records import Judged, Lookup, PackageRef, Verdict

if TYPE_CHECKING:
    from ghostbust.registries.judge import Judge

NOT_ASKED = ("unreachable", "not-in-snapshot")
"""reasons of an UNKNOWN that another try, or another ``--registry``, may settle"""
_STYLES = {
    Verdict.REAL: "green",
    Verdict.BUILTIN: "green",
    Verdict.SUSPECT: "bold red",
    Verdict.ABSENT: "bold red",
    Verdict.UNKNOWN: "yellow",
}


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="requests, left-pad@npm, @scope/name@npm or a purl; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="Dependency file, code, notebook, or a text to extract from. May be repeated.",
        ),
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", help="Install command, such as 'pip install foo'.")
    ] = None,
    registry: RegistryOption = "auto",
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say of each package whether it is real.

    Exits with 0 if nothing speaks against any of them, with 1 if one is absent or suspect, and
    with 3 if none is but one could not be asked for.
    """
    from ghostbust.cli.judging import open_judge
    from ghostbust.registries.judge import Mode

    output = Output(as_json=as_json, quiet=quiet)
    refs = _refs(names or [], files or [], command)
    if not refs:
        output.note("no package is named there: nothing to check")
    day = None if as_of is None else as_of.date()
    # The default can't hold for a day that has passed: only a snapshot is of that day.
    registry = "snapshot" if day is not None and registry == "auto" else registry
    with open_judge(Mode(registry), home, day) as judge:
        judged = _distinct(judge.refs(refs))
        nearest = _nearest(judge, judged)
    _report(output, registry, judged, nearest)
    raise typer.Exit(_exit_code([one.lookup for one in judged]))


def _refs(names: Sequence[str], files: Sequence[Path], command: str | None) -> list[PackageRef]:
    """Everything that is to be checked, in the order given. Raises UsageError."""
    from ghostbust.cli.sources import STDIN, ref_of, refs_in, refs_of_command

    if not names and not files and command is None:
        raise UsageError("nothing to check: give names, --file FILE, --command or - (see --help)")
    refs: list[PackageRef] = []
    for name in names:
        if name == STDIN:
            refs += refs_in(STDIN)
        elif ref := ref_of(name):
            refs.append(ref)
    for file in files:
        refs += refs_in(str(file))
    if command is not None:
        refs += refs_of_command(command)
    return refs


def _distinct(judged: Sequence[Judged]) -> list[Judged]:
    """Each name once, in order; a verdict comes before an UNKNOWN on the same name."""
    found: dict[tuple[str, str], Judged] = {}
    for one in judged:
        key = (one.lookup.ecosystem, one.lookup.name)
        if key not in found or found[key].lookup.verdict is Verdict.UNKNOWN:
            found[key] = one
    return list(found.values())


def _nearest(judge: Judge, judged: Sequence[Judged]) -> dict[Judged, list[str]]:
    """For each absent name the popular ones that look like it."""
    from ghostbust.registries.nearest import NearestNames

    absent = [one for one in judged if one.lookup.verdict is Verdict.ABSENT]
    known = {
        ecosystem: NearestNames(judge.snapshots[ecosystem])
        for ecosystem in {one.lookup.ecosystem for one in absent}
        if ecosystem in judge.snapshots
    }
    return {
        one: known[one.lookup.ecosystem].of(one.lookup.name)
        for one in absent
        if one.lookup.ecosystem in known
    }


def _exit_code(lookups: Sequence[Lookup]) -> int:
    """1 for a finding, else 3 for what nobody could say, else 0."""
    if any(lookup.invented for lookup in lookups):
        return FINDINGS
    return COULD_NOT_ASK if any(lookup.reason in NOT_ASKED for lookup in lookups) else 0


def _report(
    output: Output, mode: str, judged: Sequence[Judged], nearest: dict[Judged, list[str]]
) -> None:
    """Prints the verdicts as a table, or as the JSON document that docs/reference/cli.md shows."""
    rows = table("name", "ecosystem", "verdict", "reason", "evidence")
    for one in judged:
        lookup = one.lookup
        like = f"; nearest: {', '.join(nearest[one])}" if nearest.get(one) else ""
        rows.add_row(
            cell(lookup.name),
            cell(lookup.ecosystem),
            cell(lookup.verdict, _STYLES[lookup.verdict]),
            cell(lookup.reason),
            cell(lookup.evidence + like),
        )
    if judged:
        output.result.print(rows)
    output.document(
        {
            "registry": mode,
            "results": [_result(one, nearest.get(one, [])) for one in judged],
            "invented": sum(one.lookup.invented for one in judged),
            "unknown": sum(one.lookup.verdict is Verdict.UNKNOWN for one in judged),
        }
    )


def _result(judged: Judged, nearest: Sequence[str]) -> dict[str, object]:
    """One entry of the JSON document."""
    from ghostbust.cli.sources import purl_of

    lookup = judged.lookup
    return {
        "ecosystem": lookup.ecosystem,
        "name": lookup.name,
        "purl": purl_of(judged.ref),
        "verdict": lookup.verdict,
        "reason": lookup.reason,
        "evidence": lookup.evidence,
        "source": lookup.source,
        "looked_up_at": lookup.looked_up_at,
        "nearest": list(nearest),
    }
