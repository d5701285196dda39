"""WATCH: sample the model, find the packages it names, judge them, log them. No training.

::

    Prompt ─sample─▶ Sample ─extract─▶ PackageRef ─look up─▶ Lookup ─log─▶ store
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

from ghostbust.extractors.extract import examine
from ghostbust.log_ids import log_ids
from ghostbust.measure import measure
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Answer, Context, Measurement, Prompt, Sample, content_id
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

log = logging.getLogger(__name__)

LOG_EVERY = 16
"""answers logged in one transaction"""

Progress = Callable[[int, int], None]
"""hears how many answers are logged, and how many this stage of the run will have"""


@dataclass(frozen=True, slots=True)
class Watched:
    """One finished run."""

    run_id: int
    answers: tuple[Answer, ...]
    """sorted by prompt and number, so that equal runs are equal"""
    measurement: Measurement


@dataclass(frozen=True)
class Watcher:
    """The line from prompts to logged answers, for one model with or without an adapter."""

    store: Store
    sampler: Sampler
    judge: Judge
    settings: SamplingSettings
    progress: Progress | None = None
    made_by: Mapping[str, object] = field(default_factory=dict)
    """what else tells this run from others, such as a hash of the weights; JSON values only"""

    def tasks(self, tasks: Sequence[Task], kind: RunKind) -> Watched:
        """One run over the tasks in all three contexts.

        What the CODE answers contain is what the NEEDS prompts ask about.
        """
        first = list(first_prompts(tasks))
        return self._run(kind, first, lambda answers: needs_prompts(tasks, answers))

    def prompts(self, prompts: Sequence[Prompt], kind: RunKind) -> Watched:
        """One run over the given prompts."""
        return self._run(kind, prompts, lambda _: [])

    def known(self, first: Sequence[Prompt], kind: RunKind) -> Watched | None:
        """The newest finished run of the kind with the same prompts, models and settings.

        Its samples, with the names looked for and judged anew, so that it is as if sampled now.
        None where there is none, or where texts of its answers weren't kept.
        """
        run_id = self.store.runs.find_done(self._spec(kind, first))
        if run_id is None:
            return None
        samples = [answer.sample for answer in self.store.answers.read(run_id=run_id)]
        if len(samples) != len(self.store.answers.sampled_keys(run_id)):
            return None
        return self._watched(run_id, judge_samples(samples, self.judge))

    def _run(
        self,
        kind: RunKind,
        first: Sequence[Prompt],
        then: Callable[[Sequence[Answer]], list[Prompt]],
    ) -> Watched:
        run_id = self._open(kind, first)
        try:
            with log_ids(run=run_id):
                answers = self._stage(run_id, first)
                answers += self._stage(run_id, then(answers))
        except BaseException:
            self.store.runs.finish(run_id, RunStatus.INTERRUPTED, None)
            raise
        watched = self._watched(run_id, answers)
        self.store.runs.finish(run_id, RunStatus.DONE, watched.measurement)
        self.store.tallies.refresh_repeats()
        return watched

    def _watched(self, run_id: int, answers: list[Answer]) -> Watched:
        answers.sort(key=lambda answer: (answer.sample.prompt.id, answer.sample.number))
        return Watched(run_id, tuple(answers), measure(answers, seed=self.settings.seed))

    def _spec(self, kind: RunKind, first: Sequence[Prompt]) -> RunSpec:
        settings = asdict(self.settings) | {
            "prompts": content_id(*(prompt.id for prompt in first)),
            "registry": self.judge.mode,
            **self.made_by,
        }
        del settings["seed"]
        return RunSpec(
            kind=kind,
            model=self.sampler.model,
            adapter=self.sampler.adapter,
            seed=self.settings.seed,
            settings=settings,
            snapshots=self.judge.dates,
        )

    def _open(self, kind: RunKind, first: Sequence[Prompt]) -> int:
        """The id of the interrupted run that this one goes on with, else of a new one."""
        spec = self._spec(kind, first)
        unfinished = self.store.runs.find_unfinished(spec)
        if unfinished is None:
            return self.store.runs.start(spec)
        self.store.runs.resume(unfinished)
        return unfinished

    def _stage(self, run_id: int, prompts: Sequence[Prompt]) -> list[Answer]:
        """All answers to the prompts, those that an interrupted run already logged included.

        A prompt that is given twice is asked once; one that was answered in part is asked again
        as a whole, as is a private one, whose answers' texts weren't kept.
        """
        asked = {prompt.id: prompt for prompt in prompts}
        each = self.settings.samples_per_prompt
        logged: dict[str, dict[int, Answer]] = {key: {} for key in asked}
        for answer in self.store.answers.read(run_id=run_id):
            if answer.sample.prompt.id in asked:
                logged[answer.sample.prompt.id].setdefault(answer.sample.number, answer)
        whole = {key for key, by_number in logged.items() if len(by_number) == each}
        answers = [answer for key in logged if key in whole for answer in logged[key].values()]
        waiting = [prompt for key, prompt in asked.items() if key not in whole]
        for batch in _batches(self.sampler.sample(waiting, self.settings), LOG_EVERY):
            judged = judge_samples(batch, self.judge)
            self.store.answers.add(run_id, judged)
            answers += judged
            if self.progress is not None:
                self.progress(len(answers), each * len(asked))
        return answers


def judge_samples(samples: Iterable[Sample], judge: Judge) -> list[Answer]:
    """Each sample with every package that it names, judged.

    What of an answer takes a parser too much to be read is said in the log.
    """
    answers = []
    for sample in samples:
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
            log.warning(
                "answer %d to prompt %s: read in part only: %s", sample.number, prompt.id, why
            )
        answers.append(Answer(sample, tuple(judge.refs(found.refs))))
    return answers


def needs_prompts(tasks: Sequence[Task], answers: Iterable[Answer]) -> list[Prompt]:
    """For each task, the question what its first CODE answer needs; tasks without one are left."""
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
