"""``ghostbust bench``: what methods, rounds and checks do on the user's own model and folders."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.bench_checkouts import checkouts
from ghostbust.cli.bench_models import continual, discovery, unlearners
from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import command_group

if TYPE_CHECKING:
    from ghostbust.evaluation.extraction import CorpusScore

bench = command_group("bench", "Compare methods, rounds and checks on a model or folder of yours.")
bench.command()(checkouts)
bench.command()(unlearners)
bench.command()(continual)
bench.command()(discovery)


@bench.command()
@invoked_with("as_json")
def extraction(
    cli: Invocation,
    corpus: Annotated[
        Path, typer.Argument(metavar="CORPUS", help="A labelled corpus: a folder or one file.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="List every place where the corpus disagrees.")
    ] = False,
) -> None:
    """Score the extractor on labelled snippets: precision, recall, spans, names, flags."""
    from ghostbust.evaluation.extraction import read_corpus, score

    result = score(read_corpus(corpus))
    rows = list(_rows(result))
    document: dict[str, object] = {"snippets": result.snippets, "scores": rows}
    if show:
        document["disagreements"] = result.disagreements
    cli.output.document(document)
    columns = [key.replace("_", " ") for key in rows[0]]
    cli.output.table(columns, (map(_said, row.values()) for row in rows))
    if show:
        columns = ["snippet", "what", "ecosystem", "kind", "as written", "at", "detail"]
        cli.output.table(
            columns,
            (
                (one.snippet, one.what, one.ecosystem, one.kind, one.raw, one.start, one.detail)
                for one in result.disagreements
            ),
        )


def _rows(result: CorpusScore) -> list[dict[str, object]]:
    """One row for each group and kind, the group's sum first; the last ones are of all groups."""
    from ghostbust.evaluation.extraction import ALL

    def order(key: tuple[str, str]) -> tuple[bool, str, bool, str]:
        return key[0] == ALL, key[0], key[1] != ALL, key[1]

    keys = sorted(
        {*result.tallies, *((group, ALL) for group in (*result.snippets, ALL))}, key=order
    )
    rows: list[dict[str, object]] = []
    for group, kind in keys:
        tally = result.tally(group, kind)
        rows.append(
            {
                "group": group,
                "kind": kind,
                "expected": tally.expected,
                "given": tally.given,
                "found": tally.found,
                "precision": tally.precision,
                "recall": tally.recall,
                "f1": tally.f1,
                "exact_spans": tally.exact_spans,
                "names": tally.names,
                "flags": tally.flags,
            }
        )
    return rows


def _said(value: object) -> str:
    """A rate to three digits, rounded down so that only a perfect one is shown as 1."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{math.floor(value * 1000) / 1000:.3f}"
    return str(value)
