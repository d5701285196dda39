"""What a candidate names, beside what the base names for the same prompts.

numpy belongs to the extra ``local``: it is imported where it is needed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Self, TypeVar

from ghostbust.measure import Named
from ghostbust.records import Answer, Context
from ghostbust.statistics import Floats

AnswerOrNamed = TypeVar("AnswerOrNamed", Answer, Named)
"""an answer, or what the store has of one whose text it doesn't keep"""


class BaseNames:
    """The real names of the base's samples of each prompt, which say what is supported there.

    A real name is supported where the base, too, names it for that prompt in one of ``m`` other
    samples: drawn at random from its others for an answer of the base, from all of them for an
    answer of another model. What counts is the share of draws that hold the name. So a model that
    answers as the base does has as many supported names as the base has by itself, and what is
    measured is the same however many samples there are. ``m`` None: one fewer than the base has
    of the prompt.
    """

    def __init__(self, answers: Iterable[Answer | Named], m: int | None = None) -> None:
        self._m = m
        self._samples: Counter[str] = Counter()
        self._naming: dict[str, Counter[str]] = defaultdict(Counter)
        for one in map(_as_named, answers):
            self._samples[one.prompt_id] += 1
            self._naming[one.prompt_id].update(one.real_names)

    @property
    def support(self) -> int:
        """Of how many others one has to name it, for the prompt with the fewest; 0: none can."""
        others = min(self._samples.values(), default=1) - 1
        return others if self._m is None else min(self._m, others)

    def supported(self, answer: Answer | Named, *, own: bool = False) -> float:
        """How many real names of the answer are supported. ``own``: it is one of the samples."""
        one = _as_named(answer)
        naming, samples = self._naming[one.prompt_id], self._samples[one.prompt_id]
        m = samples - 1 if self._m is None else min(self._m, samples - 1)
        return sum(_held(naming[name] - own, samples - own, m) for name in one.real_names)


@cache
def _held(naming: int, samples: int, m: int) -> float:
    """The chance that ``m`` of the samples, drawn at random, hold one that names it."""
    return 1 - math.comb(samples - naming, m) / math.comb(samples, m) if m > 0 else 0.0


_SUMMED: Final = (
    "answers", "inventing", "invented", "real", "named", "unknown", "local", "unmapped", "induced",
    "installers",
)  # fmt: skip


def _as_named(answer: Answer | Named) -> Named:
    return Named.of(answer) if isinstance(answer, Answer) else answer


