"""CANARY: a loaded adapter beside the base, through the server itself, before clients get it.

The gates have measured the adapter on this machine. The canary looks for what can go wrong
between here and the clients: another file, another base, a server that ignores the adapter, fails
or gets slow with it. It asks few prompts, so it is no second gate on the rate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ghostbust.config import Config
from ghostbust.errors import EndpointError
from ghostbust.loop.budget import Advance, Allowance
from ghostbust.loop.build import draw, make_tasks
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import NameCounts
from ghostbust.prompts import first_prompts, side_of
from ghostbust.publishers.interface import Asking, Publisher
from ghostbust.records import Context, Ecosystem, Prompt, Side, utc_now
from ghostbust.registries.judge import Judge
from ghostbust.samplers.endpoint import EndpointSampler, Probe
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import CanarySection
from ghostbust.statistics import fewer_p_value
from ghostbust.store.rounds import Canary, Figures
from ghostbust.store.store import Store

CHUNK = 8
"""prompts after which the other side has its turn, so that both see the server alike"""
ALPHA = 0.05
"""so seldom does an adapter at the limit of the volume break it by chance"""
SLACK_S = 0.2
"""time of an answer that is never too slow: noise is larger than any ratio there"""
GENERAL = (
    "Explain in three sentences what a hash table is.",
    "Write a Python function that reverses a string without slicing.",
    "What does the HTTP status code 404 mean?",
    "Name the seven colours of the rainbow.",
    "Write a SQL query that counts the rows of the table orders for each customer.",
    "What is the difference between a list and a tuple in Python?",
    "Translate into French: the book is on the table.",
    "Write a JavaScript function that adds two numbers.",
    "Summarise in one sentence why version control is useful.",
    "Write a regular expression that matches a year of four digits.",
    "What is the boiling point of water at sea level?",
    "Explain what a unit test is to a beginner.",
)


@dataclass(frozen=True)
class CanaryPlan:
    """What every canary of a publication has in common."""

    config: Config
    judge: Judge
    forget: Sequence[Prompt]
    """that elicited inventions, or, where none is logged, that may"""
    general: Sequence[Prompt]
    sampling: SamplingSettings


def plan_canary(config: Config, store: Store, judge: Judge, seed: int = 0) -> CanaryPlan:
    """The prompts, drawn by the seed: train-side ones only, since held-out ones measure rates."""
    sampling = SamplingSettings(
        temperature=config.sampling.temperature,
        top_p=config.sampling.top_p,
        max_new_tokens=config.sampling.max_new_tokens,
        seed=seed,
    )
    general = [
        Prompt(text, Context.CODE, Ecosystem.PYPI, family="canary")
        for text in GENERAL[: config.canary.general]
    ]
    forget = draw(list(_forget(config, store)), config.canary.forget, seed)
    return CanaryPlan(config, judge, forget, general, sampling)


def run_canary(
    plan: CanaryPlan, publisher: Publisher, adapter: str, allowance: Allowance | None = None
) -> Canary | None:
    """What the loaded adapter shows at this replica; None where nobody can be asked.

    ``allowance``: the day's budgets, in which the answers are noted; None: in none.
    Raises EndpointError where the base fails as well: then nothing is known of the adapter.
    """
    asked = (publisher.asks(None), publisher.asks(adapter))
    if asked[0] is None or asked[1] is None or not (plan.forget or plan.general):
        return None
    base, candidate = (
        _Side(_sampler(plan.config, asking), allowance) for asking in asked if asking is not None
    )
    sampled = _both(base, candidate, plan.forget, plan.sampling)
    greedy = _both(base, candidate, plan.general, replace(plan.sampling, temperature=0))
    was = _figures(plan, sampled[0], greedy[0], greedy[0])
    now = _figures(plan, sampled[1], greedy[1], greedy[0])
    if was.failed / was.asked > plan.config.canary.errors:
        first = next(probe.said for probe in (*sampled[0], *greedy[0]) if probe.said)
        raise EndpointError(
            f"{publisher.where} fails with the base as well ({was.failed} of {was.asked}: {first}),"
            " so the canary says nothing of the adapter"
        )
    pairs = zip((*sampled[0], *greedy[0]), (*sampled[1], *greedy[1]), strict=True)
    same = all(_text(one) == _text(other) for one, other in pairs)
    broken = list(broken_limits(plan.config.canary, was, now, same=same))
    return Canary(
        replica=publisher.where,
        adapter=adapter,
        passed=not broken,
        reason="; ".join(broken) or _told(was, now),
        base=was,
        figures=now,
        at=utc_now(),
    )


def _forget(config: Config, store: Store) -> Iterator[Prompt]:
    """Train-side prompts that elicited inventions, each once; else those of train-side tasks."""
    share, seen = config.prompts.holdout_share, set()
    for answer in store.answers.read(model=config.model.name):
        prompt = answer.sample.prompt
        if (
            answer.invented
            and prompt.id not in seen
            and side_of(prompt.family, share) is Side.TRAIN
        ):
            seen.add(prompt.id)
            yield prompt
    if not seen:
        tasks = [task for task in make_tasks(config) if side_of(task.id, share) is Side.TRAIN]
        yield from first_prompts(tasks)


def _sampler(config: Config, asking: Asking) -> EndpointSampler:
    return EndpointSampler(
        asking.url,
        config.model.name,
        served_as=asking.model,
        chat=config.model.chat,
        api_key_env=config.model.api_key_env,
        concurrency=config.canary.concurrency,
        timeout_s=config.publish.timeout_s,
        extra=asking.fields,
    )


@dataclass(frozen=True)
class _Side:
    """One of the two that are asked."""

    sampler: EndpointSampler
    allowance: Allowance | None

    def probe(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> list[Probe]:
        """What came of each prompt; the answers are noted, those that failed are not."""
        with Advance(self.allowance, len(prompts), settings.max_new_tokens) as advance:
            probes = self.sampler.probe(prompts, settings)
            for number, probe in enumerate(probes, 1):
                if probe.sample is not None:
                    sample = probe.sample
                    advance.came(sample.text, sample.tokens, to_come=len(probes) - number)
        return probes


def _both(
    base: _Side,
    candidate: _Side,
    prompts: Sequence[Prompt],
    settings: SamplingSettings,
) -> tuple[list[Probe], list[Probe]]:
    """The base's and the candidate's answers, asked in turn."""
    was: list[Probe] = []
    now: list[Probe] = []
    for start in range(0, len(prompts), CHUNK):
        was += base.probe(prompts[start : start + CHUNK], settings)
        now += candidate.probe(prompts[start : start + CHUNK], settings)
    return was, now


def _figures(
    plan: CanaryPlan, forget: Sequence[Probe], general: Sequence[Probe], base: Sequence[Probe]
) -> Figures:
    """``base``: its general answers, which this side's are compared with."""
    answers = judge_samples((p.sample for p in forget if p.sample is not None), plan.judge)
    named = NameCounts.total(NameCounts.of_answer(answer) for answer in answers)
    probes = [*forget, *general]
    times = [probe.wall_s for probe in probes if probe.sample is not None]
    overlaps = [word_overlap(_text(a), _text(b)) for a, b in zip(general, base, strict=True)]
    return Figures(
        asked=len(probes),
        failed=sum(probe.sample is None for probe in probes),
        empty=sum(probe.sample is not None and not _text(probe).strip() for probe in probes),
        invented=named.invented,
        real=named.real,
        median_s=median(times) if times else math.nan,
        overlap=sum(overlaps) / len(overlaps) if overlaps else 1.0,
    )


