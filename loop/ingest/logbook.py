"""Stores what was read from logs: runs, their counts, and the answers that invent names.

An answer gets its model, its family and its identity here. The identity is the record's own id, or
else its line in its file, so that no answer is stored twice. A prompt that ghostbust asked itself,
or that is a task of the settings or a shipped one, stays in that family, and so on that side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from ghostbust.config import Config
from ghostbust.loop.build import make_tasks
from ghostbust.loop.ingest.files import LogBlock, LogFile, Stream
from ghostbust.loop.ingest.reading import Counted, FoundAnswer
from ghostbust.loop.session import Session
from ghostbust.measure import Key, NameCounts, Tally, add_to, measurement_of
from ghostbust.prompts import first_prompts, is_reserved, seed_tasks
from ghostbust.records import Answer, Context, Prompt, content_id, utc_now
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.traffic import LoggedAnswer, LoggedPart, ReadFile

MOST_MODELS: Final = 20
"""models with runs of their own; a limit, since anybody may write names into a log"""
OTHERS: Final = "(others)"


Who = tuple[str, str | None]
"""a model and its adapter, if it has one"""


class Logbook:
    """Runs of kind ``ingest``, one for each model and adapter; use it in a ``with``.

    A run begins with the first completion of its model, or continues an interrupted one.
    """

    def __init__(self, session: Session) -> None:
        self._store = session.store
        self._judge = session.judge
        self._config = session.config
        self._models = ServedModels(session)
        self._families = known_families(session.config)
        self._began = utc_now().isoformat()
        self.runs: dict[Who, int] = {}
        """the ids of the runs; empty before the first completion"""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for run_id in self.runs.values():
            if error is not None:
                self._store.runs.finish(run_id, RunStatus.INTERRUPTED, None)
            else:
                measured = measurement_of(self._store.traffic.tally(run_id))
                self._store.runs.finish(run_id, RunStatus.DONE, measured)

    def write(self, source: LogFile | Stream, block: LogBlock, counted: Counted) -> int:
        """Stores a block and how far its file is read; returns how many answers got rows."""
        tally: Tally = {}
        for key, counts in counted.tally.items():
            add_to(tally, self._models.key(key), counts)
        file = self._file(source, block)
        logged: dict[Who, list[LoggedAnswer]] = {}
        for found, answer in self._settled(counted, tally):
            who = _who(self._models.key(found.key))
            placed = self._placed(source, found, answer, self._run_of(who))
            one = LoggedAnswer(placed, found.line, found.completion.at)
            logged.setdefault(who, []).append(one)
        parts: dict[Who, Tally] = {}
        for key, counts in tally.items():
            parts.setdefault(_who(key), {})[key] = counts
        named = ((self._run_of(who), part, logged.get(who, ())) for who, part in parts.items())
        self._store.traffic.add([LoggedPart(*one) for one in named], file)
        return sum(map(len, logged.values()))

    def _settled(self, counted: Counted, tally: Tally) -> Iterator[tuple[FoundAnswer, Answer]]:
        """The answers that invent names. Judges and counts the open ones first."""
        for found in counted.found:
            if found.judged is not None:
                yield found, found.answer(found.judged)
                continue
            answer = found.answer(tuple(self._judge.refs(found.refs)))
            add_to(tally, self._models.key(found.key), NameCounts.of_answer(answer))
            if answer.invented and is_reserved(answer.sample.prompt):
                counted.reserved += 1
            elif answer.invented:
                yield found, answer

    def _placed(
        self, source: LogFile | Stream, found: FoundAnswer, answer: Answer, run_id: int
    ) -> Answer:
        """The answer with its model, its prompt's family, and a seed and number of its own."""
        completion, sample = found.completion, answer.sample
        model, adapter = self._models.of(completion.model, completion.adapter)
        if completion.key is not None:
            seed, number = _number("request", completion.key), completion.number
        else:
            log = f"file {source.id}" if source.id is not None else f"{self._began} {run_id}"
            seed, number = _number("line", log, str(completion.number)), found.line
        prompt = self._at_home(sample.prompt)
        return replace(
            answer,
            sample=replace(
                sample, prompt=prompt, model=model, adapter=adapter, seed=seed, number=number
            ),
        )

    def _at_home(self, prompt: Prompt) -> Prompt:
        """The prompt in its known family, or in that of the message that began it."""
        if not prompt.text:
            return prompt
        first = prompt.turns[0] if prompt.turns else prompt.text
        forms = {c: replace(prompt, context=c) for c in (prompt.context, *Context)}
        begun = [replace(p, text=first, turns=()) for p in forms.values()]
        ids = [p.id for p in (*forms.values(), *begun)]
        stored = self._store.prompts.families(ids)
        for one in forms.values():
            if one.id in stored:
                return replace(one, family=stored[one.id])
        family = next((stored[i] for i in ids if i in stored), None)
        return replace(prompt, family=family or self._families.get(first, prompt.family))

    def _file(self, source: LogFile | Stream, block: LogBlock) -> ReadFile | None:
        """How far the file is read with this block; a new file gets its number."""
        if isinstance(source, Stream):
            return None
        read = source.read_up_to(block.end)
        if read.id is None:
            read = self._store.traffic.number(read)
            source.id = read.id
        return read

    def _run_of(self, who: Who) -> int:
        """The id of the run of that model and adapter.

        The first call resumes all interrupted runs, so that none of them waits for a model that no
        log names again.
        """
        if not self.runs:
            for run in self._store.runs.unfinished(self._spec(who)):
                if (of := (run.spec.model, run.spec.adapter)) not in self.runs:
                    self._store.runs.resume(run.id)
                    self.runs[of] = run.id
        if who not in self.runs:
            self.runs[who] = self._store.runs.start(self._spec(who))
        return self.runs[who]

    def _spec(self, who: Who) -> RunSpec:
        model, adapter = who
        return RunSpec(
            kind=RunKind.INGEST,
            model=model,
            adapter=adapter,
            seed=0,
            settings={"registry": self._judge.mode},
            snapshots=self._judge.dates,
        )


