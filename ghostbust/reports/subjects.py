"""The reports: on a run, a round, two adapters, or a period."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from types import MappingProxyType

import ghostbust
from ghostbust.errors import StoreError, UsageError
from ghostbust.evaluation.figures import BASE, Table, shown
from ghostbust.measure import said_unknown
from ghostbust.records import GateReport, Promotion
from ghostbust.reports.answers import CHOSEN, pairs_of
from ghostbust.reports.badges import (
    comparison_badge,
    lights_of,
    period_badge,
    round_badge,
    run_badge,
)
from ghostbust.reports.document import Badge, Quoted, Report, ReportPart
from ghostbust.reports.figures import (
    Paired,
    Rates,
    before_of,
    compare,
    figures_of,
    figures_together,
    newest_together,
    shared_tallies,
    support_of,
)
from ghostbust.reports.tables import (
    METHOD,
    MOST_NAMES,
    bars_of,
    facts_table,
    gates_table,
    history_part,
    loss_part,
    losses_of,
    names_of,
    names_part,
    names_table,
    notes_on_names,
    paired_table,
    rates_table,
    round_facts,
    run_facts,
    shown_name,
    when,
)
from ghostbust.store.names import Alarm
from ghostbust.store.rounds import AdapterRow, Round
from ghostbust.store.runs import Run, RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.tallies import NameTally

GATES_SAY = (
    "The gates say {}. Each compares the candidate with the base; only PASS of all of them"
    " promotes, and what can't tell is INCONCLUSIVE. The interval is that of the quantity that the"
    " reason names."
)
GATES_FOLDED = "Whether each round's candidate may serve; `rounds` above has what came of it."
NO_PAIRS: Mapping[str, Sequence[Paired]] = MappingProxyType({})
NO_MEASUREMENT = "The store has no run of the base and the candidate on the same prompts."


def run_report(store: Store, run_id: int, *, reveal: bool, now: datetime) -> Report:
    """What the run found, and what made it. Raises UsageError if there is no such run."""
    try:
        run = store.runs.get(run_id)
    except StoreError as exc:
        raise UsageError(f"{exc}; `ghostbust report` without a subject lists them") from exc
    figures = figures_of(store, run)
    names = store.tallies.invented([run_id])
    model = run.spec.adapter or BASE
    lead = "No answer is logged."
    if figures:
        whole, counts = figures[0], figures[0].counts
        unknown = said_unknown(counts.unknown, counts.local, counts.unmapped)
        lead = (
            f"Of {counts.named} package names in {counts.answers} answers, {counts.invented} are"
            f" invented: a rate of {shown(whole.rate)} at a volume of {shown(whole.volume)} real"
            f" names per answer. Not in the rate: {counts.induced} inventions and"
            f" {counts.induced_real} real names that the prompt had named, and names that could"
            f" not be judged ({unknown}). Installers, which aren't counted as packages:"
            f" {counts.installers}."
        )
    unfinished = f"The run is {run.status}, so these figures are of what it had logged."
    return _report(
        f"Run {run_id}: {model} on {run.spec.model}",
        run_badge(run, figures),
        [lead] if run.status is RunStatus.DONE else [lead, unfinished],
        [
            _rates_part("", {model: figures} if figures else {}, [run]),
            names_part(store, names, names_table(names, reveal=reveal), [run_id], reveal=reveal),
            history_part(store.runs.rates(model=run.spec.model), fold=True),
        ],
        [facts_table("the run", run_facts(run))],
        names,
        reveal=reveal,
        now=now,
    )


def round_report(store: Store, round_id: int, *, reveal: bool, now: datetime) -> Report:
    """What the round came to, and what made it. Raises UsageError if there is no such round."""
    try:
        one = store.rounds.get(round_id)
    except StoreError as exc:
        raise UsageError(f"{exc}; `ghostbust report` without a subject lists them") from exc
    gates = store.rounds.gate_report(round_id)
    runs = gate_runs(store, one)
    figures = figures_together(store, runs)
    pairs: dict[str, list[Paired]] = {}
    whole = None
    if len(runs) == 2:
        before, after = shared_tallies(store, runs).values()
        paired = compare(before, after, support_of(runs[BASE]))
        if paired:
            pairs, whole = {" -> ".join(runs): paired}, paired[0]
    names = store.tallies.invented(run.id for run in runs.values())
    verdict = "The gates weren't run, so nothing may serve."
    if one.verdict is not None:
        verdict = GATES_SAY.format(one.verdict)
    facts = round_facts(one)
    row = store.rounds.adapter(one.adapter or "")
    if row is not None:
        facts |= {
            "steps": row.candidate.steps,
            "last loss": row.candidate.final_loss,
            "seconds of training": row.candidate.train_s,
        }
    return _report(
        f"Round {round_id} on {one.model}",
        round_badge(one, store.promotions.deployed(), gates, figures, whole),
        _round_lead(one, figures, pairs),
        [
            _rates_part(
                "Both answered the same held-out prompts, which never train."
                if pairs
                else NO_MEASUREMENT,
                figures,
                list(runs.values()),
                pairs,
            ),
            ReportPart(
                "gates",
                "Gates",
                (verdict,),
                (gates_table("gates", gates),),
                lights=lights_of(gates),
                folded=frozenset({"gates"}),
            ),
            _answers_part(store, runs, names, reveal=reveal),
            names_part(
                store,
                names,
                names_table(names, reveal=reveal),
                [run.id for run in runs.values()],
                reveal=reveal,
            ),
            loss_part(*losses_of(store, one)),
            history_part(store.runs.rates(model=one.model), fold=True),
        ],
        [
            facts_table("the round", facts),
            *(facts_table(f"run {run.id}", run_facts(run)) for run in runs.values()),
        ],
        names,
        () if gates is None else (gates,),
        reveal=reveal,
        now=now,
    )


def gate_runs(store: Store, one: Round) -> dict[str, Run]:
    """The runs by which the round was judged, by adapter: the base's, if it is there, then its."""
    if one.adapter is None:
        return {}
    if one.before_run is not None and one.after_run is not None:
        return {
            BASE: store.runs.get(one.before_run),
            one.adapter: store.runs.get(one.after_run),
        }
    # Rounds of version 0.1 don't say which runs these were.
    kinds = (RunKind.GATE, RunKind.DEMO)
    judged = store.runs.recent(-1, kinds=kinds, adapters=[one.adapter], measured=True)
    if not judged:
        return {}
    after = judged[-1]
    before = before_of(store, after)
    return ({} if before is None else {BASE: before}) | {one.adapter: after}


