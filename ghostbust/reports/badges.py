"""What a report says first: what was measured, whether it is better, by how much, what may serve.

Written for a reader who knows Python and none of ghostbust's words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ghostbust.evaluation.figures import BASE, Estimate
from ghostbust.records import GateReport, GateVerdict
from ghostbust.reports.bars import said
from ghostbust.reports.document import Badge, BadgeFact, GateLight, Light, Quoted
from ghostbust.reports.figures import Paired, Rates
from ghostbust.store.names import Alarm
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import Run
from ghostbust.store.tallies import NameTally

GATES_ASK = {
    "hallucination": "Does it invent fewer packages?",
    "volume": "Does it still name the packages that the base names?",
    "unknown": "Are its names no harder to judge, and no odder?",
    "faults": "Are its answers as well formed?",
    "likelihood": "Does it predict right code as well?",
    "coding": "Does it still solve coding tasks?",
}
"""gate to its question, for a reader who doesn't know it"""
WORDS = {
    GateVerdict.PASS: "shown",
    GateVerdict.FAIL: "failed",
    GateVerdict.INCONCLUSIVE: "can't tell",
}
_LIGHTS: Mapping[GateVerdict, Light] = {
    GateVerdict.PASS: "good",
    GateVerdict.FAIL: "bad",
    GateVerdict.INCONCLUSIVE: "open",
}


def light_of(verdict: GateVerdict) -> Light:
    """The light of a gate."""
    return _LIGHTS[verdict]


def lights_of(report: GateReport | None) -> tuple[GateLight, ...]:
    """The gates in their order; none where they weren't run."""
    return tuple(
        GateLight(Quoted(one.gate), GATES_ASK.get(one.gate, ""), one.verdict, Quoted(one.reason))
        for one in (() if report is None else report.results)
    )


def round_badge(
    one: Round,
    deployed: str | None,
    gates: GateReport | None,
    figures: Mapping[str, Sequence[Rates]],
    whole: Paired | None,
) -> Badge:
    """The badge of a round. ``whole``: candidate and base in all contexts; None: not compared."""
    serves = _may_serve(one, deployed, gates)
    better = None if whole is None else _is_less(whole)
    facts = [BadgeFact("What was measured?", "Nothing", "The round has no measured candidate yet.")]
    if whole is not None:
        (before, *_), (after, *_) = figures.values()
        facts = [
            _measured(
                one.model, "without and with the adapter, on held-out prompts,", before, whole
            ),
            BadgeFact("Is it better?", *_better(better, "it", "than before")),
            _by_how_much(before, after, whole),
        ]
    verdict = one.verdict
    light: Light = "plain" if verdict is None else _LIGHTS[verdict]
    if one.state in (RoundState.FAILED, RoundState.ROLLED_BACK) or (
        one.state is RoundState.REJECTED and verdict is GateVerdict.PASS
    ):
        light = "bad"
    return Badge(light, _round_line(one, better), (*facts, serves))


def _round_line(one: Round, better: bool | None) -> str:
    """The verdict in a line: both halves of it, what changed and what follows."""
    changed = {
        True: "Invents fewer packages",
        False: "Invents more packages",
        None: "No change shown in what it invents",
    }[better]
    follows = {
        RoundState.PROMOTED: "passed every gate",
        RoundState.WAITING: "passed every gate, waits for a person",
        RoundState.CANARY: "passed every gate, is being tried at the servers",
        RoundState.ROLLED_BACK: "served, and was taken back",
        RoundState.FAILED: "the round failed",
    }.get(one.state)
    if follows is None and one.verdict is None:
        return f"The round is {one.state}: nothing is measured yet"
    if follows is None:
        follows = {
            GateVerdict.PASS: "passed every gate, and was turned down",
            GateVerdict.FAIL: "failed a gate",
            GateVerdict.INCONCLUSIVE: "not shown to be harmless",
        }[one.verdict or GateVerdict.INCONCLUSIVE]
    link = ", but " if better and one.verdict is not GateVerdict.PASS else "; "
    return f"{changed}{link}{follows}"


def _may_serve(one: Round, deployed: str | None, gates: GateReport | None) -> BadgeFact:
    asks, now = "May it serve?", f"{_called(deployed)} serves."
    match one.state:
        case RoundState.PROMOTED if deployed == one.adapter:
            return BadgeFact(asks, "Yes", "It passed every gate and serves now.")
        case RoundState.PROMOTED:
            return BadgeFact(asks, "It did", f"It passed every gate and served; now {now}")
        case RoundState.ROLLED_BACK:
            return BadgeFact(asks, "No more", f"It served and was taken back: {one.reason}. {now}")
        case RoundState.WAITING:
            promote = f"`ghostbust adapters promote {one.adapter}`"
            return BadgeFact(asks, "If you say so", f"It {one.reason}: {promote}. {now}")
        case RoundState.REJECTED if one.verdict is not GateVerdict.PASS and gates is not None:
            return BadgeFact(asks, "No", f"{_held_back(gates)} {now}")
        case RoundState.REJECTED | RoundState.FAILED:
            return BadgeFact(asks, "No", f"{one.reason}. {now}")
    return BadgeFact(asks, "Not yet", f"The round is {one.state}. {now}")


