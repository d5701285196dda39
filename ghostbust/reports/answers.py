"""A few answers of two models to the same prompts, with the packages in them marked.

No invented name of the runs or of the ledger is left in what a page shows, wherever it stands: in
the answer, in the prompt, in prose or in code. A name that was never looked up isn't known, so it
stays. Only single words that the shipped tasks use (models invent
``python`` and ``packages``, too) stay where they don't name a package: they are no secret, and no
prompt could be read without them. Prompts of users are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby

from ghostbust.measure import LOCAL, NameCounts
from ghostbust.prompts import first_prompts, seed_tasks
from ghostbust.records import Answer, Context, Judged, Verdict
from ghostbust.reports.document import AnswerPair, Piece, Quoted
from ghostbust.store.runs import Run
from ghostbust.store.store import Store
from ghostbust.text import redact, visible

SHOWN = 3
"""pairs of a report"""
LINES, CHARACTERS = 12, 600
"""of an answer, from a few lines above the first name on"""
ABOVE = 3
"""lines above it"""
PROMPT_CHARACTERS = 240
ANYWHERE = 6
"""a name of so many letters is hidden inside of longer words, too"""
CHOSEN = (
    "One prompt of each context, drawn by a hash of its text from those at which the first model"
    " invents. What the other answers to it had no say in the choice."
)


def pairs_of(
    store: Store, runs: Mapping[str, Run], invented: Iterable[str], *, reveal: bool
) -> tuple[AnswerPair, ...]:
    """Up to three prompts with what each run answered; none where no text was kept.

    ``invented``: the names that no registry has, of all the runs.
    """
    if len(runs) < 2:
        return ()
    first, *others = (
        {(one.sample.prompt.id, one.sample.number): one for one in _public(store, run)}
        for run in runs.values()
    )
    keys = sorted(
        key
        for key, one in first.items()
        if NameCounts.of_answer(one).invented and all(key in other for other in others)
    )
    hidden = None
    if not reveal:
        # also what only other runs found: a text may spell a name where these runs read none
        ledger = store.ledger.hallucinations(limit=-1)
        hidden = frozenset(invented).union(one.name for one in ledger)
    return tuple(
        _pair({name: side[key] for name, side in zip(runs, (first, *others), strict=True)}, hidden)
        for key in _chosen(keys, {key: first[key].sample.prompt.context for key in keys})
    )


def _public(store: Store, run: Run) -> Iterator[Answer]:
    return (a for a in store.answers.read(run_id=run.id) if not a.sample.prompt.private)


def _chosen(
    keys: list[tuple[str, int]], context: Mapping[tuple[str, int], Context]
) -> list[tuple[str, int]]:
    """One key of each context, then others in order; no prompt twice."""
    prompts = [next(same) for _, same in groupby(keys, key=lambda key: key[0])]
    firsts = [next((k for k in prompts if context[k] is one), None) for one in Context]
    chosen = [key for key in firsts if key is not None]
    return [*chosen, *(key for key in prompts if key not in chosen)][:SHOWN]


def _pair(answers: Mapping[str, Answer], invented: frozenset[str] | None) -> AnswerPair:
    """``invented``: None reveals all names."""
    prompt = next(iter(answers.values())).sample.prompt
    texts = [prompt.text, *(answer.sample.text for answer in answers.values())]
    hidden = None
    if invented is not None:
        unsure = (
            name
            for answer in answers.values()
            for one in answer.judged
            if _is_unsure(one)
            for name in (one.lookup.name, one.ref.raw)
        )
        hidden = _pattern(invented.union(unsure), texts)
    asked = " ".join(_hide(prompt.text, hidden).split())
    if len(asked) > PROMPT_CHARACTERS:
        asked = f"{asked[:PROMPT_CHARACTERS].rstrip()}…"
    return AnswerPair(
        prompt.context,
        Quoted(visible(asked)),
        {name: _pieces(one, hidden) for name, one in answers.items()},
    )


def _is_unsure(one: Judged) -> bool:
    """Whether the name may be unregistered: invented, or not judged and no module of the answer."""
    if one.lookup.verdict is Verdict.UNKNOWN:
        return one.lookup.reason != LOCAL
    return one.lookup.invented


def _pieces(answer: Answer, hidden: re.Pattern[str] | None) -> tuple[Piece, ...]:
    text, made, at = answer.sample.text, list[Piece](), 0
    start, end = _window(answer)
    at = start
    if start:
        made.append(Piece(Quoted("…\n")))
    for one in sorted(answer.judged, key=lambda one: one.ref.start):
        ref, verdict = one.ref, one.lookup.verdict
        if ref.start < at or ref.end > end or verdict is Verdict.BUILTIN:
            continue
        made.append(Piece(Quoted(_lines(_hide(text[at : ref.start], hidden)))))
        name = redact(ref.raw) if hidden is not None and _is_unsure(one) else ref.raw
        made.append(Piece(Quoted(visible(name)), verdict))
        at = ref.end
    made.append(Piece(Quoted(_lines(_hide(text[at:end], hidden)))))
    if end < len(text):
        made.append(Piece(Quoted("\n…")))
    return tuple(piece for piece in made if piece.text)


def _window(answer: Answer) -> tuple[int, int]:
    """Where the shown stretch of an answer begins, and where it ends."""
    text = answer.sample.text
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    first = min((one.ref.start for one in answer.judged), default=0)
    line = sum(start <= first for start in starts) - 1
    # an answer that fits is shown whole
    top = 0 if len(starts) <= LINES and len(text) <= CHARACTERS else max(0, line - ABOVE)
    start = starts[top]
    end = starts[top + LINES] - 1 if top + LINES < len(starts) else len(text)
    if first - start > CHARACTERS // 2:
        blank = re.search(r"\s", text[first - CHARACTERS // 2 : first])
        start = first if blank is None else first - CHARACTERS // 2 + blank.end()
    if end - start > CHARACTERS:
        # No name is cut in two, since its first half would not be recognised.
        blanks = [match.start() for match in re.finditer(r"\s", text[start : start + CHARACTERS])]
        end = start + (blanks[-1] if blanks else 0)
    return start, end


def _pattern(names: Iterable[str], texts: Iterable[str]) -> re.Pattern[str]:
    """Finds the names however they are joined (``a-b``, ``a_b``, ``a b``, ``AB``) in any case."""
    squeezed = " ".join(_squeezed(text) for text in texts)
    forms = set()
    for name in names:
        parts = [re.escape(part) for part in re.split(r"[-_.\s/@]+", name) if part]
        if not parts or _squeezed(name) not in squeezed or name.casefold() in _shipped_words():
            continue
        form = r"[-_.\s/]*".join(parts)
        is_long = len(_squeezed(name)) >= ANYWHERE
        forms.add(form if is_long else rf"(?<![A-Za-z0-9]){form}(?![A-Za-z0-9])")
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(longest_first) or r"(?!)", re.IGNORECASE)


@cache
def _shipped_words() -> frozenset[str]:
    prompts = (prompt.text for prompt in first_prompts(seed_tasks()))
    return frozenset(word for text in prompts for word in re.findall(r"\w+", text.casefold()))


def _squeezed(text: str) -> str:
    return re.sub(r"[-_.\s/@]+", "", text).casefold()


def _hide(text: str, hidden: re.Pattern[str] | None) -> str:
    return text if hidden is None else hidden.sub(lambda found: redact(found[0]), text)


def _lines(text: str) -> str:
    return "\n".join(visible(line.expandtabs(4)) for line in text.split("\n"))
