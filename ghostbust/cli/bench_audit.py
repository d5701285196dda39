"""``ghostbust bench audit``: is anything real called absent, or anything fake called real?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import FINDINGS
from ghostbust.cli.options import HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Verdict

if TYPE_CHECKING:
    from ghostbust.bench.audit import Outcome
    from ghostbust.registries.judge import Judge

_SHOWN = 20
"""wrong names that the table lists of each group"""


def audit(
    pypi: Annotated[
        Path | None,
        typer.Option("--pypi", help="Name list with download ranks, as for `registry build`."),
    ] = None,
    npm: Annotated[
        Path | None,
        typer.Option("--npm", help="Name list with downloads, as for `registry build`."),
    ] = None,
    fakes: Annotated[
        Path | None,
        typer.Option("--fakes", help="Known fakes: .tsv of name, class and summary."),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=1, help="Most downloaded names of each list.")
    ] = 5000,
    site: Annotated[
        list[Path] | None,
        typer.Option("--site", help="Also what is installed in this folder; may be repeated."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put names that are known to be real, or fake, through extraction and the snapshot.

    Import names of the mapping table and of what is installed are always among them. Exits with 1
    if a real name comes out ABSENT, a fake one not SUSPECT, or one is not found at all.
    """
    from ghostbust.cli.context import open_judge
    from ghostbust.registries.judge import Mode

    output = Output(as_json=as_json)
    with open_judge(Mode.SNAPSHOT, home) as judge:
        outcomes = list(_outcomes(judge, pypi, npm, fakes, top))
        outcomes += _import_outcomes(judge, site or [])
    sound = all(one.sound for one in outcomes)
    output.document({"sound": sound, "snapshots": judge.dates, "groups": outcomes})
    _print(output, outcomes)
    if not sound:
        raise typer.Exit(FINDINGS)


def _outcomes(
    judge: Judge, pypi: Path | None, npm: Path | None, fakes: Path | None, top: int
) -> Iterator[Outcome]:
    from ghostbust.bench import audit as line

    for ecosystem, names in ((Ecosystem.PYPI, pypi), (Ecosystem.NPM, npm)):
        if names is not None:
            most = _most_downloaded(names, ecosystem, top)
            yield line.audit_installs(judge, f"{ecosystem}, most downloaded", ecosystem, most)
            if ecosystem is Ecosystem.PYPI:
                written = [name.replace("-", "_").title() for name in most]
                yield line.audit_installs(judge, "pypi, spelled Like_This", ecosystem, written)
    if fakes is not None:
        known = _fakes(fakes)
        yield line.audit_installs(
            judge, "research squats and security holds", Ecosystem.PYPI, known, fake=True
        )


def _import_outcomes(judge: Judge, site: Sequence[Path]) -> Iterator[Outcome]:
    from ghostbust.bench import audit as line

    yield line.audit_imports(judge, "imports of the mapping table", line.mapped_modules())
    installed = line.installed_modules(judge)
    installed += line.installed_modules(judge, site) if site else []
    modules = list(dict.fromkeys(installed))
    yield line.audit_imports(judge, "imports of what is installed", modules)
    yield line.audit_guesses(judge, "(imports, were there no table)", line.unlike_modules())


def _most_downloaded(path: Path, ecosystem: Ecosystem, top: int) -> list[str]:
    """The names of a list by rank. Raises UsageError where it has no ranks."""
    from ghostbust.registries.suspects import read_names

    ranked = [row for row in read_names(path, ecosystem) if row.rank is not None]
    if not ranked:
        raise UsageError(f"{path}: has neither download ranks nor counts")
    ranked.sort(key=lambda row: row.rank or 0)
    return [row.name for row in islice(ranked, top)]


def _fakes(path: Path) -> list[str]:
    """The research squats and security holds of a list of summaries."""
    from ghostbust.registries.suspects import read_fakes

    names = read_fakes(path, Ecosystem.PYPI)
    if not names:
        raise UsageError(f"{path}: names no research squat and no security hold")
    return names


def _print(output: Output, outcomes: Sequence[Outcome]) -> None:
    """One row for each group, then what is wrong."""
    shown = table("group", "names", "lost", *(str(verdict) for verdict in Verdict), "wrong")
    for one in outcomes:
        counts = (one.verdicts.get(verdict, 0) for verdict in Verdict)
        numbers = (one.names, len(one.lost), *counts, len(one.wrong))
        shown.add_row(cell(one.group), *(cell(f"{number:,}") for number in numbers))
    output.result.print(shown)
    for one in outcomes:
        for what, names in (("lost", one.lost), ("wrong", one.wrong)):
            for name in names[:_SHOWN]:
                output.line(f"{one.group}: {what}: {name}", "bold red")
