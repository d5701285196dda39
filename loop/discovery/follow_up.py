"""Follows up prompts that paid off: draws operator, wording, domain and prompt.

The pair of operator and form, then the domain, are those with the largest factors drawn from the
bandit. The prompt is the one whose own yield, its children's included, was drawn highest. If that
gives no new prompt, the next best is tried.
"""

from __future__ import annotations

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ghostbust.errors import EndpointError
from ghostbust.loop.discovery.operators import (
    BARE,
    EVERY,
    FOLLOW_UP,
    OPERATORS,
    Form,
    KnownTasks,
    Operator,
    Parent,
    Request,
    rewrite,
    take_apart,
)
from ghostbust.loop.discovery.pool import AGAIN, DOMAIN, FORM, OPERATOR, SEED, Pool
from ghostbust.prompts import Task, is_reserved
from ghostbust.records import Ecosystem, Prompt, Sample
from ghostbust.samplers.interface import Sampler
from ghostbust.store.prompts import Rewriting
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

TRIES: Final = 6
"""prompts of a domain on which an operator is tried before the next domain"""
_FORMS: Final = {form.name: form for form in (*EVERY, FOLLOW_UP, BARE)}


@dataclass(frozen=True, slots=True)
class _Wish:
    """A rewriting that a model will be asked for."""

    operator: Operator
    request: Request


