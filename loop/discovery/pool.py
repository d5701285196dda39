"""The pool: what every prompt brought, the bandit that learns from it, what a person takes out.

Everything is read from the store for each choice. A prompt that elicited an invented name in one
of its last samples is active and may be followed up. One that paid off before, and whose last
samples named nothing invented, is retired: it is asked again now and then.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ghostbust.loop.discovery.operators import form_name
from ghostbust.prompts import Task, first_prompts, name_side, side_of
from ghostbust.quantiles import gamma_ppf
from ghostbust.records import Prompt, Side
from ghostbust.store.prompts import Draw, PoolPrompt
from ghostbust.store.store import Store

# The bandit: what pays, over domain, operator and form, in invented names per thousand tokens. A
# prompt's yield is modelled as a product: the mean yield, times a factor for its domain, one for
# its operator and one for its form. So a few samples say something of all prompts that share one of
# the three. Each factor has a gamma posterior around 1, and a choice draws from it (Thompson
# sampling): it tries what is uncertain, and not what surely pays little. Names come in lists, so
# counts vary more than a Poisson's; evidence is divided by that overdispersion.

PRIOR: Final = 3.0
"""weight of the prior at a factor of 1, in names"""
PASSES: Final = 8
"""passes in which the factors are fitted to each other"""
SURE: Final = 0.95
"""an operator is dropped if its factor is below `LEAST_FACTOR` with this probability"""
LEAST_FACTOR: Final = 0.5
SEED: Final = "seed"
"""among the operators: a task as it was given"""
AGAIN: Final = "again"
"""among the operators: a prompt that paid off, asked once more"""
DOMAIN, OPERATOR, FORM = range(3)
"""the parts of an arm"""


class Arm(NamedTuple):
    """The three properties of a prompt that the bandit learns about."""

    domain: str
    operator: str
    form: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an arm brought."""

    reward: float
    """invented names, weighed"""
    cost: float
    """thousand tokens, weighed"""


class Bandit:
    """The fitted factors, and draws from their posteriors."""

    def __init__(self, evidence: Mapping[Arm, Evidence], *, dispersion: float = 1.0) -> None:
        self._parts: list[dict[str, Evidence]] = [{}, {}, {}]
        """for each part of an arm: a level's reward, and as cost the reward the others predict"""
        reward = sum(one.reward for one in evidence.values())
        cost = sum(one.cost for one in evidence.values())
        self.mean = (reward + 1) / (cost + 1)
        """reward per thousand tokens, over all arms"""
        self._fit(evidence, max(dispersion, 1.0))

    def factor(self, part: int, level: str) -> float:
        """The expected factor of a level of DOMAIN, OPERATOR or FORM."""
        known = self._parts[part].get(level, Evidence(0, 0))
        return (PRIOR + known.reward) / (PRIOR + known.cost)

    def draw(self, part: int, levels: Iterable[str], rng: random.Random) -> dict[str, float]:
        """A factor for each level, drawn from its posterior."""
        drawn = {}
        for level in levels:
            known = self._parts[part].get(level, Evidence(0, 0))
            drawn[level] = rng.gammavariate(PRIOR + known.reward, 1 / (PRIOR + known.cost))
        return drawn

    def dropped(self, operators: Iterable[str]) -> list[str]:
        """Those that surely pay less than half of what others would in their place."""
        found = []
        for operator in operators:
            known = self._parts[OPERATOR].get(operator, Evidence(0, 0))
            most = gamma_ppf(SURE, PRIOR + known.reward) / (PRIOR + known.cost)
            if most < LEAST_FACTOR:
                found.append(operator)
        return found

    def _fit(self, evidence: Mapping[Arm, Evidence], dispersion: float) -> None:
        for _ in range(PASSES):
            for part in range(3):
                rewards: dict[str, float] = {}
                expected: dict[str, float] = {}
                for arm, one in evidence.items():
                    others = (self.factor(p, arm[p]) for p in range(3) if p != part)
                    here = self.mean * one.cost
                    for other in others:
                        here *= other
                    level = arm[part]
                    rewards[level] = rewards.get(level, 0) + one.reward / dispersion
                    expected[level] = expected.get(level, 0) + here / dispersion
                self._parts[part] = {
                    level: Evidence(rewards[level], expected[level]) for level in rewards
                }


def dispersion(rewards: Sequence[float], expected: Sequence[float]) -> float:
    """How much more the samples' rewards vary than a Poisson's: Pearson's statistic, 1 or more."""
    if len(rewards) < 2:
        return 1.0
    total = sum(
        (found - mean) ** 2 / mean
        for found, mean in zip(rewards, expected, strict=True)
        if mean > 0
    )
    return max(1.0, total / (len(rewards) - 1))


