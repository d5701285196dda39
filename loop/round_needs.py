"""What a round still asks for at most, and whether the day's budgets have that much left.

All of it is known beforehand, but for how long the answers are: each is counted with all the tokens
that it may have. Nor is it known which names a registry will be asked for. The daemon reads this
where no model library may be installed, so nothing here imports one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ghostbust.config import Config
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import asks_live, make_tasks
from ghostbust.loop.canary import GENERAL
from ghostbust.prompts import Task, split
from ghostbust.records import Context
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.times import in_words
from ghostbust.unlearners.sets import FEWEST_PROBES

SETTLED: Final = (RoundState.GATED, RoundState.CANARY)
"""states of a round that has its gate report and only has to be published"""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a round still has to do."""

    most_holdout: int
    """held-out tasks that measure, at most"""
    base: bool = True
    """whether the base still has to answer them"""
    training: bool = True
    candidate: bool = True
    """whether the candidate still has to answer them"""
    gates: bool = True


def ahead_of(store: Store, left: Round | None, most_holdout: int) -> Ahead:
    """What the interrupted round still has to do; for None, a new one."""
    if left is None:
        return Ahead(most_holdout)
    most = planned_holdout(left, most_holdout)
    if left.state in SETTLED:
        return Ahead(most, base=False, training=False, candidate=False, gates=False)
    return Ahead(
        most,
        base=left.before_run is None or not _is_whole(store, left.before_run),
        training=left.state is not RoundState.TRAINED,
        candidate=left.adapter is None or not _has_answered(store, left.adapter),
    )


def planned_holdout(left: Round, default: int) -> int:
    """How many held-out tasks measure in the round."""
    most = None if left.plan is None else left.plan.get("most_holdout")
    return most if isinstance(most, int) else default


def _is_whole(store: Store, run_id: int) -> bool:
    """Whether the texts of all answers of the run were kept."""
    kept = sum(1 for _ in store.answers.read(run_id=run_id))
    return kept == len(store.answers.sampled_keys(run_id))


def _has_answered(store: Store, adapter: str) -> bool:
    """Whether the adapter has answered held-out prompts; its name is never used again."""
    runs = store.runs.recent(-1, kinds=[RunKind.GATE], adapters=[adapter], status=RunStatus.DONE)
    return any(_is_whole(store, run.id) for run in runs)


def needs_of_round(config: Config, tasks: Sequence[Task], ahead: Ahead) -> dict[str, float]:
    """What a round takes from each budget at most; ``tasks`` are all that there are.

    Of requests to registries, one where live ones may be asked: more isn't known.
    """
    asked = list(_answers(config, tasks, ahead))
    needs: dict[str, float] = {
        SAMPLES: sum(count for count, _ in asked),
        TOKENS: sum(count * most_tokens for count, most_tokens in asked),
    }
    return needs | ({REQUESTS: 1} if asks_live(config) else {})


def lacking_for_round(
    store: Store, config: Config, allowance: Allowance, left: Round | None, most_holdout: int
) -> str | None:
    """Which budget may not be enough for the round, in one line; None where all are.

    ``left``: the interrupted round that would be continued; None: a new one.
    """
    ahead = ahead_of(store, left, most_holdout)
    return allowance.lacking(needs_of_round(config, make_tasks(config), ahead))


def what_comes(
    config: Config, tasks: Sequence[Task], ahead: Ahead, tokens_per_s: float | None
) -> str:
    """What a round still asks at most, in one line, and how long that takes at the base's pace.

    ``tokens_per_s``: measured just now; None: no time is said. How long a training step takes isn't
    known before one is made.
    """
    needs = needs_of_round(config, tasks, ahead)
    line = f"to come: up to {needs[SAMPLES]:,.0f} answers with up to {needs[TOKENS]:,.0f} tokens"
    if tokens_per_s:
        line += f", {in_words(needs[TOKENS] / tokens_per_s)} at the base's {tokens_per_s:,.0f}/s"
    return f"{line}; and the steps of the training" if ahead.training else line


def _answers(config: Config, tasks: Sequence[Task], ahead: Ahead) -> Iterator[tuple[int, int]]:
    """Each kind of answers to be asked for: how many, and how many tokens each may have."""
    _, holdout = split(tasks, config.prompts.holdout_share)
    most_tokens, training, gates = config.sampling.max_new_tokens, config.training, config.gates
    each = len(Context) * gates.samples
    held_out = min(ahead.most_holdout, len(holdout)) * each
    # The gates may take every block of both models, whatever is there of the first one.
    further = 2 * (gates.blocks - 1) if ahead.gates else 0
    yield held_out * (ahead.base + ahead.candidate + further), most_tokens
    if ahead.training and not config.trainer.command and training.probes >= FEWEST_PROBES:
        from ghostbust.unlearners.settings import most_looks

        yield most_looks(training.method, training.members) * training.probes, most_tokens
    if ahead.gates:
        coding = gates.humaneval_tasks + (0 if gates.mbpp is None else gates.mbpp_tasks)
        yield 2 * coding, gates.max_new_tokens
    yield _canaries(config), most_tokens


def _canaries(config: Config) -> int:
    """Answers of an adapter and of the base at each server; none where a person promotes."""
    publish, servers = config.publish, len(config.model.servers)
    without = publish.kind == "none" or (publish.kind == "directory" and not servers)
    if without or config.daemon.promote == "review":
        return 0
    prompts = config.canary.forget + min(config.canary.general, len(GENERAL))
    return 2 * (len(publish.replicas) or servers) * prompts
