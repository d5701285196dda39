"""WATCH: sample the model, find the packages it names, look them up, log them. No training.

::

    Prompt ─sample─▶ Sample ─extract─▶ PackageRef ─look up─▶ Lookup ─log─▶ store
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice

from ghostbust.extractors.extract import examine
from ghostbust.loop.signals import log_ids
from ghostbust.measure import measure
from ghostbust.prompts import Task, first_prompts, prompts_of
from ghostbust.records import Answer, Context, Measurement, PackageRef, Prompt, Sample, content_id
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

LOG_EVERY = 16
"""answers logged in one transaction: a killed process loses fewer than that"""

Progress = Callable[[int, int], None]
"""called with how many answers are logged, and how many this stage of the run will have"""
Found = Callable[[Sequence[Answer]], None]
"""called with answers as they are logged; not with those that an earlier process logged"""


@dataclass(frozen=True, slots=True)
class Watched:
    """One finished run."""

    run_id: int
    answers: tuple[Answer, ...]
    """sorted by prompt and number, so that equal runs are equal"""
    measurement: Measurement


@dataclass(frozen=True)
class Watcher:
    """Takes prompts to logged answers, for one model with or without an adapter."""

    store: Store
    sampler: Sampler
    judge: Judge
    settings: SamplingSettings
    progress: Progress | None = None
    made_by: Mapping[str, object] = field(default_factory=dict)
    """what else distinguishes this run from others, such as a hash of the weights; JSON values"""
    found: Found | None = None

    def prompts(self, prompts: Sequence[Prompt], kind: RunKind, *, reuse: bool = False) -> Watched:
        """One run over the prompts. ``reuse``: a finished run of the same takes its place."""
        return self._run(kind, prompts, (), reuse=reuse)

    def tasks(self, tasks: Sequence[Task], kind: RunKind, *, reuse: bool = False) -> Watched:
        """One run over the tasks in all three contexts.

        The NEEDS prompts quote the code of the CODE answers, so they are asked last.
        """
        return self._run(kind, list(first_prompts(tasks)), tasks, reuse=reuse)

    def up_to_block(self, known: Watched, block: int) -> Watched:
        """The first ``block`` blocks of a finished run, each with ``samples_per_prompt`` answers.

        The first one is there already. What lacks of the others is asked and logged in the same
        run, which stays finished; what an earlier process has logged isn't asked again.
        """
        prompts, each = prompts_of(known.answers), self.settings.samples_per_prompt
        answers = {(a.sample.prompt.id, a.sample.number): a for a in known.answers}
        for first in range(each, block * each, each):
            settings = replace(self.settings, first_number=first)
            if any((prompt.id, n) not in answers for prompt in prompts for n in settings.numbers):
                with log_ids(run=known.run_id):
                    asked = replace(self, settings=settings)._ask(known.run_id, prompts)
                answers |= {(a.sample.prompt.id, a.sample.number): a for a in asked}
        watched = self._watched(
            known.run_id, [a for (_, number), a in answers.items() if number < block * each]
        )
        stored = self.store.runs.get(known.run_id).measurement
        if stored is None or stored.answers < watched.measurement.answers:
            self.store.runs.extend(known.run_id, watched.measurement)
            self.store.tallies.refresh_repeats()
        return watched

    def _run(
        self, kind: RunKind, prompts: Sequence[Prompt], tasks: Sequence[Task], *, reuse: bool
    ) -> Watched:
        if reuse and (known := self.known(prompts, kind)) is not None:
            return known
        spec = self._spec(kind, prompts)
        run_id = self.store.runs.find(spec, RunStatus.INTERRUPTED)
        if run_id is None:
            run_id = self.store.runs.start(spec)
        else:
            self.store.runs.resume(run_id)
        try:
            with log_ids(run=run_id):
                answers = self._ask(run_id, prompts)
                answers += self._ask(run_id, needs_prompts(tasks, answers))
        except BaseException:
            self.store.runs.finish(run_id, RunStatus.INTERRUPTED, None)
            raise
        watched = self._watched(run_id, answers)
        self.store.runs.finish(run_id, RunStatus.DONE, watched.measurement)
        self.store.tallies.refresh_repeats()
        return watched

    def _ask(self, run_id: int, prompts: Sequence[Prompt]) -> list[Answer]:
        """Sample, extract, look up, log: all answers to the prompts, with what was logged before.

        A prompt that comes twice is asked once. One that an interrupted run answered in part is
        asked again as a whole, and so is a private one, whose answers' texts weren't kept.
        """
        asked = {prompt.id: prompt for prompt in prompts}
        answers, answered = self._logged(run_id, asked)
        waiting = [prompt for key, prompt in asked.items() if key not in answered]
        for samples in _batches(self.sampler.sample(waiting, self.settings), LOG_EVERY):
            named = [extract(sample) for sample in samples]
            judged = look_up(samples, named, self.judge)
            self.store.answers.add(run_id, judged)
            answers += judged
            if self.found is not None:
                self.found(judged)
            if self.progress is not None:
                self.progress(len(answers), self.settings.samples_per_prompt * len(asked))
        return answers

    def _logged(self, run_id: int, asked: Mapping[str, Prompt]) -> tuple[list[Answer], set[str]]:
        """The run's answers to prompts that have all of theirs, and the ids of these prompts."""
        logged: dict[str, dict[int, Answer]] = {key: {} for key in asked}
        for answer in self.store.answers.read(run_id=run_id):
            sample = answer.sample
            if sample.prompt.id in asked and sample.number in self.settings.numbers:
                logged[sample.prompt.id].setdefault(sample.number, answer)
        each = self.settings.samples_per_prompt
        whole = {key: found for key, found in logged.items() if len(found) == each}
        return [answer for found in whole.values() for answer in found.values()], set(whole)

    def known(self, first: Sequence[Prompt], kind: RunKind) -> Watched | None:
        """The newest finished run of the kind with the same prompts, models and settings.

        Its samples are read anew for names, and these are looked up anew, as if sampled now. None
        where there is no such run, or where texts of its answers weren't kept.
        """
        run_id = self.store.runs.find(self._spec(kind, first), RunStatus.DONE)
        if run_id is None:
            return None
        samples = [answer.sample for answer in self.store.answers.read(run_id=run_id)]
        if len(samples) != len(self.store.answers.sampled_keys(run_id)):
            return None
        return self._watched(run_id, judge_samples(samples, self.judge))

    def _spec(self, kind: RunKind, first: Sequence[Prompt]) -> RunSpec:
        settings = asdict(self.settings) | {
            "prompts": content_id(*(prompt.id for prompt in first)),
            "registry": self.judge.mode,
            **self.made_by,
        }
        del settings["seed"], settings["first_number"]
        return RunSpec(
            kind=kind,
            model=self.sampler.model,
            adapter=self.sampler.adapter,
            seed=self.settings.seed,
            settings=settings,
            snapshots=self.judge.dates,
        )

    def _watched(self, run_id: int, answers: list[Answer]) -> Watched:
        answers.sort(key=lambda answer: (answer.sample.prompt.id, answer.sample.number))
        return Watched(run_id, tuple(answers), measure(answers, seed=self.settings.seed))


