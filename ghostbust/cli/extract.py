"""``ghostbust extract``: where does this text name a package?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.options import AskedEcosystem
from ghostbust.cli.output import print_json
from ghostbust.records import Ecosystem

CodeLanguage = Literal["auto", "python", "javascript", "shell", "rust"]
"""the values of ``ghostbust.extractors.Language``, which is too slow to import for a help text"""


@invoked_with("quiet")
def extract(
    cli: Invocation,
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
) -> None:
    """List every place where a text names a package. Asks no registry.

    A file's name says how to read it: package.json, Dockerfile, answer.md, …
    """
    from ghostbust.cli.sources import read_text
    from ghostbust.extractors.extract import examine
    from ghostbust.extractors.interface import Language
    from ghostbust.results import REF_COLUMNS, FoundRef, is_builtin_import
    from ghostbust.text import Lines

    text = read_text(file)
    found = examine(
        text,
        language=Language(language),
        expect_list=expect_list,
        ecosystem=Ecosystem(ecosystem) if ecosystem else None,
        filename=file,
    )
    lines = Lines(file, text)
    kept = (ref for ref in found.refs if everything or not is_builtin_import(ref))
    refs = [FoundRef.of(ref, lines) for ref in kept]
    for part in found.unread:
        line = lines.place(part.start, part.end).line
        cli.output.note(f"{file}, line {line}: not read in whole: {part.reason}")
    if as_json:
        for ref in refs:
            print_json(ref.to_dict())
        for part in found.unread:
            print_json({"unread": part.reason, "start": part.start, "end": part.end})
    elif refs:
        cli.output.table(REF_COLUMNS, (ref.row() for ref in refs))
    else:
        cli.output.note("no package is named there")
