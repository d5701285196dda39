"""SELECT: which answers a round learns from.

Answers to held-out prompt families are left out, answers to a suite (held out or not),
and answers that invent a name of the name holdout.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ghostbust.answer_faults import breaks_off, faults_of_form
from ghostbust.errors import NotReadyError
from ghostbust.prompts import is_reserved, name_side
from ghostbust.records import Answer, Context, Ecosystem, Judged, Prompt, SetSplit, Side

LONGEST_LIST = 12
"""answers that name more distinct packages are loops or padding, and are left out"""

# Not `measure.INSTALLERS`, which has setuptools, virtualenv and others besides: answers that name
# only these are trained on, since tasks may ask for them. Without them sets and adapters change.
INSTALLERS = frozenset(("pip", "pipenv", "pipx", "uv", "npm", "npx", "yarn", "pnpm"))
"""registered packages that install others"""

PROSE = 4
"""words that make a line a sentence"""

FEWEST_PROBES = 30
"""with fewer prompts the volume is too uncertain to steer by"""

SILENT_SHARE = 0.3
"""share of the answers to keep that may name nothing, if there are others: one of them teaches
hardly less than many"""

PROBE_SHARE = 1 / 3
"""at most this share of the train side's prompts measures the volume instead of training"""

Group = tuple[Ecosystem, Context]
"""answers that are counted together"""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Answers by what they name, each kind in the order given."""

    inventing: list[Answer]
    naming: list[Answer]
    """real packages, and no invented one"""
    silent: list[Answer]
    """no package that is known to be real or invented"""

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """The answers, sorted by kind."""
        kinds = cls([], [], [])
        for answer in answers:
            if answer.invented:
                kinds.inventing.append(answer)
            else:
                (kinds.naming if answer.real else kinds.silent).append(answer)
        return kinds


def group_of(prompt: Prompt) -> Group:
    """The group of the prompt's answers."""
    return prompt.ecosystem, prompt.context