class Follower:
    """One choice of prompts: what is chosen so far, and what can still be chosen."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        train: Sequence[Task],
        sampler: Sampler,
        rng: random.Random,
        *,
        seed: int,
        variants: int,
        ecosystems: tuple[Ecosystem, ...],
        blind: bool,
        rewriter: Sampler | None = None,
    ) -> None:
        """``rewriter``: another model that writes tasks; None: ``sampler`` does."""
        self.chosen: dict[str, Prompt] = {}
        """by id, in the order chosen"""
        self.rewritings: list[Rewriting] = []
        self._store, self._pool, self._sampler, self._rng = store, pool, sampler, rng
        self._rewriter = rewriter or sampler
        self._variants, self._ecosystems = variants, ecosystems
        self._bandit = pool.bandit
        self._wishes: list[_Wish] = []
        self._taken: Counter[str] = Counter()
        """prompts made of a prompt, by its id"""
        self._used_up: set[tuple[str, str, str]] = set()
        """(operator, form, domain) that can give nothing more in this choice"""
        self._asked = set(pool.used) | rewritten_tasks(pool)
        self._seed = seed
        self._tasks = by_domain(train, rng)
        self._parents = parents_of(pool, rng, variants, blind=blind)
        everything = [*pool.prompts.values(), *pool.held_out]
        self._known = KnownTasks(p.task for p in map(take_apart, everything) if p is not None)
        for task in train:
            self._known.add(task.text)
        self._dropped = set(self._bandit.dropped(OPERATORS))

    def take(self, prompt: Prompt) -> None:
        """Chooses the prompt, unless it is chosen already or was taken out of the pool."""
        if prompt.id not in self._pool.pruned:
            self.chosen.setdefault(prompt.id, prompt)

    def follow(self, count: int) -> None:
        """Chooses ``count`` more by what probably pays; fewer if there are no more."""
        wanted = len(self.chosen) + len(self._wishes) + count
        usable = [*(name for name in OPERATORS if name not in self._dropped), SEED, AGAIN]
        while len(self.chosen) + len(self._wishes) < wanted and self._choose_one(usable):
            pass
        self._write_wishes()

    def retry_dropped(self) -> None:
        """Uses one of the dropped operators once, if there are any."""
        if self._dropped:
            self._choose_one([self._rng.choice(sorted(self._dropped))])

    def _choose_one(self, operators: Sequence[str]) -> bool:
        """One more, by the best operator, form and domain that gives one; False if none does."""
        by_operator = self._bandit.draw(OPERATOR, operators, self._rng)
        by_form = self._bandit.draw(FORM, _FORMS, self._rng)
        pairs = [(name, form) for name in operators for form in _forms_of(name)]
        pairs.sort(key=lambda pair: -by_operator[pair[0]] * by_form[pair[1].name])
        by_domain = self._bandit.draw(DOMAIN, sorted({*self._tasks, *self._parents}), self._rng)
        domains = sorted(by_domain, key=lambda domain: (-by_domain[domain], domain))
        for name, form in pairs:
            for domain in domains:
                if (name, form.name, domain) in self._used_up:
                    continue
                if self._use(name, form, domain):
                    return True
                self._used_up.add((name, form.name, domain))
        return False

    def _use(self, name: str, form: Form, domain: str) -> bool:
        """One prompt by the operator, in the form, of the domain; False if there is none."""
        if name == SEED:
            return self._fresh(form, domain)
        if name == AGAIN:
            return self._again(form, domain)
        operator = OPERATORS[name]
        tried = 0
        for parent in self._parents.get(domain, ()):
            if self._taken[parent.prompt.id] >= self._variants:
                continue
            if (tried := tried + 1) > TRIES:
                break
            if self._apply(operator, form, parent):
                self._taken[parent.prompt.id] += 1
                return True
        return False

    def _fresh(self, form: Form, domain: str) -> bool:
        """A task that was never asked in this form."""
        for task in self._tasks.get(domain, ()):
            text = form.fill(task.ecosystem, task.text)
            prompt = Prompt(
                text, form.context, task.ecosystem, task.id, task.domain, private=task.private
            )
            if prompt.id not in self._pool.known and prompt.id not in self.chosen:
                self.take(prompt)
                return True
        return False

    def _again(self, form: Form, domain: str) -> bool:
        """A prompt that paid, once more."""
        for parent in self._parents.get(domain, ()):
            if parent.form == form and parent.prompt.id not in self.chosen:
                self._note(AGAIN, parent.prompt, parent.prompt, 0)
                self.take(parent.prompt)
                return True
        return False

    def _apply(self, operator: Operator, form: Form, parent: Parent) -> bool:
        request = Request(
            parent,
            form,
            self._rng,
            mate=self._mate(parent) if operator.name == "crossover" else None,
            answer=self._answer(parent) if form == FOLLOW_UP else None,
            ecosystems=self._ecosystems,
        )
        if operator.question is not None:
            keys = {(parent.prompt.id, operator.name), (parent.task, operator.name)}
            if not keys.isdisjoint(self._asked):
                return False
            self._asked |= keys
            self._wishes.append(_Wish(operator, request))
            return True
        prompt = operator.write(request)
        if prompt is None or not self._is_new(prompt, parent):
            return False
        self._note(operator.name, parent.prompt, prompt, 0)
        self.take(prompt)
        return True

    def _is_new(self, prompt: Prompt, parent: Parent) -> bool:
        """True for a prompt that wasn't asked and may train; its task counts as known from now on.

        The parent's own task may come in another wording, or for another registry.
        """
        if prompt.id in self._pool.known or prompt.id in self.chosen or is_reserved(prompt):
            return False
        parts = take_apart(prompt)
        if parts is not None and parts.task != parent.task:
            if self._known.has_like(parts.task):
                return False
            self._known.add(parts.task)
        return True

    def _write_wishes(self) -> None:
        """Asks for all rewritings at once; rewords the parent of each that wasn't written.

        If another model than the watched one is unreachable, all parents are reworded, and nothing
        is noted: the rewritings are asked for another time.
        """
        wishes, self._wishes = self._wishes, []
        wanted = [(w.request.parent, w.operator.name, w.operator.question or "") for w in wishes]
        try:
            found = rewrite(self._rewriter, wanted, self._seed)
        except EndpointError as exc:
            if self._rewriter is self._sampler:
                raise
            log.warning("discovery.rewriter: %s; tasks are reworded by rule instead", exc)
            for wish in wishes:
                self._reword(wish.request.parent)
            return
        for wish, written in zip(wishes, found, strict=True):
            parent = wish.request.parent
            prompt = wish.operator.write(replace(wish.request, written=written.task))
            if prompt is not None and not self._is_new(prompt, parent):
                prompt = None
            self._note(wish.operator.name, parent.prompt, prompt, written.tokens)
            if prompt is None:
                self._reword(parent)
            else:
                self.take(prompt)

    def _reword(self, parent: Parent) -> None:
        """The parent's task in a new wording, else the parent itself again."""
        operator = OPERATORS["reword"]
        forms = [form for form in operator.forms if form != parent.form]
        self._rng.shuffle(forms)
        if not any(self._apply(operator, form, parent) for form in forms):
            self._note(AGAIN, parent.prompt, parent.prompt, 0)
            self.take(parent.prompt)

    def _note(self, operator: str, parent: Prompt, child: Prompt | None, tokens: int) -> None:
        self.rewritings.append(
            Rewriting(
                operator,
                parent.id,
                None if child is None else child.id,
                tokens,
                self._sampler.model,
                self._sampler.adapter,
                self._seed,
            )
        )

    def _mate(self, parent: Parent) -> Parent | None:
        """Another prompt that paid, of any domain."""
        others = [
            other
            for found in self._parents.values()
            for other in found[:TRIES]
            if other.prompt.family != parent.prompt.family
        ]
        return self._rng.choice(others) if others else None

    def _answer(self, parent: Parent) -> Sample | None:
        """A stored answer of the model to the prompt, with its text."""
        found = self._store.answers.of_prompt(
            parent.prompt.id, model=self._sampler.model, adapter=self._sampler.adapter
        )
        return self._rng.choice(found) if found else None


