"""``ghostbust check``: are these packages real?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS
from ghostbust.cli.options import AsOfOption, HomeOption, JsonOption, QuietOption, RegistryOption
from ghostbust.cli.output import Output, cell, print_json, table
from ghostbust.errors import UsageError
from ghostbust.records import Verdict

if TYPE_CHECKING:
    from ghostbust.cli.findings import Finding, Summary
    from ghostbust.cli.sources import Source

Format = Literal["table", "json", "sarif", "github"]
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
            help="requests, left-pad@npm, @scope/name@npm or a purl; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="Dependency file, code, notebook, or a text to extract from. Every word up to"
            " the next option is a file; may be repeated.",
        ),
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", help="Install command, such as 'pip install foo'.")
    ] = None,
    registry: RegistryOption = "auto",
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
            help="Settings file with check.allow and check.private; never ./ghostbust.toml.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say of each package whether it is real.

    Exits with 0 if nothing speaks against any of them, with 1 if one is absent or suspect, and
    with 3 if none is but one could not be asked for, or a part of a text could not be read.
    """
    if as_json and shape not in (None, "json"):
        raise UsageError(f"--json and --format {shape} exclude each other")
    shape = "json" if as_json else shape or "table"
    from ghostbust.cli.findings import find
    from ghostbust.cli.judging import open_judge
    from ghostbust.cli.vouching import npmrc_passed_over, passed_over, trusted_vouching
    from ghostbust.registries.judge import Mode

    output = Output(as_json=shape != "table", quiet=quiet)
    vouching = trusted_vouching(config, home)
    if passed_over(config):
        output.note("./ghostbust.toml isn't heard here: what is checked can't vouch for itself")
    if npmrc_passed_over():
        output.note("./.npmrc isn't heard here: what is checked can't say who is asked about it")
    sources = _sources(names or [], files or [], command)
    unread = _unread(sources)
    for part in unread:
        where = f"{part['file'] or 'the command'}, line {part['line']}"
        output.note(f"{where}: not read in whole: {part['reason']}")
    if not any(source.refs for source in sources):
        output.note("no package is named there: nothing to check")
    day = None if as_of is None else as_of.date()
    # The default can't hold for a day that has passed: only a snapshot is of that day.
    registry = "snapshot" if day is not None and registry == "auto" else registry
    with open_judge(Mode(registry), home, day) as judge:
        findings = find(judge, vouching, sources)
    _report(output, shape, registry, findings, unread)
    raise typer.Exit(_exit_code(findings, unread))


def _sources(names: Sequence[str], files: Sequence[Path], command: str | None) -> list[Source]:
    """Everything that is to be checked, in the order given. Raises UsageError."""
    from ghostbust.cli.sources import STDIN, read_source, source_of_command, source_of_name

    if not names and not files and command is None:
        raise UsageError("nothing to check: give names, --file FILE, --command or - (see --help)")
    sources = [read_source(name) if name == STDIN else source_of_name(name) for name in names]
    sources += [read_source(str(file)) for file in files]
    if command is not None:
        sources.append(source_of_command(command))
    return sources


def _unread(sources: Sequence[Source]) -> list[dict[str, object]]:
    """The parts of the texts that could not be read: file (null for an argument), line, reason."""
    return [
        {
            "file": source.path,
            "line": source.text.count("\n", 0, part.start) + 1,
            "reason": part.reason,
        }
        for source in sources
        for part in source.unread
    ]


def _exit_code(findings: Sequence[Finding], unread: Sequence[Mapping[str, object]]) -> int:
    """1 for a finding, else 3 for what nobody could say or read, else 0."""
    if any(one.lookup.invented for one in findings):
        return FINDINGS
    from ghostbust.cli.findings import distinct

    is_open = unread or any(one.unanswered for one in distinct(findings))
    return COULD_NOT_ASK if is_open else 0


def _report(
    output: Output,
    shape: Format,
    mode: str,
    findings: Sequence[Finding],
    unread: Sequence[Mapping[str, object]],
) -> None:
    """Prints the findings: each name once for people and as JSON, else each place."""
    from ghostbust.cli.annotations import workflow_commands
    from ghostbust.cli.findings import distinct, summary
    from ghostbust.cli.sarif import sarif_log

    match shape:
        case "table":
            _print_table(output, distinct(findings))
        case "json":
            names = distinct(findings)
            print_json(_document(mode, names, summary(names), unread), indent=2)
        case "sarif":
            print_json(sarif_log(findings, unread=len(unread)), indent=2)
        case "github":
            sys.stdout.writelines(f"{line}\n" for line in workflow_commands(findings))


def _print_table(output: Output, names: Sequence[Finding]) -> None:
    """The names, and a line that counts them."""
    from ghostbust.cli.findings import summary

    if not names:
        return
    rows = table("name", "ecosystem", "verdict", "reason", "evidence")
    for one in names:
        lookup = one.lookup
        like = f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""
        rows.add_row(
            cell(lookup.name),
            cell(lookup.ecosystem),
            cell(lookup.verdict, _STYLES[lookup.verdict]),
            cell(lookup.reason),
            cell(lookup.evidence + like),
        )
    output.result.print(rows)
    output.line(_counted(summary(names)))


def _counted(told: Summary) -> str:
    """One line such as ``3 names: 2 REAL, 1 UNKNOWN (33.3 %); 1 of 2 imports unmapped``."""
    parts = [f"{count} {verdict}" for verdict, count in told.verdicts.items() if count]
    if told.verdicts[Verdict.UNKNOWN] and told.unknown_share is not None:
        parts[-1] += f" ({told.unknown_share:.1%})"
    line = f"{told.names} {'name' if told.names == 1 else 'names'}: {', '.join(parts)}"
    if told.unmapped:
        line += f"; {told.unmapped} of {told.imports} imports can't be tied to a distribution"
    return line


def _document(
    mode: str, names: Sequence[Finding], told: Summary, unread: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """The JSON document that docs/reference/cli.md shows."""
    return {
        "registry": mode,
        "results": [_result(one) for one in names],
        "invented": told.invented,
        "unknown": told.verdicts[Verdict.UNKNOWN],
        "unknown_share": told.unknown_share,
        "imports": told.imports,
        "unmapped": told.unmapped,
        "unmapped_share": told.unmapped_share,
        "unread": unread,
    }


def _result(one: Finding) -> dict[str, object]:
    """One entry of the JSON document."""
    from ghostbust.cli.names import purl_of

    lookup, place = one.lookup, one.place
    return {
        "ecosystem": lookup.ecosystem,
        "name": lookup.name,
        "purl": purl_of(one.ref),
        "verdict": lookup.verdict,
        "reason": lookup.reason,
        "evidence": lookup.evidence,
        "source": lookup.source,
        "looked_up_at": lookup.looked_up_at,
        "nearest": list(one.nearest),
        "file": None if place is None else place.path,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
    }