def _round_lead(
    one: Round, figures: Mapping[str, Sequence[Rates]], pairs: Mapping[str, Sequence[Paired]]
) -> list[str]:
    if not pairs:
        return [f"The round is {one.state}{f': {one.reason}' if one.reason else ''}."]
    (whole, *_), (before, after) = next(iter(pairs.values())), figures.values()
    return [
        f"On held-out prompts the rate went from {shown(before[0].rate)} to"
        f" {shown(after[0].rate)}, a drop of {shown(whole.drop)}."
        f" {_said_names(whole, 'the base')}"
    ]


def _said_names(whole: Paired, first: str) -> str:
    """How much the second names, as a share of what the first does, in a sentence."""
    everything = f"{shown(whole.all_names)} times as many in all"
    if math.isnan(whole.supported.value):
        return f"Per answer it names {everything}."
    supported = f"{shown(whole.supported)} times as many of those that {first} supports"
    return f"Per answer it names {supported}, and {everything}."


def _rates_part(
    text: str,
    figures: Mapping[str, Sequence[Rates]],
    runs: Sequence[Run],
    pairs: Mapping[str, Sequence[Paired]] = NO_PAIRS,
) -> ReportPart:
    tables = [rates_table(figures, runs)] if figures else []
    if pairs:
        tables.append(paired_table(pairs))
    return ReportPart(
        "rates",
        "Rates",
        (text,) if text else (),
        tuple(tables),
        bars=bars_of(figures),
        folded=frozenset(table.title for table in tables),
    )


def _answers_part(
    store: Store, runs: Mapping[str, Run], names: Sequence[NameTally], *, reveal: bool
) -> ReportPart:
    pairs = pairs_of(store, runs, [one.name for one in names], reveal=reveal)
    text = CHOSEN if pairs else "No text of an answer with an invented name is stored for both."
    return ReportPart("answers", "Answers", (text,), pairs=pairs)


