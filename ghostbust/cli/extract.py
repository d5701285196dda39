"""``ghostbust extract``: where does this text name a package?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import typer

from ghostbust.cli.options import AskedEcosystem, QuietOption
from ghostbust.cli.output import Output, cell, print_json, table
from ghostbust.records import Ecosystem, PackageRef

CodeLanguage = Literal["auto", "python", "javascript", "shell"]
"""the values of ``ghostbust.extractors.Language``, which is too slow to import for a help text"""


def extract(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Text to read; - is standard input.")],
    language: Annotated[
        CodeLanguage, typer.Option(help="What code without a label is written in.")
    ] = "auto",
    expect_list: Annotated[
        bool,
        typer.Option("--expect-list", help="The prompt asked for a list: its items count too."),
    ] = False,
    ecosystem: Annotated[
        AskedEcosystem | None,
        typer.Option(
            help="The registry that names in a list belong to. Else npm for JavaScript or where"
            " the list shows it, PyPI otherwise.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Built-in imports as well.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each place.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """List every place where a text names a package. Asks no registry.

    A file's name says how to read it: package.json, Dockerfile, answer.md, …
    """
    from ghostbust.cli.sources import read_text
    from ghostbust.extractors.extract import examine
    from ghostbust.extractors.interface import Language
    from ghostbust.results import is_builtin_import, ref_document

    text = read_text(file)
    found = examine(
        text,
        language=Language(language),
        expect_list=expect_list,
        ecosystem=Ecosystem(ecosystem) if ecosystem else None,
        filename=file,
    )
    refs = [ref for ref in found.refs if everything or not is_builtin_import(ref)]
    output = Output(quiet=quiet)
    for part in found.unread:
        line = text.count("\n", 0, part.start) + 1
        output.note(f"{file}, line {line}: not read in whole: {part.reason}")
    if as_json:
        for ref in refs:
            print_json(ref_document(ref))
        for part in found.unread:
            print_json({"unread": part.reason, "start": part.start, "end": part.end})
        return
    if refs:
        _print_table(output, text, refs)
    else:
        output.note("no package is named there")


def _print_table(output: Output, text: str, refs: Iterable[PackageRef]) -> None:
    """The refs with the line and column, from 1, at which each begins."""
    rows = table("line", "column", "ecosystem", "kind", "as written", "name", "flags")
    line, line_start, seen = 1, 0, 0
    for ref in refs:  # sorted by start
        line += text.count("\n", seen, ref.start)
        line_start = max(line_start, text.rfind("\n", seen, ref.start) + 1)
        seen = ref.start
        rows.add_row(
            str(line),
            str(ref.start - line_start + 1),
            cell(ref.ecosystem),
            cell(ref.kind),
            cell(ref.raw),
            cell(ref.name or "?"),
            cell(" ".join(sorted([*ref.flags, *(["builtin"] if ref.builtin else [])]))),
        )
    output.result.print(rows)