def recalled(store: Store, run_id: int) -> Watched:
    """A finished run as it was judged then, with those of its answers whose texts were kept."""
    measurement = store.runs.get(run_id).measurement
    assert measurement is not None
    answers = sorted(
        store.answers.read(run_id=run_id),
        key=lambda answer: (answer.sample.prompt.id, answer.sample.number),
    )
    return Watched(run_id, tuple(answers), measurement)


def judge_samples(samples: Iterable[Sample], judge: Judge) -> list[Answer]:
    """Each sample with every package that it names, looked up."""
    samples = list(samples)
    return look_up(samples, [extract(sample) for sample in samples], judge)


def extract(sample: Sample) -> tuple[PackageRef, ...]:
    """Every package that the sample names. What takes a parser too much to be read is logged."""
    prompt = sample.prompt
    found = examine(
        sample.text,
        expect_list=prompt.expects_list,
        truncated=sample.truncated,
        prompt_text="\n".join((*prompt.turns, prompt.text)),
        ecosystem=prompt.ecosystem,
    )
    if found.unread:
        why = found.unread[0].reason
        log.warning("answer %d to prompt %s: read in part only: %s", sample.number, prompt.id, why)
    return tuple(found.refs)


def look_up(
    samples: Sequence[Sample], named: Sequence[Sequence[PackageRef]], judge: Judge
) -> list[Answer]:
    """The samples as answers, with a verdict on each of the packages that they name."""
    return [
        Answer(sample, tuple(judge.refs(refs))) for sample, refs in zip(samples, named, strict=True)
    ]


def needs_prompts(tasks: Sequence[Task], answers: Iterable[Answer]) -> list[Prompt]:
    """A prompt for each task that asks what its first CODE answer needs; none without an answer."""
    code = {
        answer.sample.prompt.family: answer.sample.text
        for answer in answers
        if answer.sample.prompt.context is Context.CODE and answer.sample.number == 0
    }
    return [
        task.prompt(Context.NEEDS, code=code[task.id])
        for task in tasks
        if code.get(task.id, "").strip()
    ]


def _batches(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, size)):
        yield batch
