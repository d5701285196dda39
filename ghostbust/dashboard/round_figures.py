"""The figures of one round beyond its gates: losses, rates beside the base's, what flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ghostbust.store import Round, SampleTally, Store

if TYPE_CHECKING:
    from ghostbust.reports.figures import Rates

LISTED: Final = 10
"""prompts of each kind that are listed"""


@dataclass(frozen=True, slots=True)
class Flips:
    """What the base and the candidate did on the very same prompts, answer by answer."""

    cured: tuple[str, ...]
    """ids of prompts at which the base invented and the candidate doesn't"""
    broken: tuple[str, ...]
    """at which the candidate invents and the base doesn't"""
    both: int
    """at which both invent"""
    neither: int


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """What is shown of one round."""

    round_id: int
    losses: tuple[float, ...]
    """of each step; none where its adapter's folder doesn't tell"""
    missing: str
    """why there are none"""
    rates: tuple[tuple[str, Sequence[Rates]], ...]
    """the base's and the candidate's, by context; fewer where they weren't measured"""
    flips: Flips | None
    """None where the two weren't asked the same"""


def read_figures(store: Store, one: Round) -> RoundFigures:
    """Reads the runs by which the round was judged, and its adapter's manifest."""
    # Here, because scipy comes with it, and most who look don't look at rounds.
    from ghostbust.reports.history import loss_part
    from ghostbust.reports.round import figures_of, gate_runs, manifest_of

    manifest, missing = manifest_of(store, one)
    part = loss_part(manifest, missing)
    losses = tuple(point.y.value for chart in part.charts for point in chart.lines[0].points)
    runs = gate_runs(store, one)
    tallies = [store.tallies.of_run(run.id) for run in runs.values()]
    return RoundFigures(
        round_id=one.id,
        losses=losses,
        missing="" if losses else " ".join(part.text),
        rates=tuple((name, figures_of(store, run)) for name, run in runs.items()),
        flips=flips(*tallies) if len(tallies) == 2 else None,
    )


def flips(base: Sequence[SampleTally], candidate: Sequence[SampleTally]) -> Flips:
    """What changed, of the answers that both have: the same prompt, the same number."""
    after = {(tally.prompt_id, tally.number): tally for tally in candidate}
    pairs = [(one, after[key]) for one in base if (key := (one.prompt_id, one.number)) in after]
    did = [
        (old.prompt_id, bool(old.counts.invented), bool(new.counts.invented)) for old, new in pairs
    ]
    return Flips(
        cured=tuple(prompt for prompt, old, new in did if old and not new),
        broken=tuple(prompt for prompt, old, new in did if new and not old),
        both=sum(old and new for _, old, new in did),
        neither=sum(not old and not new for _, old, new in did),
    )