class ServedModels:
    """The model and adapter that a name in a log means; a server may use names of its own."""

    def __init__(self, session: Session) -> None:
        model = session.config.model
        self._default = model.name
        self._served_as = {"": model.name, model.endpoint_model or model.name: model.name}
        self._adapters = {
            row.candidate.name: row.candidate.model for row in session.store.rounds.adapters()
        }
        self._counted: set[str] = set()

    def of(self, model: str | None, adapter: str | None) -> tuple[str, str | None]:
        """Model and adapter. Servers list a loaded adapter as a model of that name."""
        named = model or ""
        if adapter is None and named in self._adapters:
            return self._adapters[named], named
        return self._served_as.get(named, named), adapter

    def key(self, key: Key) -> Key:
        """The key with known names; models beyond the first `MOST_MODELS` count as `OTHERS`."""
        model, adapter = self.of(key.model, key.adapter)
        counted = f"{model}\0{adapter or ''}"
        if len(self._counted) < MOST_MODELS:
            self._counted.add(counted)
        if counted not in self._counted:
            model, adapter = OTHERS, None
        return replace(key, model=model, adapter=adapter)


def _who(key: Key) -> Who:
    return key.model, key.adapter


def known_families(config: Config) -> dict[str, str]:
    """The family of each task's text and prompts, of the settings and the shipped tasks."""
    tasks = [*seed_tasks(), *make_tasks(config)]
    families = {task.text: task.id for task in tasks}
    return families | {prompt.text: prompt.family for prompt in first_prompts(tasks)}


def _number(*parts: str) -> int:
    """A 63-bit number made of the parts."""
    return int(content_id(*parts), 16) >> 1