REPEAT: Final = 0.2
"""reward of a known name, the first time that this prompt elicits it; a new name counts 1"""
HALF_LIFE: Final = 2000
"""in samples: newer samples weigh more, since what pays changes with what is found"""
OTHER_ADAPTER: Final = 0.25
"""weight of a sample of another adapter, or of the base, than is asked now"""
PATIENCE: Final = 4
"""samples without an invented name after which a prompt that paid is retired"""


def is_retired(*, ever_paid: bool, quiet: int) -> bool:
    """True if a prompt paid off once, and ``quiet`` samples since then invented nothing."""
    return ever_paid and quiet >= PATIENCE


@dataclass
class Record:
    """What one prompt brought."""

    reward: float = 0.0
    cost: float = 0.0
    """thousand tokens, those of writing it included"""
    samples: int = 0
    last_asked: int = -1
    """number of its last sample among all samples"""
    last_paid: tuple[bool, ...] = ()
    """for each of its last `PATIENCE` samples: whether it elicited an invented name"""
    ever_paid: bool = False

    @property
    def active(self) -> bool:
        """True if one of the last samples elicited an invented name."""
        return any(self.last_paid)

    @property
    def retired(self) -> bool:
        """True if it paid off once and stopped."""
        quiet = 0 if self.active else len(self.last_paid)
        return is_retired(ever_paid=self.ever_paid, quiet=quiet)


@dataclass(frozen=True)
class Pool:
    """What is known of the training side, for one choice."""

    prompts: Mapping[str, Prompt]
    """with their texts, by id"""
    records: Mapping[str, Record]
    """of the prompts that were sampled, by id"""
    bandit: Bandit
    children: Mapping[str, Sequence[str]]
    """ids of what was written from a prompt"""
    used: frozenset[tuple[str, str]]
    """(prompt id, operator) of every rewriting by the model, so that none is asked for twice"""
    known: frozenset[str]
    """ids of all prompts in the store, the held-out ones too"""
    pruned: frozenset[str] = frozenset()
    """ids of prompts that a person took out of the pool: neither asked nor followed up"""
    held_out: Sequence[Prompt] = field(default=())
    """with their texts: no new prompt may be too much like them"""


def read_pool(
    store: Store,
    tasks: Sequence[Task],
    *,
    adapter: str | None,
    holdout_share: float,
    name_holdout: float,
) -> Pool:
    """The pool as of now. Held-out prompts and held-out names count nowhere."""
    stats = store.prompts.pool()
    at_hand = {prompt.id: prompt for prompt in first_prompts(tasks)}
    at_hand |= {prompt.id: prompt for prompt in store.prompts.read()}
    train = {
        row.prompt_id: row for row in stats if side_of(row.family, holdout_share) is Side.TRAIN
    }
    draws = [draw for draw in store.rewritings.draws() if draw.prompt_id in train]
    scored = _score(draws, adapter, name_holdout)
    records = _records(scored)
    arms: dict[str, Arm] = {}
    children: dict[str, list[str]] = defaultdict(list)
    for key, row in train.items():
        # Without a prompt's text, its form is only the context.
        form = form_name(at_hand[key]) if key in at_hand else row.context
        arms[key] = Arm(row.domain, row.operator or SEED, form)
        if row.parent is not None:
            children[row.parent].append(key)
    evidence, used = _evidence(store, scored, records, arms)
    pruned = store.prompts.pruned()
    sides = {key: side_of(one.family, holdout_share) for key, one in at_hand.items()}
    return Pool(
        prompts={
            key: one
            for key, one in at_hand.items()
            if sides[key] is Side.TRAIN and key not in pruned
        },
        records=records,
        bandit=_bandit(evidence, scored, arms),
        children=children,
        used=used,
        known=frozenset(row.prompt_id for row in stats),
        pruned=pruned,
        held_out=[one for key, one in at_hand.items() if sides[key] is Side.HOLDOUT],
    )


@dataclass(frozen=True, slots=True)
class _Scored:
    prompt_id: str
    again: bool
    """True for all but the first call that asked the prompt"""
    place: int
    """number of the sample, from 0"""
    reward: float
    cost: float
    """thousand tokens"""
    paid: bool
    weight: float


def _score(draws: Sequence[Draw], adapter: str | None, name_holdout: float) -> list[_Scored]:
    """Each sample with its reward. A name pays once for each prompt, most where it is new."""
    seen: set[tuple[str, str, str]] = set()
    first_seed: dict[str, int] = {}
    made = []
    for place, draw in enumerate(draws):
        reward, paid = 0.0, False
        for name in draw.names:
            if name_side(name.ecosystem, name.name, name_holdout) is Side.HOLDOUT:
                continue
            paid = True
            key = (draw.prompt_id, name.ecosystem, name.name)
            if name.new:
                reward += 1
            elif key not in seen:
                reward += REPEAT
            seen.add(key)
        weight = 0.5 ** ((len(draws) - 1 - place) / HALF_LIFE)
        weight *= 1.0 if draw.adapter == adapter else OTHER_ADAPTER
        again = first_seed.setdefault(draw.prompt_id, draw.seed) != draw.seed
        cost = draw.cost / 1000
        made.append(_Scored(draw.prompt_id, again, place, reward, cost, paid, weight))
    return made


