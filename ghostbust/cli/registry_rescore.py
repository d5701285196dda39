"""``ghostbust registry rescore``: a past run's figures by the snapshots of another day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.options import AsOfOption, ConfigOption, HomeOption, JsonOption, RevealOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.settings import load_settings
from ghostbust.cli.sweep import measurement_document, measurement_table
from ghostbust.errors import UsageError
from ghostbust.records import Verdict
from ghostbust.shown import redact

if TYPE_CHECKING:
    from ghostbust.loop.rescoring import Change, Rescored
    from ghostbust.records import Lookup

SHOWN = 15
"""changes in the table; all of them are in the JSON"""


def rescore(
    run: Annotated[int, typer.Argument(metavar="RUN", help="The run's number.")],
    as_of: AsOfOption = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a past run's names again by the snapshots of another day; the log stays as it is.

    Asks nobody. Shows rate and volume as judged then and now, and the verdicts that changed.
    """
    from ghostbust.home import Home
    from ghostbust.loop.rescoring import rescore as score
    from ghostbust.models.cutoffs import known_cutoff
    from ghostbust.registries.judge import Mode, default_judge
    from ghostbust.store import Store

    output = Output(as_json=as_json)
    place = Home.find(home)
    if not place.database.is_file():
        raise UsageError(f"{place.database}: there is no database, so there are no runs")
    with Store.open(place.database, read_only=True) as store:
        found = store.runs.get(run)
        cutoff = load_settings(config, place).model.cutoff or known_cutoff(found.spec.model)
        with default_judge(
            Mode.SNAPSHOT,
            data_dir=place.registry,
            as_of=None if as_of is None else as_of.date(),
            cutoff=cutoff,
        ) as judge:
            done, dates = score(store, run, judge), judge.dates
    _note(output, done)
    output.document(
        {
            "run": run,
            "model": found.spec.model,
            "adapter": found.spec.adapter,
            "cutoff": cutoff,
            "snapshots_then": found.spec.snapshots,
            "snapshots_now": dates,
            "then": measurement_document(done.then),
            "now": measurement_document(done.now),
            "left_out": done.left_out,
            "only_live": done.only_live,
            "changed": [_change(change, reveal) for change in done.changes],
        }
    )
    days = ", ".join(f"{ecosystem} {day}" for ecosystem, day in dates.items())
    output.line(f"run {run} of {found.spec.model}, now by the snapshots {days}")
    output.result.print(measurement_table({"then": done.then, "now": done.now}))
    if done.changes:
        rows = table("changed", "then", "now", "answers", title=f"{len(done.changes)} changed")
        for change in done.changes[:SHOWN]:
            rows.add_row(
                cell(_shown(change, reveal)), cell(_said(change.then)), cell(_said(change.now)),
                cell(change.answers),
            )  # fmt: skip
        output.result.print(rows)


def _note(output: Output, done: Rescored) -> None:
    """What the figures can't hold, said plainly."""
    if done.left_out:
        output.note(
            f"{done.left_out} answers are in neither figure: the texts of private prompts and of"
            " the answers to them weren't kept"
        )
    if done.only_live:
        output.note(
            f"{done.only_live} names were SUSPECT by what a live registry told of their first"
            " release, their files or a quarantine; that isn't stored, and no snapshot holds it"
        )


def _change(change: Change, reveal: bool) -> dict[str, object]:
    return {
        "ecosystem": change.now.ecosystem,
        "name": _shown(change, reveal),
        "then": _verdict(change.then),
        "now": _verdict(change.now),
        "answers": change.answers,
    }


def _verdict(lookup: Lookup) -> dict[str, object]:
    return {"verdict": lookup.verdict, "reason": lookup.reason, "source": lookup.source}


def _said(lookup: Lookup) -> str:
    return f"{lookup.verdict} {lookup.reason} ({lookup.source})"


def _shown(change: Change, reveal: bool) -> str:
    """The name; shortened where neither day's verdict says that somebody has registered it."""
    name = change.now.name
    free = {change.then.verdict, change.now.verdict} <= {Verdict.ABSENT, Verdict.UNKNOWN}
    return redact(name) if free and not reveal else name