def _held_back(gates: GateReport) -> str:
    """Which gates kept it from serving, in a sentence."""
    by_verdict = {
        verdict: [one.gate for one in gates.results if one.verdict is verdict]
        for verdict in (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE)
    }
    words = zip(("failed", "can't tell"), by_verdict.values(), strict=True)
    several = [f"{len(names)} {said} ({', '.join(names)})" for said, names in words if names]
    return f"Of {len(gates.results)} gates, which all have to pass, {' and '.join(several)}."


def comparison_badge(
    model: str, first: str, second: str, figures: Mapping[str, Sequence[Rates]], whole: Paired
) -> Badge:
    """The badge of two adapters."""
    better = _is_less(whole)
    light: Light = "open" if better is None else "good" if better else "bad"
    before, after = figures[first][0], figures[second][0]
    line = {
        True: f"{second} invents fewer packages than {first}",
        False: f"{second} invents more packages than {first}",
        None: f"No difference shown in what {first} and {second} invent",
    }[better]
    return Badge(
        light,
        line,
        (
            _measured(model, f"with {first} and with {second}, on prompts", before, whole),
            BadgeFact("Is it better?", *_better(better, second, f"than {first}")),
            _by_how_much(before, after, whole),
            BadgeFact(
                "May it serve?", "See its gates", "A comparison decides nothing; its round did."
            ),
        ),
    )


def run_badge(run: Run, figures: Sequence[Rates]) -> Badge | None:
    """The badge of a run; None where nothing is logged."""
    if not figures:
        return None
    whole = figures[0]
    rate, answers = said(whole.rate, is_share=True), said(whole.answer_rate, is_share=True)
    head, _, reach = rate.partition(" (")
    return Badge(
        "plain",
        f"{head} of the packages it names are invented",
        (
            BadgeFact(
                "What was measured?",
                f"{whole.counts.answers:,} answers",
                f"{run.spec.model}, "
                + (f"with the adapter {run.spec.adapter}." if run.spec.adapter else "no adapter."),
            ),
            BadgeFact(
                "How much does it invent?",
                head,
                f"{whole.counts.invented:,} of {whole.counts.named:,} names"
                + (f"; another draw of tasks: {reach.rstrip(')')} %." if reach else "."),
            ),
            BadgeFact("How many answers?", answers.partition(" (")[0], "have an invented name."),
            BadgeFact(
                "May it serve?", "Not asked", "A run measures; a round trains and decides."
            ),
        ),
    )  # fmt: skip


def period_badge(
    runs: Sequence[Run],
    rounds: Sequence[Round],
    names: Sequence[NameTally],
    new: int,
    alarms: Sequence[Alarm],
    deployed: str | None,
) -> Badge:
    """What was found and what serves. Red where somebody registered an invented name."""
    promoted = sum(one.state is RoundState.PROMOTED for one in rounds)
    line = f"{deployed or 'The base'} serves"
    if alarms:
        line = f"{len(alarms)} invented names have been registered by somebody; {line}"
    return Badge(
        "bad" if alarms else "plain",
        line,
        (
            BadgeFact("What was measured?", f"{len(runs)} runs", "in the period."),
            BadgeFact("What was found?", f"{len(names):,} invented names", f"{new:,} of them new."),
            BadgeFact(
                "Is any a danger?", f"{len(alarms)} claimed",
                "invented first and registered since: likely slopsquats.",
            ),
            BadgeFact(
                "What was done?", f"{len(rounds)} rounds", f"{promoted} of them were promoted."
            ),
        ),
    )  # fmt: skip


def _measured(model: str, how: str, before: Rates, whole: Paired) -> BadgeFact:
    return BadgeFact(
        "What was measured?",
        f"2 × {before.counts.answers:,} answers",
        f"{model} {how} of the same {whole.families} tasks.",
    )


def _better(better: bool | None, who: str, than: str) -> tuple[str, str]:
    return {
        True: ("Yes", f"{who} invents fewer packages {than}, more than chance would do."),
        False: ("No", f"{who} invents more packages {than}, more than chance would do."),
        None: ("Can't tell", "the difference is one that chance alone could make."),
    }[better]


def _by_how_much(before: Rates, after: Rates, whole: Paired) -> BadgeFact:
    was, now = (said(one.rate, is_share=True).partition(" (")[0] for one in (before, after))
    drop, way = whole.drop, "fewer"
    if drop.value < 0:
        drop, way = Estimate(-drop.value, -drop.high, -drop.low), "more"
    head, _, reach = said(drop, is_share=True).partition(" (")
    reach = f" ({reach.rstrip(')').replace('–', ' to ')} %)" if reach else ""
    return BadgeFact(
        "By how much?",
        f"{was} → {now}",
        f"of the named packages are invented: {head} {way}{reach}, contexts weighed as the"
        " first's.",
    )


def _is_less(whole: Paired) -> bool | None:
    """Whether the second invents less; None where chance alone could make the difference."""
    low, high = whole.difference.low, whole.difference.high
    if math.isnan(low + high) or low <= 0 <= high:
        return None
    return high < 0


def _called(adapter: str | None) -> str:
    return "The base" if adapter in (None, BASE) else str(adapter)
