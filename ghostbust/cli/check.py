"""``ghostbust check``: are these packages real?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text
from typer.core import TyperCommand

from ghostbust.cli.context import npmrc_ignored
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, NOT_LOOKED_AT
from ghostbust.cli.options import (
    AsOfOption,
    HomeOption,
    JsonOption,
    QuietOption,
    RegistryModeOption,
)
from ghostbust.cli.output import Output, cell, print_json, table
from ghostbust.errors import UsageError
from ghostbust.records import Verdict
from ghostbust.text import visible

if TYPE_CHECKING:
    from ghostbust.cli.findings import Finding
    from ghostbust.cli.sources import Skipped
    from ghostbust.results import Summary

Format = Literal["table", "json", "sarif", "github"]
_MOST_LINES = 20
_FILE_OPTIONS = ("-f", "--file")
_STYLES = {
    Verdict.REAL: "green",
    Verdict.BUILTIN: "green",
    Verdict.SUSPECT: "bold red",
    Verdict.ABSENT: "bold red",
    Verdict.UNKNOWN: "yellow",
}


class CheckCommand(TyperCommand):
    """Lets ``-f`` take every word up to the next option: ``-f a.txt b.json`` is two files."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts ``-f`` in front of each further file, then parses as usual."""
        spread: list[str] = []
        in_files = False
        for index, word in enumerate(args):
            if word == "--":
                return super().parse_args(ctx, spread + args[index:])
            if in_files and spread[-1] not in _FILE_OPTIONS and not _is_option(word):
                spread.append(_FILE_OPTIONS[0])
            elif _is_option(word):
                in_files = word in _FILE_OPTIONS
            spread.append(word)
        return super().parse_args(ctx, spread)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="requests, left-pad@npm, @scope/name@npm or a purl; a path (./x, package.json, .)"
            " is read like -f; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="Dependency or lock file, code, notebook, a text to extract from, or a folder."
            " Every word up to the next option is one; may be repeated.",
        ),
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", help="Install command, such as 'pip install foo'.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Files and folders to leave out of a folder, by name or path; may be repeated.",
        ),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Print every place in files, not only the problems.")
    ] = False,
    comments: Annotated[
        bool,
        typer.Option(
            "--comments/--no-comments",
            help="Whether a line's comment 'ghostbust: ignore[why]' counts; not where you don't"
            " trust who wrote it.",
        ),
    ] = True,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    shape: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="How the result is written; github: annotations.",
            show_default="table",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            show_default="the home folder's",
            help="Settings file with check.allow, check.private and registry.mode; never"
            " ./ghostbust.toml.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say of each package whether it is real.

    Exits with 0 if nothing speaks against any of them, with 1 if one is absent or suspect, with 3
    if none is but one could not be asked for, and with 4 if all that is left is that something
    wasn't looked at.
    """
    if as_json and shape not in (None, "json"):
        raise UsageError(f"--json and --format {shape} exclude each other")
    shape = "json" if as_json else shape or "table"
    from ghostbust.cli.context import open_judge
    from ghostbust.cli.findings import find
    from ghostbust.cli.gathering import OwnCode, gather, passed_over, trusted_vouching
    from ghostbust.home import Home
    from ghostbust.registries.judge import Mode, asked_of

    output = Output(as_json=shape != "table", quiet=quiet)
    vouching = trusted_vouching(config, home)
    if passed_over(config):
        output.note("./ghostbust.toml isn't heard here: what is checked can't vouch for itself")
    if npmrc_ignored(Home.find(home)):
        output.note("./.npmrc isn't heard here: what is checked can't say who is asked about it")
    if not names and not files and command is None:
        raise UsageError("nothing to check: give names, --file FILE, --command or - (see --help)")
    gathered = gather(names or [], [str(file) for file in files or []], command, exclude or [])
    for line in gathered.notes:
        output.note(line)
    if not any(source.refs for source in gathered.sources):
        output.note("no package is named there: nothing to check")
    mode, day = asked_of(
        None if registry is None else Mode(registry),
        None if as_of is None else as_of.date(),
        Home.find(home),
        config,
    )
    with open_judge(mode, home, day) as judge:
        own = OwnCode(gathered.folders, heed_comments=comments)
        findings = find(judge, vouching, gathered.sources, own)
    _report(output, shape, mode, findings, gathered.skipped, show_all=show_all)
    raise typer.Exit(_exit_code(findings, gathered.skipped))


def _exit_code(findings: Sequence[Finding], skipped: Sequence[Skipped]) -> int:
    """1 for a finding, else 3 for what nobody could say, 4 for what nobody looked at, 0."""
    if any(one.lookup.invented for one in findings):
        return FINDINGS
    from ghostbust.cli.findings import distinct

    names = distinct(findings)
    if any(one.unanswered for one in names):
        return COULD_NOT_ASK
    return NOT_LOOKED_AT if skipped or any(one.unasked for one in names) else 0


def _report(
    output: Output,
    shape: Format,
    mode: str,
    findings: Sequence[Finding],
    skipped: Sequence[Skipped],
    *,
    show_all: bool,
) -> None:
    """Prints the findings: for people the problems, as JSON each name once, else each place."""
    from ghostbust.cli.findings import distinct
    from ghostbust.cli.sarif import sarif_log, workflow_commands
    from ghostbust.results import summary

    match shape:
        case "table":
            _print_names(output, [one for one in findings if one.place is None])
            _print_places(output, findings, show_all=show_all)
            _print_skipped(output, skipped)
            if findings:
                output.line(_counted(summary(distinct(findings))))
        case "json":
            names = distinct(findings)
            print_json(_document(mode, names, summary(names), skipped), indent=2)
        case "sarif":
            print_json(sarif_log(findings, skipped), indent=2)
        case "github":
            lines = workflow_commands(findings, skipped)
            sys.stdout.writelines(f"{line}\n" for line in lines)


def _print_names(output: Output, given: Sequence[Finding]) -> None:
    """A table of the names that were given as such, whatever is said of them."""
    from ghostbust.cli.findings import distinct

    if not given:
        return
    rows = table("name", "ecosystem", "verdict", "reason", "evidence")
    for one in distinct(given):
        lookup = one.lookup
        rows.add_row(
            cell(lookup.name),
            cell(lookup.ecosystem),
            cell(lookup.verdict, _STYLES[lookup.verdict]),
            cell(lookup.reason),
            cell(lookup.evidence + _like(one)),
        )
    output.result.print(rows)


def _print_places(output: Output, findings: Sequence[Finding], *, show_all: bool) -> None:
    """A line for each place in files that is a problem, or for every place, file by file."""
    for one in findings:
        if one.place is None or not (show_all or one.is_problem):
            continue
        place, lookup = one.place, one.lookup
        line = Text(visible(f"{place.path}:{place.line}:{place.column}: "))
        line.append(str(lookup.verdict), _STYLES[lookup.verdict])
        about = f"{lookup.ecosystem}, {lookup.reason}"
        line.append(visible(f" {lookup.name} ({about}): {lookup.evidence}{_like(one)}"))
        output.result.print(line, soft_wrap=True)


def _like(one: Finding) -> str:
    return f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""


def _print_skipped(output: Output, skipped: Sequence[Skipped]) -> None:
    """A line for each thing that wasn't looked at, up to twenty, and one that counts the others."""
    for one in skipped[:_MOST_LINES]:
        output.line(f"not looked at: {one.what}: {one.why}", "yellow")
    if len(skipped) > _MOST_LINES:
        output.line(f"not looked at: {len(skipped) - _MOST_LINES} more", "yellow")


