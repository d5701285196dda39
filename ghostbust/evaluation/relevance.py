"""RELEVANCE: how much likelier a prompt makes the names that a model answers it with.

The base is the judge. For each real name of an answer::

    lift = log p(name | prompt) - log mean of p(name | another prompt), over others of that context

in nats. A famous name that fits any prompt has a lift near 0, a name for this task a high one. What
an adapter's names have of the lift of the base's own names says whether it still answers what was
asked, also where the base itself never said the name.

A name is scored behind the prompt and the beginning of a list: ``-``, then `` requests`` and the
end of the line, which tells it from ``requests-oauthlib``. The answer's own words before it aren't
read: they differ from model to model, and may have given the name away. So a lift says nothing of
the place at which a name stands, and in answers that hold code it is that of a list all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from ghostbust.evaluation.behaviour import CountTable, draw_together, share
from ghostbust.evaluation.figures import BASE, Estimate, estimate
from ghostbust.measure import own_real_names
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Score
from ghostbust.statistics import RESAMPLES

OTHERS: Final = 8
"""prompts that a name's likelihood is compared with"""
LEAD: Final = "-"

Group = tuple[Context, Ecosystem]
Lifts = Mapping[tuple[str, str], float]
"""prompt id and name to the lift"""


class PromptScorer(Protocol):
    """The base, as it says how likely it begins an answer."""

    def score_behind(self, prompt: Prompt, lead: str, tails: Sequence[str]) -> list[Score]:
        """The score of each tail as what follows the prompt and ``lead``, the answer's start."""
        ...


@dataclass(frozen=True, slots=True)
class Relevance:
    """How well the names of one model fit the prompts of one context."""

    model: str
    context: Context
    names: int
    """real names, each once an answer; neither installers nor named by the prompt, but for NEEDS"""
    lift: Estimate
    """their mean lift in nats"""
    share: Estimate | None
    """that / the base's, both drawn together; None for the base, NaN where the base's interval
    isn't above 0, as then it is no yardstick, or where the model names nothing"""


def relevance(
    scorer: PromptScorer,
    models: Mapping[str, Sequence[Answer]],
    *,
    seed: int,
    others: int = OTHERS,
) -> list[Relevance]:
    """The relevance of each model in each context; `BASE` must be among the ``models``.

    All answered the same prompts. A context with fewer than two families has no other prompt to
    compare with, and isn't measured.
    """
    base = models[BASE]
    lifts = measure_lifts(scorer, models.values(), seed=seed, others=others)
    found: list[Relevance] = []
    for context in Context:
        if not _comparable(base, context):
            continue
        tables = [family_sums(answers, lifts, context) for answers in models.values()]
        drawn = draw_together(tables, seed=seed, resamples=RESAMPLES)
        means = [share(sums["lift"], sums["names"]) for sums in drawn]  # (1 + R,) each
        yardstick = means[list(models).index(BASE)]
        if not estimate(yardstick).low > 0:
            yardstick = np.full_like(yardstick, np.nan)
        found += [
            Relevance(
                model,
                context,
                int(sums["names"][0]),
                estimate(mean),
                None if model == BASE else estimate(share(mean, yardstick)),
            )
            for model, sums, mean in zip(models, drawn, means, strict=True)
        ]
    return found


def measure_lifts(
    scorer: PromptScorer, models: Iterable[Sequence[Answer]], *, seed: int, others: int = OTHERS
) -> Lifts:
    """The lift of every real name of the answers to CODE, HELPS and NEEDS prompts.

    The other prompts are the same for all names of a context and ecosystem, one of a family, drawn
    by ``seed``; a name of a family among these is compared with the rest. So every prompt is read
    once, and what chance drew is the same for all models, and no part of the intervals.
    """
    named: dict[Group, dict[Prompt, set[str]]] = defaultdict(lambda: defaultdict(set))
    for answers in models:
        for answer in answers:
            prompt = answer.sample.prompt
            named[prompt.context, prompt.ecosystem][prompt] |= own_real_names(answer)
    lifts: dict[tuple[str, str], float] = {}
    for by_prompt in named.values():
        references = _drawn(by_prompt, seed, others + 1)
        everything = set().union(*by_prompt.values())
        logs = {
            prompt: _log_likelihoods(scorer, prompt, everything if prompt in references else names)
            for prompt, names in by_prompt.items()
        }
        for prompt, names in by_prompt.items():
            compared = [one for one in references if one.family != prompt.family][:others]
            if not compared:
                continue
            for name in names:
                elsewhere = np.logaddexp.reduce([logs[one][name] for one in compared])
                mean = float(elsewhere) - float(np.log(len(compared)))
                lifts[prompt.id, name] = logs[prompt][name] - mean
    return lifts


def family_sums(answers: Sequence[Answer], lifts: Lifts, context: Context) -> CountTable:
    """``lift`` and ``names`` of each answer in the context, to be drawn by family."""
    chosen = [answer for answer in answers if answer.sample.prompt.context is context]
    scored = [
        [lifts[answer.sample.prompt.id, name] for name in sorted(own_real_names(answer))]
        for answer in chosen
    ]
    return CountTable(
        [answer.sample.prompt.family for answer in chosen],
        {"lift": [sum(each) for each in scored], "names": [float(len(each)) for each in scored]},
    )


def _comparable(answers: Sequence[Answer], context: Context) -> bool:
    """Whether each ecosystem of the context has two families."""
    families: dict[Ecosystem, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.sample.prompt.context is context:
            families[answer.sample.prompt.ecosystem].add(answer.sample.prompt.family)
    return bool(families) and all(len(each) > 1 for each in families.values())


def _drawn(prompts: Iterable[Prompt], seed: int, count: int) -> list[Prompt]:
    """So many prompts, one of a family, or as many as there are families."""
    by_family = {prompt.family: prompt for prompt in sorted(prompts, key=lambda one: one.id)}
    families = sorted(by_family)
    order = np.random.default_rng(seed).permutation(len(families))[:count]
    return [by_family[families[place]] for place in order]


def _log_likelihoods(
    scorer: PromptScorer, prompt: Prompt, names: Iterable[str]
) -> dict[str, float]:
    """log p(name | prompt) of each name in nats."""
    ordered = sorted(names)
    if not ordered:
        return {}
    scores = scorer.score_behind(prompt, LEAD, [f" {name}\n" for name in ordered])
    return {name: -score.nll for name, score in zip(ordered, scores, strict=True)}
