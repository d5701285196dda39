"""CANARY: a loaded adapter beside the base, at the server itself, before clients get it.

The gates have measured the adapter on this machine. The canary looks for what can go wrong
between here and the clients: another file, another base, a server that ignores the adapter, fails
or gets slow with it. It asks few prompts, so it is no second gate on the rate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from ghostbust.samplers.endpoint import EndpointSampler, TimedAnswer
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import CanarySection
from ghostbust.statistics import fewer_p_value
from ghostbust.store.serving import Canary, CanaryFigures
from ghostbust.store.store import Store

CHUNK = 8
"""prompts after which the other side is asked, so that both meet the same load"""
ALPHA = 0.05
"""how often an adapter at the limit of the volume breaks it by chance"""
SLACK_S = 0.2
"""so much slower is never too slow: at short times noise is larger than any ratio"""
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


def run_canary(
    config: Config,
    store: Store,
    judge: Judge,
    publisher: Publisher,
    adapter: str,
    allowance: Allowance | None = None,
) -> Canary | None:
    """How the loaded adapter does at this replica; None where it answers no prompts.

    ``allowance``: the day's budgets, in which the answers are noted; None: they aren't. Raises
    EndpointError where the base fails as well: that says nothing of the adapter.
    """
    limits, asked = config.canary, (publisher.asks(None), publisher.asks(adapter))
    forget = draw(list(forget_prompts(config, store)), limits.forget, 0)
    general = [
        Prompt(text, Context.CODE, Ecosystem.PYPI, family="canary")
        for text in GENERAL[: limits.general]
    ]
    if asked[0] is None or asked[1] is None or not (forget or general):
        return None
    settings = SamplingSettings(
        temperature=config.sampling.temperature,
        top_p=config.sampling.top_p,
        max_new_tokens=config.sampling.max_new_tokens,
    )
    sides = [_sampler(config, asking) for asking in asked if asking is not None]
    sampled = _in_turn(sides, allowance, forget, settings)
    greedy = _in_turn(sides, allowance, general, replace(settings, temperature=0))
    was, now = (
        _figures(judge, sampled[side], greedy[side], greedy[0]) for side in range(len(sides))
    )
    all_was, all_now = ([*sampled[side], *greedy[side]] for side in range(len(sides)))
    if was.failed / was.asked > limits.errors:
        first = next(probe.said for probe in all_was if probe.said)
        raise EndpointError(
            f"{publisher.where} fails with the base as well ({was.failed} of {was.asked}: {first}),"
            " so the canary says nothing of the adapter"
        )
    same = all(_text(one) == _text(other) for one, other in zip(all_was, all_now, strict=True))
    broken = list(broken_limits(limits, was, now, same=same))
    figures = (
        f"{now.asked} prompts: rate {now.rate:.3f} (base {was.rate:.3f}), {now.real} real names"
        f" ({was.real}), {now.median_s:.2f} s an answer ({was.median_s:.2f}), overlap"
        f" {now.overlap:.2f}"
    )
    return Canary(
        replica=publisher.where,
        adapter=adapter,
        passed=not broken,
        reason="; ".join(broken) or figures,
        base=was,
        figures=now,
        at=utc_now(),
    )


def forget_prompts(config: Config, store: Store) -> Iterator[Prompt]:
    """Train-side prompts that elicited inventions, each once; else those of train-side tasks.

    Held-out prompts measure rates, so they are left out.
    """
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


def _in_turn(
    sides: Sequence[EndpointSampler],
    allowance: Allowance | None,
    prompts: Sequence[Prompt],
    settings: SamplingSettings,
) -> list[list[TimedAnswer]]:
    """What came of each prompt at each side. The answers are noted, failed requests are not."""
    probes: list[list[TimedAnswer]] = [[] for _ in sides]
    for start in range(0, len(prompts), CHUNK):
        chunk = prompts[start : start + CHUNK]
        for side, sampler in enumerate(sides):
            with Advance(allowance, len(chunk), settings.max_new_tokens) as advance:
                found = sampler.probe(chunk, settings)
                for number, probe in enumerate(found, 1):
                    if (sample := probe.sample) is not None:
                        to_come = len(found) - number
                        advance.came(sample.text, sample.tokens, to_come=to_come)
            probes[side] += found
    return probes


def _figures(
    judge: Judge,
    forget: Sequence[TimedAnswer],
    general: Sequence[TimedAnswer],
    base: Sequence[TimedAnswer],
) -> CanaryFigures:
    """The figures of one side. ``base``: its general answers, to compare this side's with."""
    answers = judge_samples((p.sample for p in forget if p.sample is not None), judge)
    named = NameCounts.total(NameCounts.of_answer(answer) for answer in answers)
    probes = [*forget, *general]
    times = [probe.wall_s for probe in probes if probe.sample is not None]
    overlaps = [word_overlap(_text(a), _text(b)) for a, b in zip(general, base, strict=True)]
    return CanaryFigures(
        asked=len(probes),
        failed=sum(probe.sample is None for probe in probes),
        empty=sum(probe.sample is not None and not _text(probe).strip() for probe in probes),
        invented=named.invented,
        real=named.real,
        median_s=median(times) if times else math.nan,
        overlap=sum(overlaps) / len(overlaps) if overlaps else 1.0,
    )


def broken_limits(
    limits: CanarySection, was: CanaryFigures, now: CanaryFigures, *, same: bool
) -> Iterator[str]:
    """Each limit that the adapter breaks, in words; ``was`` is the base.

    ``same``: every answer equals the base's.
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


def word_overlap(one: str, other: str) -> float:
    """Dice coefficient of the words of two texts, repeated ones counted, in [0, 1]."""
    a, b = Counter(one.lower().split()), Counter(other.lower().split())
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0


def _text(probe: TimedAnswer) -> str:
    return "" if probe.sample is None else probe.sample.text
