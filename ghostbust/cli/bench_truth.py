"""``ghostbust bench truth``: how fast names are found and judged, and peers beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.options import HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.bench.truth import Rate
    from ghostbust.registries.judge import Judge

NAMES_PER_S = 300_000
"""names judged offline in a second on one core, at least"""
MEMORY_BYTES = 120_000_000
"""what a process that holds both snapshots may take"""
_REQUIREMENTS = "requirement lines read"


def truth(
    answers: Annotated[
        int, typer.Option("--answers", min=4, help="Answers to make and extract from.")
    ] = 400,
    peers: Annotated[
        Path | None,
        typer.Option(
            "--peers",
            metavar="PYTHON",
            help="Interpreter with garak or slopcheck installed, to be timed on the same input.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure extraction, judging and memory on this machine; asks nobody.

    Rates are by processor time, the best of five runs. A ratio is ghostbust's rate by the peer's.
    """
    from ghostbust.bench.truth import memory_bytes
    from ghostbust.cli.context import open_judge
    from ghostbust.registries.judge import Mode

    output = Output(as_json=as_json)
    with open_judge(Mode.SNAPSHOT, home) as judge:
        rates = list(_rates(judge, answers, peers))
    memory = memory_bytes()
    own = {rate.what: rate.per_s for rate in rates if rate.by == "ghostbust"}
    output.document(
        {
            "rates": [
                {"what": r.what, "by": r.by, "items": r.items, "per_s": r.per_s,
                 "found": r.found,
                 "ratio": own[r.what] / r.per_s}
                for r in rates
            ],
            "memory_bytes": memory,
            "wanted": {"names_per_s": NAMES_PER_S, "memory_bytes": MEMORY_BYTES},
        }
    )  # fmt: skip
    shown = table("what", "by", "items", "a second", "found", "ghostbust to this")
    for rate in rates:
        shown.add_row(
            cell(rate.what), cell(rate.by), cell(f"{rate.items:,}"), cell(f"{rate.per_s:,.0f}"),
            cell(f"{rate.found:,}"),
            cell(f"{own[rate.what] / rate.per_s:.2f}"),
        )  # fmt: skip
    output.result.print(shown)
    said = "not known here" if memory is None else f"{memory / 1e6:.0f} MB"
    output.line(
        f"memory with both snapshots in use: {said} (wanted: < {MEMORY_BYTES / 1e6:.0f} MB)"
    )
    output.line(f"names judged offline: wanted are {NAMES_PER_S:,} a second")


def _rates(judge: Judge, count: int, peers: Path | None) -> Iterator[Rate]:
    """Every rate, ghostbust's before its peers'."""
    from ghostbust.bench import truth as line
    from ghostbust.bench.peers import PEERS
    from ghostbust.extractors.manifests import requirements_refs

    answers, names = line.made_answers(judge, count), line.made_names(judge)
    lines = [f"{name}>=1.0  # wanted" for name in names]
    text = "".join(f"{one}\n" for one in lines)
    found = len(list(requirements_refs(text, 0)))
    per_s = line.best_rate(lambda: list(requirements_refs(text, 0)), len(lines))
    own = {
        "answers": line.extraction_rate(answers),
        "requirements": line.Rate(_REQUIREMENTS, "ghostbust", len(lines), per_s, found),
    }
    inputs = {"answers": (answers, "answers.json"), "requirements": (lines, "requirements.txt")}
    for reads, rate in own.items():
        yield rate
        for peer in PEERS if peers else ():
            if peer.reads == reads and peers:
                items, file = inputs[reads]
                theirs = line.peer_rate(peers, rate.what, peer.name, peer.script, items, file)
                if theirs:
                    yield theirs
    yield line.judging_rate(judge, names)
