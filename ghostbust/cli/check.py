"""``ghostbust check``: are these packages real?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with, npmrc_ignored, open_judge
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, NOT_LOOKED_AT
from ghostbust.cli.help import HelpCommand
from ghostbust.cli.options import AsOfOption, RegistryModeOption
from ghostbust.cli.output import Output, cell, print_json
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.text import visible

if TYPE_CHECKING:
    from ghostbust.cli.source_text import Unchecked
    from ghostbust.home import Home
    from ghostbust.registries.judge import Judge
    from ghostbust.results import Checked, CheckedList

Format = Literal["table", "json", "sarif", "github"]
_MOST_LINES = 20
"""of what wasn't looked at"""
_FILE_OPTIONS = ("-f", "--file")
_STYLES = {
    Verdict.REAL: "green",
    Verdict.BUILTIN: "green",
    Verdict.SUSPECT: "bold red",
    Verdict.ABSENT: "bold red",
    Verdict.UNKNOWN: "yellow",
}


class CheckCommand(HelpCommand):
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


@invoked_with("home", "as_json", "quiet")
def check(
    cli: Invocation,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
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
        str | None,
        typer.Option(
            "--command", metavar="COMMAND", help="Install command, such as 'pip install foo'."
        ),
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
    sarif: Annotated[
        Path | None,
        typer.Option("--sarif", metavar="FILE", help="Write a SARIF log there, too."),
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
) -> None:
    """Say of each package whether it is real.

    Exits with 0 if nothing speaks against any of them, with 1 if one is absent or suspect, with 3
    if none is but one could not be asked for, and with 4 if all that is left is that something
    wasn't looked at.
    """
    if cli.output.as_json and shape not in (None, "json"):
        raise UsageError(f"--json and --format {shape} exclude each other")
    shape = "json" if cli.output.as_json else shape or "table"
    from ghostbust.cli.gathering import gather
    from ghostbust.cli.judging import (
        OwnCode,
        is_vouching_ignored,
        judge_sources,
        trusted_vouching,
    )
    from ghostbust.registries.judge import Mode, asked_of
    from ghostbust.results import CheckedList

    vouching = trusted_vouching(config, cli.home)
    if is_vouching_ignored(config):
        cli.output.note("./ghostbust.toml is ignored here: what is checked can't vouch for itself")
    if npmrc_ignored(cli.home):
        cli.output.note("./.npmrc is ignored here: what is checked can't say who is asked about it")
    if not names and not files and command is None:
        raise UsageError("nothing to check: give names, --file FILE, --command or - (see --help)")
    gathered = gather(names or [], [str(file) for file in files or []], command, exclude or [])
    for line in gathered.notes:
        cli.output.note(line)
    if not any(source.refs for source in gathered.sources):
        cli.output.note("no package is named there: nothing to check")
    asked = None if registry is None else Mode(registry)
    mode, day = asked_of(asked, as_of, cli.home, config)
    with open_judge(mode, cli.home_path, day) as judge:
        own = OwnCode(gathered.folders, heed_comments=comments)
        found = judge_sources(judge, vouching, gathered.sources, own)
    checked = CheckedList(found, str(mode))
    if sarif is not None:
        _write_sarif(sarif, checked, gathered.skipped)
    _report(cli.output, shape, checked, gathered.skipped, show_all=show_all)
    code = _exit_code(checked, gathered.skipped)
    if code == COULD_NOT_ASK and (offer := _offer(checked, judge, cli.home)):
        cli.output.note(offer)
    raise typer.Exit(code)


def _exit_code(checked: CheckedList, skipped: Sequence[Unchecked]) -> int:
    """1 for a finding, else 3 for what nobody could say, 4 for what nobody looked at, 0."""
    names = checked.distinct()
    if any(one.is_finding for one in names):
        return FINDINGS
    if any(one.unanswered for one in names):
        return COULD_NOT_ASK
    return NOT_LOOKED_AT if skipped or any(one.unasked for one in names) else 0


def _offer(checked: CheckedList, judge: Judge, home: Home) -> str:
    """What makes more of npm known, where npm's names were open; empty where they weren't."""
    npm = [one for one in checked.distinct() if one.unanswered and one.ecosystem is Ecosystem.NPM]
    if not npm:
        return ""
    snapshot = judge.snapshots.get(Ecosystem.NPM)
    if snapshot is None or snapshot.path.parent != home.registry:
        return "to know all of npm's names offline: ghostbust registry sync --ecosystem npm"
    return f"npm's list is of {snapshot.date}; newer: ghostbust registry sync --ecosystem npm"


def _report(
    output: Output,
    shape: Format,
    checked: CheckedList,
    skipped: Sequence[Unchecked],
    *,
    show_all: bool,
) -> None:
    """Prints the findings: for people the problems, as JSON each name once, else each place."""
    match shape:
        case "table":
            _print_names(output, checked)
            _print_places(output, checked, show_all=show_all)
            _print_skipped(output, skipped)
            if checked:
                output.line(_counts(checked))
        case "json":
            print_json(checked.to_dict() | {"not_looked_at": skipped}, indent=2)
        case "sarif":
            from ghostbust.cli.sarif import sarif_log

            print_json(sarif_log(checked, skipped), indent=2)
        case "github":
            from ghostbust.cli.sarif import workflow_commands

            sys.stdout.writelines(f"{line}\n" for line in workflow_commands(checked, skipped))


def _write_sarif(path: Path, checked: CheckedList, skipped: Sequence[Unchecked]) -> None:
    from ghostbust.cli.sarif import sarif_log
    from ghostbust.documents import json_text
    from ghostbust.files import SHARED, write_whole

    text = json_text(sarif_log(checked, skipped), indent=2) + "\n"
    write_whole(path, text, mode=SHARED, error=UsageError)


def _print_names(output: Output, checked: CheckedList) -> None:
    """A table of the names that were given as such, whatever the verdict on them."""
    from ghostbust.results import CheckedList

    given = CheckedList((one for one in checked if one.place is None), checked.registry)
    if given:
        output.table(
            ("name", "ecosystem", "verdict", "reason", "evidence"),
            (
                (
                    one.name, one.ecosystem, cell(one.verdict, _STYLES[one.verdict]), one.reason,
                    one.evidence + _nearest(one),
                )
                for one in given.distinct()
            ),
        )  # fmt: skip


def _print_places(output: Output, checked: Sequence[Checked], *, show_all: bool) -> None:
    """A line for each place in files that is a problem, or for every place, file by file."""
    for one in checked:
        if one.place is not None and (show_all or one.is_problem):
            line = cell(f"{one.place.path}:{one.line}:{one.column}: ")
            line.append(str(one.verdict), _STYLES[one.verdict])
            about = f"{one.ecosystem}, {one.reason}"
            line.append(visible(f" {one.name} ({about}): {one.evidence}{_nearest(one)}"))
            output.result.print(line, soft_wrap=True)


def _nearest(one: Checked) -> str:
    return f"; nearest: {', '.join(one.nearest)}" if one.nearest else ""


def _print_skipped(output: Output, skipped: Sequence[Unchecked]) -> None:
    """A line for each thing that wasn't looked at, and after twenty one that counts the others."""
    for one in skipped[:_MOST_LINES]:
        output.line(f"not looked at: {one.what}: {one.why}", "yellow")
    if len(skipped) > _MOST_LINES:
        output.line(f"not looked at: {len(skipped) - _MOST_LINES} more", "yellow")


def _counts(checked: CheckedList) -> str:
    """One line such as ``3 names: 2 REAL, 1 UNKNOWN (33.3 %); 1 of 2 imports unmapped``."""
    from ghostbust.results import Summary

    counts = Summary.of(checked.distinct())
    parts = [f"{count} {verdict}" for verdict, count in counts.verdicts.items() if count]
    if counts.unknown and counts.unknown_share is not None:
        parts[-1] += f" ({counts.unknown_share:.1%})"
    line = f"{counts.names} {'name' if counts.names == 1 else 'names'}: {', '.join(parts)}"
    if counts.unmapped:
        line += f"; {counts.unmapped} of {counts.imports} imports can't be tied to a distribution"
    if counts.without_version:
        line += f"; {counts.without_version} without the version asked for"
    if counts.own:
        line += f"; {counts.own} the checkout's own"
    if counts.ignored:
        line += f"; {counts.ignored} ignored by comments (--no-comments judges them)"
    return line