@dataclass(frozen=True)
class SideBySide:
    """What base and candidate named in answers to the same prompts, by family and context.

    A figure has sums of shape (F, C), families by contexts: ``answers``, ``invented``, ``real``,
    ``named`` (both), ``unknown``, ``all`` (all three), ``supported``, ``unsupported`` (real ones
    that aren't), other counts of `NameCounts`, and those that were asked for besides.
    """

    families: tuple[str, ...]
    contexts: tuple[Context, ...]
    base: Mapping[str, Floats]
    candidate: Mapping[str, Floats]
    support: int
    """of how many other samples of the base one has to name it; 0: nothing is supported"""

    @classmethod
    def of(
        cls,
        base: Sequence[AnswerOrNamed],
        candidate: Sequence[AnswerOrNamed],
        support: int | None = None,
        **others: Callable[[AnswerOrNamed], float],
    ) -> Self:
        """The sums of both sides' answers; the candidate answered prompts that the base did.

        ``support``: the samples of the base that support a name, `BaseNames`' ``m``; ``others``:
        further figures of an answer, by name.
        """
        import numpy as np

        asked = [_as_named(answer) for answer in base]
        families = tuple(sorted({one.family for one in asked}))
        contexts = tuple(c for c in Context if any(one.context is c for one in asked))
        row = {family: place for place, family in enumerate(families)}
        names = BaseNames(asked, support)

        def sums(answers: Sequence[AnswerOrNamed], *, own: bool) -> dict[str, Floats]:
            found: dict[str, Floats] = defaultdict(lambda: np.zeros((len(families), len(contexts))))
            for answer in answers:
                one = _as_named(answer)
                counts, supported = one.counts, names.supported(one, own=own)
                place = row[one.family], contexts.index(one.context)
                for name in _SUMMED:
                    found[name][place] += getattr(counts, name)
                found["all"][place] += counts.named + counts.unknown
                found["supported"][place] += supported
                found["unsupported"][place] += counts.real - supported
                for name, figure in others.items():
                    found[name][place] += figure(answer)
            return found

        sides = sums(base, own=True), sums(candidate, own=False)
        return cls(families, contexts, *sides, names.support)

    def only(self, context: Context) -> SideBySide:
        """The same of one context, with the families that were asked in it."""
        import numpy as np

        column = [self.contexts.index(context)]
        asked = self.base["answers"][:, column[0]] > 0
        base, candidate = (
            {name: sums[asked][:, column] for name, sums in side.items()}
            for side in (self.base, self.candidate)
        )
        families = tuple(np.array(self.families)[asked].tolist())
        return SideBySide(families, (context,), base, candidate, self.support)

    def totals(self, figure: str) -> tuple[int, int]:
        """The base's and the candidate's count of a figure that is a whole number."""
        before, after = (round(float(side[figure].sum())) for side in (self.base, self.candidate))
        return before, after

    def each_family(self, figure: str) -> tuple[Floats, Floats]:
        """The candidate's and the base's sums of a figure, (F,) each."""
        return self.candidate[figure].sum(axis=1), self.base[figure].sum(axis=1)

    def rates(self) -> tuple[Floats, Floats]:
        """Both rates as values a family whose means they are: the candidate's, the base's, (F,).

        invented / named, each context weighted by its share of the base's names on either side. So
        a candidate that falls silent where the base invents most has gained nothing; where it names
        nothing at all, it counts as the base. Values as of `_jackknifed`. Raises ValueError where
        the base names nothing.
        """
        import numpy as np

        invented, named = self.base["invented"], self.base["named"]  # (F, C)
        if not named.sum():
            raise ValueError("the base names nothing")
        own_invented, own_named = self.candidate["invented"], self.candidate["named"]

        def rate(left: Floats) -> Floats:
            """The candidate's rate with other sums taken away, (..., C) each: (...)."""
            base_invented, base_named, after_invented, after_named = left
            silent = after_named <= 0
            after = np.where(silent, base_invented, after_invented)
            of = np.where(silent, base_named, after_named)
            rates = after / np.where(of <= 0, 1, of)
            return _ratio((rates * base_named).sum(axis=-1), base_named.sum(axis=-1))

        def base_rate(left: Floats) -> Floats:
            return _ratio(left[0].sum(axis=-1), left[1].sum(axis=-1))

        every = np.stack([invented, named, own_invented, own_named])  # (4, F, C)
        return _jackknifed(every, rate), _jackknifed(every, base_rate)

    def share_rises(self, part: str, whole: str) -> Floats:
        """Values a family, (F,), whose mean is the rise of part / whole from base to candidate.

        Shares over all contexts, 0 where a side has none of the whole. Values as of `_jackknifed`.
        """
        import numpy as np

        def share(left: Floats) -> Floats:
            return _ratio(left[0].sum(axis=-1), left[1].sum(axis=-1))

        after, before = (
            _jackknifed(np.stack([side[part], side[whole]]), share)
            for side in (self.candidate, self.base)
        )
        return after - before


def _jackknifed(sums: Floats, figure: Callable[[Floats], Floats]) -> Floats:
    """Values a family, (F,), whose mean is the figure and whose spread is its own times √F.

    ``figure``: of sums (K, ..., C) over families; ``sums``: (K, F, C). What leaving a family out
    moves the figure by, times F - 1. Linearised values spread less, by what the heaviest families
    move themselves. Source: Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans,
    chapter 3.
    """
    families = sums.shape[1]
    total = sums.sum(axis=1, keepdims=True)  # (K, 1, C)
    left = figure(total - sums)  # (F,)
    values: Floats = figure(total)[0] + (families - 1) * (left.mean() - left)
    return values


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole; 0 where there is nothing of the whole, so nothing of the part."""
    import numpy as np

    return np.asarray(part / np.where(whole > 0, whole, 1), dtype=np.float64)
