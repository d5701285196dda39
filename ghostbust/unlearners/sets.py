"""SELECT: which answers a round learns from.

Nothing of a held-out prompt family gets in, nothing of an external suite, held out or not, and no
answer that invents a name of the name-holdout.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ghostbust.errors import NotReadyError
from ghostbust.measure import breaks_off, faults_of
from ghostbust.prompts import is_reserved, name_side
from ghostbust.records import Answer, Context, Ecosystem, Judged, Prompt, SetSplit, Side

LONGEST_LIST = 12
"""answers that name more distinct packages than this are loops or padding: left out"""

INSTALLERS = frozenset(("pip", "pipenv", "pipx", "uv", "npm", "npx", "yarn", "pnpm"))
"""registered names of what installs others"""

PROSE = 4
"""a line of so many words is a sentence"""

FEWEST_PROBES = 30
"""with fewer prompts the volume is too uncertain to steer by"""

SILENT_SHARE = 0.3
"""of the answers to keep, so many may name nothing, if others are there: what one of them teaches,
the next does again"""

PROBE_SHARE = 1 / 3
"""at most this share of the train side's prompts measures the volume instead of training"""


Group = tuple[Ecosystem, Context]
"""what is counted together"""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Answers by what they name."""

    inventing: list[Answer]
    naming: list[Answer]
    """real packages, and none that is invented"""
    silent: list[Answer]
    """no package, or none that is known to be real or invented"""

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """Each kind in the order given."""
        kinds = cls([], [], [])
        for answer in answers:
            if answer.invented:
                kinds.inventing.append(answer)
            else:
                (kinds.naming if answer.real else kinds.silent).append(answer)
        return kinds


def group_of(prompt: Prompt) -> Group:
    """What the prompt's answers are counted with."""
    return prompt.ecosystem, prompt.context


def grouped(answers: Iterable[Answer]) -> dict[Group, list[Answer]]:
    """The answers of each group, groups and answers in the order given."""
    groups: dict[Group, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(group_of(answer.sample.prompt), []).append(answer)
    return groups


def spread(answers: Iterable[Answer]) -> list[Answer]:
    """The answers so ordered that any first ones hold each context and kind in its proportion.

    Those of one context and kind stay in the order given.
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
    """False for an answer with a fault, that ended where none should or names installers only.
    Sentences in place of a list are no fault here: half of what a base says without naming anything
    may be that (docs/log.md, 2026-11-30).

    What the base says often enough and in few tokens, such as a fence and an end, likelihood makes
    it say ever more often (docs/log.md, 2026-11-29), and ``pip install pip`` recommends nothing.
    """
    if answer.real and INSTALLERS.issuperset(answer.real):
        return False
    if ends_early(answer):
        return False
    faults = faults_of(answer)
    return not faults or (faults == ("malformed",) and _is_prose(answer))


def _is_prose(answer: Answer) -> bool:
    """True for sentences without a package where a list was asked for."""
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
    """At most ``most`` answers of the train side, up to half of them with inventions; so many for
    each of the ``members`` (``deal``).

    Those without name real packages or nothing, because a set in which every answer names packages
    teaches the model to name more (docs/log.md, 2026-11-24). Answers
    that repeat another's text for the same prompt are left out, as are empty ones and long lists.
    Of each kind, the contexts are as frequent among those chosen as among all of them.

    Beside them at most ``probes`` prompts of other families. Those are drawn first, whatever was
    answered: what training leaves over are the prompts on which the model invents least.

    ``first``: an adapter whose inventions come before others'. What is kept is the base's before an
    adapter's, since that is what the model shall go on to name. None prefers none.

    ``name_holdout``: share of all names that must not be shown. An answer that invents one is in
    neither set: kept, it would be learnt.

    ``sound``: of those without inventions only sound ones are chosen (``is_sound``).

    The choice is seeded and doesn't depend on the order of ``answers``.

    Raises NotReadyError where it holds no invented, or no real name to learn from.
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
        shown = not any(_is_held_out(judged, name_holdout) for judged in answer.judged)
        fit = is_usable(answer) and (not sound or bool(answer.invented) or is_sound(answer))
        if fit and shown and prompt.family not in apart:
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
    """What each of several trainings learns from: at most ``most`` answers, and as few as can be
    that another one has too.
    """
    hands = map(Kinds.of, _hands(sets.forget + sets.retain, members=members, most=most))
    return [
        replace(sets, forget=tuple(hand.inventing), retain=tuple(hand.naming + hand.silent))
        for hand in hands
    ]


def _hands(answers: Iterable[Answer], *, members: int, most: int) -> Iterator[list[Answer]]:
    """Of each kind the first ones that were drawn least often."""
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
    """At most so many, up to half of them with inventions; the first ones of each kind."""
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