def _forms_of(operator: str) -> Iterator[Form]:
    if operator == AGAIN:
        yield from (*EVERY, BARE)
    else:
        yield from EVERY if operator == SEED else OPERATORS[operator].forms


def parents_of(
    pool: Pool, rng: random.Random, variants: int, *, blind: bool
) -> dict[str, list[Parent]]:
    """By domain, the active prompts that can be taken apart, the best drawn yield first.

    A prompt's drawn yield is divided by 1 + the multiples of ``variants`` that were made of it.
    ``blind``: in random order.
    """
    drawn: dict[str, float] = {}
    for key, record in pool.records.items():
        if record.active and key in pool.prompts:
            children = pool.children.get(key, ())
            drawn[key] = (
                rng.random()
                if blind
                else _drawn_yield(pool, key, children, rng) / (1 + len(children) // variants)
            )
    found: dict[str, list[Parent]] = defaultdict(list)
    for key in sorted(drawn, key=lambda key: (-drawn[key], key)):
        parent = take_apart(pool.prompts[key])
        if parent is not None:
            found[parent.prompt.domain].append(parent)
    return dict(found)


def rewritten_tasks(pool: Pool) -> set[tuple[str, str]]:
    """(task, operator) of all rewritings; a model gets the task, whatever its wording."""
    parents = {key: take_apart(pool.prompts[key]) for key, _ in pool.used if key in pool.prompts}
    return {
        (parent.task, operator)
        for key, operator in pool.used
        if (parent := parents.get(key)) is not None
    }


def by_domain(tasks: Sequence[Task], rng: random.Random) -> dict[str, list[Task]]:
    """The tasks of each domain, in random order."""
    found: dict[str, list[Task]] = defaultdict(list)
    for task in rng.sample(list(tasks), len(tasks)):
        found[task.domain].append(task)
    return dict(found)


def _drawn_yield(pool: Pool, key: str, children: Sequence[str], rng: random.Random) -> float:
    """Reward per thousand tokens, drawn from a gamma posterior: what the prompt and its children
    brought, with a prior at the mean of all prompts that weighs as much as one name."""
    family = [pool.records[one] for one in (key, *children) if one in pool.records]
    reward, cost = sum(one.reward for one in family), sum(one.cost for one in family)
    return rng.gammavariate(1 + reward, 1 / (1 / pool.bandit.mean + cost))