def grouped(answers: Iterable[Answer]) -> dict[Group, list[Answer]]:
    """The answers of each group, groups and answers in the order given."""
    groups: dict[Group, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(group_of(answer.sample.prompt), []).append(answer)
    return groups


def spread(answers: Iterable[Answer]) -> list[Answer]:
    """The answers in an order whose first n, for any n, hold each context and kind in proportion.

    Those of one context and kind keep their order.
    """
    alike: dict[tuple[Context, bool, bool], list[Answer]] = {}
    for answer in answers:
        what = (answer.sample.prompt.context, bool(answer.invented), bool(answer.real))
        alike.setdefault(what, []).append(answer)
    placed = [
        ((number + 0.5) / len(some), answer)
        for some in alike.values()
        for number, answer in enumerate(some)
    ]
    return [answer for _, answer in sorted(placed, key=lambda pair: pair[0])]


def is_usable(answer: Answer) -> bool:
    """False for an empty answer and for one that is a loop or padding."""
    short = len(answer.real) + len(answer.invented) <= LONGEST_LIST
    return short and bool(answer.sample.text.strip())


def is_sound(answer: Answer) -> bool:
    """False for an answer with a fault, one that ended too early, and one that names installers
    only: ``pip install pip`` recommends nothing.

    Likelihood makes frequent answers of few tokens, such as a fence and an end, ever more frequent
    (docs/log.md, 2026-11-29). Sentences in place of a list are sound: they may be half of what a
    base says without naming anything (docs/log.md, 2026-11-30).
    """
    if ends_early(answer) or (answer.real and INSTALLERS.issuperset(answer.real)):
        return False
    faults = faults_of_form(answer)
    return not faults or (faults == ("malformed",) and _is_prose(answer))


def _is_prose(answer: Answer) -> bool:
    """True for sentences without a package where the prompt asks for a list."""
    if answer.sample.prompt.context is Context.CODE or answer.real or answer.invented:
        return False
    lines = answer.sample.text.splitlines()
    return any(sum(any(map(str.isalpha, word)) for word in line.split()) >= PROSE for line in lines)


def ends_early(answer: Answer) -> bool:
    """True for an answer that ended where none should."""
    return not answer.sample.truncated and breaks_off(answer.sample.text)


def select(
    answers: Iterable[Answer],
    holdout: Sequence[Prompt],
    *,
    most: int,
    probes: int,
    seed: int,
    members: int = 1,
    first: str | None = None,
    name_holdout: float = 0.0,
    sound: bool = False,
) -> SetSplit:
    """At most ``most`` answers of the train side for each of the ``members`` (``deal``), up to half
    of them with inventions.

    The others name real packages or nothing: a set in which every answer names packages teaches the
    model to name more (docs/log.md, 2026-11-24). Answers that repeat another's text for the same
    prompt are left out, as are empty ones and long lists. Within each kind, contexts are as
    frequent among the chosen answers as among all.

    ``probes``: at most so many prompts of other families measure the volume. They are drawn first,
    whatever their answers: those that training leaves over are the ones on which the model invents
    least.

    ``first``: an adapter whose inventions are preferred; of the answers to keep, the base's are
    then preferred, since the model should go on to name those. None prefers none.

    ``name_holdout``: share of all names that must not be trained on. An answer that invents one is
    in neither set: kept, it would be learnt.

    ``sound``: only sound answers (``is_sound``) are chosen among those without inventions.

    The choice is seeded and doesn't depend on the order of ``answers``. Raises NotReadyError where
    there is no invented name to unlearn, or no real one to keep.
    """
    held_out = {prompt.family for prompt in holdout}
    train_side = [
        answer
        for answer in answers
        if answer.sample.prompt.family not in held_out and not is_reserved(answer.sample.prompt)
    ]
    base = {a.sample.id: a for a in train_side if a.sample.adapter is None}
    probe = _probe((a.sample.prompt for a in base.values()), most=probes, seed=seed)
    apart = {prompt.family for prompt in probe}

    def later(answer: Answer) -> bool:
        return first is not None and answer.sample.adapter != (first if answer.invented else None)

    usable: dict[tuple[str, str], Answer] = {}
    for answer in train_side:
        prompt, text = answer.sample.prompt, answer.sample.text
        fit = is_usable(answer) and (not sound or bool(answer.invented) or is_sound(answer))
        hidden = any(_is_held_out(judged, name_holdout) for judged in answer.judged)
        if fit and not hidden and prompt.family not in apart:
            twin = usable.get((prompt.id, text), answer)
            usable[prompt.id, text] = min(twin, answer, key=lambda a: (later(a), a.sample.id))
    shuffled = [usable[key] for key in sorted(usable)]
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    sooner = spread(answer for answer in shuffled if not later(answer))
    hands = _hands(sooner + spread(filter(later, shuffled)), members=members, most=most)
    kinds = Kinds.of({answer.sample.id: answer for hand in hands for answer in hand}.values())
    if not kinds.inventing:
        raise NotReadyError("nothing to unlearn: no train-side answer names an invented package")
    if not any(answer.real for answer in kinds.inventing + kinds.naming):
        raise NotReadyError("nothing to keep: no train-side answer names a real package")
    return SetSplit(
        forget=tuple(kinds.inventing),
        retain=tuple(kinds.naming + kinds.silent),
        holdout=tuple(holdout),
        probe=probe,
        base=tuple(base[key] for key in sorted(base)),
    )


def deal(sets: SetSplit, *, members: int, most: int) -> list[SetSplit]:
    """What each of several trainings learns from: at most ``most`` answers, shared with other
    trainings only where there are too few.
    """
    hands = map(Kinds.of, _hands(sets.forget + sets.retain, members=members, most=most))
    return [
        replace(sets, forget=tuple(hand.inventing), retain=tuple(hand.naming + hand.silent))
        for hand in hands
    ]


def _hands(answers: Iterable[Answer], *, members: int, most: int) -> Iterator[list[Answer]]:
    """For each member, the first answers of each kind that were drawn least often."""
    left = list(answers)
    for _ in range(members):
        hand = _balance(Kinds.of(left), most)
        drawn = {answer.sample.id for answer in hand}
        left.sort(key=lambda answer: answer.sample.id in drawn)
        yield hand


def _is_held_out(judged: Judged, share: float) -> bool:
    lookup = judged.lookup
    side = name_side(lookup.ecosystem, lookup.name, share)
    return lookup.invented and side is Side.HOLDOUT


def _balance(kinds: Kinds, most: int) -> list[Answer]:
    """The first answers of each kind: at most ``most``, up to half of them with inventions."""
    others = len(kinds.naming) + len(kinds.silent)
    forget = kinds.inventing[: max(most // 2, most - others)]
    room = most - len(forget)
    silent = kinds.silent[: max(round(SILENT_SHARE * room), room - len(kinds.naming))]
    return forget + kinds.naming[: room - len(silent)] + silent


def _probe(prompts: Iterable[Prompt], *, most: int, seed: int) -> tuple[Prompt, ...]:
    """All the prompts of some families; none where there would be fewer than ``FEWEST_PROBES``."""
    families: dict[str, dict[str, Prompt]] = {}
    for prompt in prompts:
        families.setdefault(prompt.family, {})[prompt.id] = prompt
    room = min(most, int(PROBE_SHARE * sum(len(family) for family in families.values())))
    order = sorted(families)
    random.Random(seed).shuffle(order)  # noqa: S311
    chosen: list[Prompt] = []
    for family in order:
        if len(chosen) + len(families[family]) <= room:
            chosen += [families[family][key] for key in sorted(families[family])]
    return tuple(chosen) if len(chosen) >= FEWEST_PROBES else ()