def comparison_report(
    store: Store, first: str, second: str, *, reveal: bool, now: datetime
) -> Report:
    """The two adapters (``base``: none) on the same prompts, as they were sampled last.

    Raises UsageError if there is no such adapter, if they are of different models, or if no run of
    both asked the same prompts.
    """
    rows = {}
    for name in (first, second):
        if name == BASE:
            continue
        row = store.rounds.adapter(name)
        if row is None:
            raise UsageError(
                f"there is no adapter {name!r}; `ghostbust adapters list` shows them, 'base' is"
                " none"
            )
        rows[name] = row
    runs = _runs_to_compare(store, first, second, rows)
    tallies = shared_tallies(store, runs)
    pairs = {
        f"{a} -> {b}": compare(tallies[a], tallies[b], support_of(runs[a]))
        for a, b in combinations(runs, 2)
    }
    figures = figures_together(store, runs)
    every = store.tallies.invented(run.id for run in runs.values())
    of_each = {name: store.tallies.invented([run.id]) for name, run in runs.items()}
    reports = {name: store.rounds.gate_report(row.round_id) for name, row in rows.items()}
    gates = {name: report for name, report in reports.items() if report is not None}
    model = next(iter(runs.values())).spec.model
    compared = "Each gate compared its adapter with the base, not with the other adapter."
    whole = pairs[f"{first} -> {second}"][0]
    low, high = whole.difference.low, whole.difference.high
    chance = "which chance alone could do" if low <= 0 <= high else "more than chance would do"
    return _report(
        f"{first} beside {second} on {model}",
        comparison_badge(model, first, second, figures, whole),
        [
            f"On the same prompts of {whole.families} families, {second}'s rate differs from"
            f" {first}'s by {shown(whole.difference)}, {chance}."
            f" {_said_names(whole, first)}"
        ],
        [
            _rates_part("All answered the same prompts.", figures, list(runs.values()), pairs),
            _answers_part(
                store, {name: runs[name] for name in (first, second)}, every, reveal=reveal
            ),
            ReportPart(
                "gates", "Gates", (compared if gates else "No gate was run.",),
                tuple(gates_table(f"gates of {name}", report) for name, report in gates.items()),
                folded=frozenset(f"gates of {name}" for name in gates),
            ),
            names_part(
                store, every, _shared_names(of_each, every, reveal=reveal),
                [run.id for run in runs.values()], reveal=reveal,
            ),
            history_part(store.runs.rates(model=model), fold=True),
        ],
        [
            *(
                facts_table(f"round {row.round_id}", round_facts(store.rounds.get(row.round_id)))
                for row in rows.values()
            ),
            *(facts_table(f"run {run.id}", run_facts(run)) for run in runs.values()),
        ],
        every,
        tuple(gates.values()),
        reveal=reveal,
        now=now,
    )  # fmt: skip


def _runs_to_compare(
    store: Store, first: str, second: str, rows: Mapping[str, AdapterRow]
) -> dict[str, Run]:
    """The runs by the adapter's name, the base's in front if it asked the same prompts."""
    if first == second:
        raise UsageError("name two different adapters, or an adapter and 'base'")
    models = sorted({row.candidate.model for row in rows.values()})
    if len(models) > 1:
        raise UsageError(f"the adapters belong to different models: {' and '.join(models)}")
    names = (first, second) if BASE in (first, second) else (BASE, first, second)
    for wanted in dict.fromkeys((names, (first, second))):
        adapters = [None if name == BASE else name for name in wanted]
        found = newest_together(store, adapters, model=models[0])
        if found is not None:
            return dict(zip(wanted, found, strict=True))
    options = " ".join(f"--adapter {name}" for name in (first, second) if name != BASE)
    raise UsageError(
        f"no runs of {first} and {second} asked the same prompts; `ghostbust eval {options}` does"
    )


def _shared_names(
    of_each: Mapping[str, Sequence[NameTally]], every: Sequence[NameTally], *, reveal: bool
) -> Table:
    """How many answers of each model named each invented name."""
    counts = {
        f"answers of {model}": {(one.ecosystem, one.name): one.samples for one in several}
        for model, several in of_each.items()
    }
    rows: list[dict[str, object]] = [
        {
            "name": shown_name(one.name, reveal=reveal),
            "registry": str(one.ecosystem),
            "verdict": str(one.verdict),
            **{label: of.get((one.ecosystem, one.name), 0) for label, of in counts.items()},
        }
        for one in every[:MOST_NAMES]
    ]
    return Table("names", tuple(rows), notes_on_names(every, reveal=reveal))