def _arm(one: _Scored, arms: Mapping[str, Arm]) -> Arm:
    """The sample's arm: to ask again is an operator of its own."""
    arm = arms[one.prompt_id]
    return arm._replace(operator=AGAIN) if one.again else arm


def _records(scored: Iterable[_Scored]) -> dict[str, Record]:
    found: dict[str, Record] = defaultdict(Record)
    for one in scored:
        record = found[one.prompt_id]
        record.reward += one.weight * one.reward
        record.cost += one.weight * one.cost
        record.samples += 1
        record.last_asked = one.place
        record.last_paid = (*record.last_paid, one.paid)[-PATIENCE:]
        record.ever_paid = record.ever_paid or one.paid
    return dict(found)


def _evidence(
    store: Store,
    scored: Iterable[_Scored],
    records: Mapping[str, Record],
    arms: Mapping[str, Arm],
) -> tuple[dict[Arm, Evidence], frozenset[tuple[str, str]]]:
    """What each arm brought and cost, and which rewritings were asked for.

    Tokens of a rewriting that gave nothing are a cost of its operator, in the parent's form.
    """
    sums: dict[Arm, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in scored:
        total = sums[_arm(one, arms)]
        total[0] += one.weight * one.reward
        total[1] += one.weight * one.cost
    used = set()
    for row in store.rewritings.read():
        used.add((row.parent, row.operator))
        if not row.tokens or row.parent not in arms:
            continue
        arm = arms[row.parent]._replace(operator=row.operator)
        if row.child is not None and row.child in arms:
            arm = arms[row.child]
        sums[arm][1] += row.tokens / 1000
        if row.child is not None and row.child in records:
            records[row.child].cost += row.tokens / 1000
    return {arm: Evidence(*total) for arm, total in sums.items()}, frozenset(used)


def _bandit(
    evidence: Mapping[Arm, Evidence], scored: Sequence[_Scored], arms: Mapping[str, Arm]
) -> Bandit:
    """Fitted twice: the first fit gives the overdispersion of the rewards."""
    rough = Bandit(evidence)
    expected = []
    for one in scored:
        mean = rough.mean * one.cost
        for part, level in enumerate(_arm(one, arms)):
            mean *= rough.factor(part, level)
        expected.append(mean)
    return Bandit(evidence, dispersion=dispersion([one.reward for one in scored], expected))


# What a person does to the pool.


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which prompts to take out: those that meet one of the first three, and all of the others."""

    never_asked: bool = False
    retired: bool = False
    """paid once, and not in its last `PATIENCE` samples"""
    paid_nothing: int | None = None
    """at least so many samples, none of which invented a name; None: not a criterion"""
    older_than_days: float | None = None
    """added before; None: however new"""
    operator: str | None = None
    """made by this rewriting; None: by any, or none"""

    @property
    def empty(self) -> bool:
        """True if every prompt would meet them."""
        return self == Criteria()


def meets(prompt: PoolPrompt, criteria: Criteria, now: datetime) -> bool:
    """True if the prompt is in the pool and the criteria take it out."""
    paid = prompt.invented_names > 0
    why = [
        criteria.never_asked and not prompt.samples,
        criteria.retired and is_retired(ever_paid=paid, quiet=prompt.quiet),
        criteria.paid_nothing is not None
        and not paid
        and prompt.samples >= max(1, criteria.paid_nothing),
    ]
    asked_for = criteria.never_asked or criteria.retired or criteria.paid_nothing is not None
    days = criteria.older_than_days
    return (
        prompt.pruned is None
        and (any(why) or not asked_for)
        and (days is None or prompt.added < now - timedelta(days=days))
        and (criteria.operator is None or prompt.operator == criteria.operator)
    )


def prune(store: Store, prompts: Iterable[PoolPrompt]) -> tuple[int, int]:
    """Takes them out; how many were deleted, and how many are only marked (`store.prompts`)."""
    return store.prompts.prune(prompt.prompt_id for prompt in prompts)


def add_tasks(store: Store, tasks: Sequence[Task]) -> tuple[list[Prompt], int]:
    """Puts each task's prompts into the pool; all of them, and how many weren't in it before.

    Prompts that were taken out come back. The store must keep private texts: a prompt without its
    text can't be asked.
    """
    prompts = list(first_prompts(tasks))
    ids = {prompt.id for prompt in prompts}
    known = {row.prompt_id for row in store.prompts.pool() if row.text is not None}
    new = ids - known
    store.prompts.add(prompts)
    return prompts, len(new) + store.prompts.bring_back(ids - new)