def _counted(told: Summary) -> str:
    """One line such as ``3 names: 2 REAL, 1 UNKNOWN (33.3 %); 1 of 2 imports unmapped``."""
    parts = [f"{count} {verdict}" for verdict, count in told.verdicts.items() if count]
    if told.verdicts[Verdict.UNKNOWN] and told.unknown_share is not None:
        parts[-1] += f" ({told.unknown_share:.1%})"
    line = f"{told.names} {'name' if told.names == 1 else 'names'}: {', '.join(parts)}"
    if told.unmapped:
        line += f"; {told.unmapped} of {told.imports} imports can't be tied to a distribution"
    if told.own:
        line += f"; {told.own} the checkout's own"
    if told.ignored:
        line += f"; {told.ignored} ignored by comments (--no-comments judges them)"
    return line


def _document(
    mode: str, names: Sequence[Finding], told: Summary, skipped: Sequence[Skipped]
) -> dict[str, object]:
    """The JSON document that docs/reference/cli.md shows."""
    return {
        "registry": mode,
        "results": [_result(one) for one in names],
        **told.to_dict(),
        "not_looked_at": [{"what": one.what, "why": one.why} for one in skipped],
    }


def _result(one: Finding) -> dict[str, object]:
    """One entry of the JSON document."""
    from ghostbust.results import checked_document

    place = one.place
    return {
        **checked_document(one.ref, one.lookup, one.nearest),
        "file": None if place is None else place.path,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
    }