def period_report(
    store: Store, since: date | None, until: date | None, *, reveal: bool, now: datetime
) -> Report:
    """What was run, trained and promoted from the first day to the last, both of them included.

    None: from the beginning, to the end. Days are those of UTC.
    """
    begin = None if since is None else datetime.combine(since, time(), UTC)
    end = None if until is None else datetime.combine(until + timedelta(days=1), time(), UTC)

    def within(at: datetime) -> bool:
        return (begin is None or begin <= at) and (end is None or at < end)

    runs = [run for run in reversed(store.runs.recent(-1)) if within(run.started)]
    ids = {run.id for run in runs}
    rounds = [one for one in reversed(store.rounds.recent(-1)) if within(one.started)]
    names = store.tallies.invented(ids)
    new = [one for one in names if one.first_seen is not None and within(one.first_seen)]
    moves = [move for move in reversed(store.promotions.all()) if within(move.at)]
    alarms = [alarm for alarm in store.alarms.recent(-1) if within(alarm.at)]
    reports = {one.id: store.rounds.gate_report(one.id) for one in rounds}
    gates = {number: report for number, report in reports.items() if report is not None}
    versions = sorted({run.version for run in runs} | {one.version for one in rounds})
    days = {f"{name} {day}" for run in runs for name, day in run.spec.snapshots.items()}
    facts = {
        "from": str(since or "the beginning"),
        "to": str(until or "the end"),
        "models": Quoted(", ".join(sorted({run.spec.model for run in runs})) or "none"),
        "registry snapshots": Quoted(", ".join(sorted(days)) or "none"),
        "ghostbust": Quoted(", ".join(versions) or "none"),
        "serves at the end": Quoted(store.promotions.deployed() or BASE),
    }
    return _report(
        f"From {since or 'the beginning'} to {until or 'the end'}",
        period_badge(runs, rounds, names, len(new), alarms, store.promotions.deployed()),
        [
            f"Runs: {len(runs)}. Rounds: {len(rounds)}. Invented names: {len(names)}, for the"
            f" first time {len(new)}. Found registered by somebody since: {len(alarms)}."
        ],
        [
            history_part([point for point in store.runs.rates(-1) if point.run_id in ids]),
            ReportPart("rounds", "Rounds", (), (_rounds_table(rounds),)),
            ReportPart(
                "gates", "Gates", (GATES_FOLDED if gates else "No gate was run.",),
                tuple(gates_table(f"gates of round {n}", report) for n, report in gates.items()),
                folded=frozenset(f"gates of round {n}" for n in gates),
            ),
            ReportPart("moves", "What served", (), (_moves_table(moves),)),
            ReportPart(
                "claimed", "Claimed names", (), (_claimed_table(alarms, reveal=reveal),)
            ),
            names_part(store, names, names_table(names, reveal=reveal), ids, reveal=reveal),
        ],
        [facts_table("the period", facts)],
        names,
        tuple(gates.values()),
        reveal=reveal,
        now=now,
    )  # fmt: skip


def _rounds_table(rounds: Sequence[Round]) -> Table:
    rows: list[dict[str, object]] = [
        {
            "round": one.id,
            "state": str(one.state),
            "gates": None if one.verdict is None else str(one.verdict),
            "model": Quoted(one.model),
            "adapter": None if one.adapter is None else Quoted(one.adapter),
            "method": Quoted(one.method),
            "seed": one.seed,
            "started": when(one.started),
            "why": Quoted(one.reason),
        }
        for one in rounds
    ]
    return Table("rounds", tuple(rows))


def _moves_table(moves: Sequence[Promotion]) -> Table:
    rows: list[dict[str, object]] = [
        {
            "when": when(move.at),
            "move": move.kind,
            "serves": Quoted(move.adapter or BASE),
            "before": Quoted(move.previous or BASE),
            "why": Quoted(move.reason),
        }
        for move in moves
    ]
    return Table("moves of the deployed pointer", tuple(rows))


def _claimed_table(alarms: Sequence[Alarm], *, reveal: bool) -> Table:
    rows: list[dict[str, object]] = [
        {
            "when": when(alarm.at),
            "name": shown_name(alarm.name, reveal=reveal),
            "registry": str(alarm.ecosystem),
            "first released": when(alarm.first_released),
            "answers ever": alarm.times_seen,
        }
        for alarm in alarms
    ]
    note = "Invented first and registered since: a likely slopsquat. Never counted as cured."
    return Table("claimed names", tuple(rows), (note,) if rows else ())


def _made_by(provenance: Sequence[Table]) -> str:
    """What made the figures, in a line; the tables have all of it."""
    wanted = ("model", "models", "seed", "registry snapshots", "ghostbust")
    found: dict[str, dict[str, None]] = {}
    for table in provenance:
        for row in table.rows:
            if row["what"] in wanted and row["value"] is not None:
                found.setdefault(str(row["what"]), {})[str(row["value"])] = None
    return "; ".join(f"{what}: {', '.join(values)}" for what, values in found.items()) + "."


def _report(
    title: str,
    badge: Badge | None,
    lead: Sequence[str],
    parts: Sequence[ReportPart],
    provenance: Sequence[Table],
    names: Sequence[NameTally],
    gates: tuple[GateReport, ...] = (),
    *,
    reveal: bool,
    now: datetime,
) -> Report:
    """The report, with what all of them end with: the method, and what made the figures."""
    ends = (
        ReportPart("method", "Method", METHOD),
        ReportPart(
            "provenance",
            "Provenance",
            (_made_by(provenance),),
            tuple(provenance),
            folded=frozenset(table.title for table in provenance),
        ),
    )
    return Report(
        title=title,
        badge=badge,
        lead=tuple(lead),
        parts=(*parts, *ends),
        names=names_of(names, reveal=reveal),
        gates=gates,
        made=now,
        version=ghostbust.__version__,
        revealed=reveal,
    )