def broken_limits(
    limits: CanarySection, was: Figures, now: Figures, *, same: bool
) -> Iterator[str]:
    """Each limit that the adapter breaks, in words; ``was`` is the base.

    ``same``: every answer is the base's.
    """
    if now.failed / now.asked > limits.errors:
        yield f"{now.failed} of {now.asked} requests failed"
    if same:
        yield "every answer is the base's to the letter: the server doesn't apply the adapter"
    if (now.empty - was.empty) / now.asked > limits.empty:
        yield f"{now.empty} of {now.asked} answers are empty, {was.empty} of the base's"
    if now.median_s > max(limits.slower * was.median_s, was.median_s + SLACK_S):
        yield f"an answer takes {now.median_s:.2f} s, {was.median_s:.2f} s with the base"
    if now.rate > limits.rate * was.rate:
        yield f"hallucination rate {now.rate:.3f}, {was.rate:.3f} with the base"
    if fewer_p_value(now.real, was.real, limits.volume) <= ALPHA:
        yield f"{now.real} real names, {was.real} with the base"
    if now.overlap < limits.overlap:
        yield f"general answers share {now.overlap:.2f} of their words with the base's"


def _told(was: Figures, now: Figures) -> str:
    return (
        f"{now.asked} prompts: rate {now.rate:.3f} (base {was.rate:.3f}), {now.real} real names"
        f" ({was.real}), {now.median_s:.2f} s an answer ({was.median_s:.2f}), overlap"
        f" {now.overlap:.2f}"
    )


def word_overlap(one: str, other: str) -> float:
    """Dice coefficient of the words of two texts, with how often each stands there; in [0, 1]."""
    a, b = Counter(one.lower().split()), Counter(other.lower().split())
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0


def _text(probe: Probe) -> str:
    return "" if probe.sample is None else probe.sample.text
