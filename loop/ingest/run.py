"""INGEST: reads from logs what a deployed model answered in production. Samples nothing.

::

    logs ─read─▶ blocks of lines ─▶ completions ─extract─▶ PackageRef ─look up─▶ Lookup
         ─▶ counts, and rows for what was invented ─log─▶ store, with how far the log was read

Worker processes extract and judge. This process reads the logs and writes one transaction a block:
counts, inventions and the place in the log are stored together or not at all, so no line counts
twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.build import cutoff_of, make_tasks
from ghostbust.loop.ingest.files import LogBlock, LogFile, Stream
from ghostbust.loop.ingest.paths import Files, check_paths, files_of, is_stream
from ghostbust.loop.ingest.reading import Counted, FoundAnswer, SkippedLines
from ghostbust.loop.ingest.workers import InOrder, OpenPool, ReaderSettings, open_pool
from ghostbust.loop.session import Session, open_beside
from ghostbust.loop.signals import Clock, Listener, Silence
from ghostbust.measure import Key, NameCounts, Tally, add_to, by_model, measurement_of
from ghostbust.prompts import first_prompts, is_reserved, seed_tasks
from ghostbust.records import Answer, Context, Measurement, Prompt, content_id, utc_now
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.traffic import LoggedAnswer, LoggedPart, NamedOften, ReadFile
from ghostbust.system import usable_cores

log = logging.getLogger(__name__)

MOST_NAMED: Final = 1000
"""invented names in a result, the most frequent ones"""
MOST_MODELS: Final = 20
"""models with runs of their own; a limit, since anybody may write names into a log"""
OTHERS: Final = "(others)"

Who = tuple[str, str | None]
"""a model and its adapter, if it has one"""

Source = LogFile | Stream
Read = tuple[Source, LogBlock] | None


@dataclass
class Ingested:
    """What was read and found."""

    run_id: int | None = None
    """the run of the model with the most answers; None if no completion was read"""
    runs: dict[Who, int] = field(default_factory=dict)
    """the runs by model and adapter"""
    lines: int = 0
    """lines that aren't blank"""
    completions: int = 0
    skipped: SkippedLines = field(default_factory=SkippedLines)
    first_skipped_in: str = ""
    """the file of ``skipped.first``"""
    first_unread_in: str = ""
    """the file of ``skipped.first_unread``"""
    inventing: int = 0
    """answers that were stored because they invent a name"""
    reserved: int = 0
    """answers to prompts for evaluation only that invent a name; they are only counted"""
    unfinished: int = 0
    """files whose last line is incomplete"""
    notes: list[str] = field(default_factory=list)
    """one line for each file that couldn't be read"""
    measurement: Measurement | None = None
    """of all runs, including what interrupted ones had counted before"""
    by_model: dict[Who, Measurement] = field(default_factory=dict)
    """the same by model and adapter"""
    named: list[NamedOften] = field(default_factory=list)
    """invented names of the runs, the most frequent ones first"""


@contextmanager
def open_logs(home: Home, config: Config, clock: Clock | None = None) -> Iterator[Session]:
    """Opens the home folder for reading logs: one process at a time, beside other work.

    ``clock``: as for `open_session`.

    Raises BusyError where another process reads logs into it, StoreError, SnapshotError.
    """
    with open_beside(home, config, purpose="ingest", lock=home.ingest_lock, clock=clock) as session:
        session.store.runs.mark_interrupted(ingest=True)
        yield session


def ingest(
    session: Session,
    paths: Sequence[Path],
    *,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
    open_readers: OpenPool = open_pool,
) -> Ingested:
    """Reads what is new in the logs, counts, judges and stores it; a run for each model.

    ``follow``: also waits for what comes, until ``stopped`` returns True (it is asked several
    times a second) or a stream ends. The next call continues what was interrupted or killed.

    Raises UsageError for a missing path, StoreError, and DataError if no worker can begin.
    """
    check_paths(paths)
    result = Ingested()
    logbook = Logbook(session)
    config = session.config
    workers = config.ingest.workers
    workers = usable_cores() if workers is None else workers
    settings = ReaderSettings(
        session.judge.mode,
        session.home.registry,
        config.registry.as_of,
        cutoff_of(config),
        config.ingest.line_bytes,
    )
    reads = _reads(session, paths, result, follow=follow, stopped=stopped)
    read_bytes = _progress(listener or Silence(), paths, follow=follow)
    with logbook, open_readers(settings, workers) as submit:
        blocks: InOrder[Source] = InOrder(submit, 2 * workers + 1, lambda: read_bytes(0))
        for read in chain(reads, [None]):
            done = blocks.rest() if read is None else blocks.give(*read)
            for source, block, counted in done:
                _add(result, source, counted)
                result.inventing += logbook.write(source, block, counted)
                read_bytes(len(block.data))
    return _finished(session.store, logbook.runs, result)


def _reads(
    session: Session,
    paths: Sequence[Path],
    result: Ingested,
    *,
    follow: bool,
    stopped: Callable[[], bool],
) -> Iterator[Read]:
    """The blocks of files, then those of streams. Only one of the two can be followed."""
    settings = session.config.ingest
    streams = [path for path in paths if is_stream(path)]
    files = Files(
        [path for path in paths if path not in streams],
        session.store.traffic,
        settings.line_bytes,
        result.notes.append,
    )
    if follow and not streams:
        yield from files.follow(stopped, settings.poll_s)
    else:
        yield from files.once()
    for path in streams:
        yield from _stream(path, result, settings.line_bytes, settings.poll_s, stopped)
    result.unfinished += files.unfinished


def _stream(
    path: Path, result: Ingested, line_limit: int, poll_s: float, stopped: Callable[[], bool]
) -> Iterator[Read]:
    stream = Stream(path, line_limit)
    try:
        while not stopped() and not stream.ended:
            block = stream.read(poll_s)
            yield None if block is None else (stream, block)
        if block := stream.read_last():
            yield stream, block
        result.unfinished += stream.unfinished
    finally:
        stream.close()


def _progress(listener: Listener, paths: Sequence[Path], *, follow: bool) -> Callable[[int], None]:
    """A function that reports read bytes to the listener, in megabytes."""
    done, total = 0, 0
    if not follow:
        for file in files_of(path for path in paths if not is_stream(path)):
            with suppress(OSError):
                total += file.stat().st_size
    listener.begin("follow the logs (Ctrl-C ends it)" if follow else "read the logs (MB)")

    def add(size: int) -> None:
        nonlocal done
        done += size
        listener.advance(done // 1_000_000, max(total, done) // 1_000_000)

    return add


def _add(result: Ingested, source: Source, counted: Counted) -> None:
    """Adds a block's counts to the result."""
    result.lines += counted.lines
    result.completions += counted.completions
    result.reserved += counted.reserved
    skipped, more = result.skipped, counted.skipped
    if skipped.first is None and more.first is not None:
        result.first_skipped_in = str(source.path)
    if skipped.first_unread is None and more.first_unread is not None:
        result.first_unread_in = str(source.path)
    skipped.add(more)
    for line, why in more.failed:
        log.warning("ingest: skipped %s, line %d: %s", source.path, line, why)


def _finished(store: Store, runs: dict[Who, int], result: Ingested) -> Ingested:
    """The result with the figures of the runs from the store."""
    if runs:
        tally: Tally = {}
        for run_id in runs.values():
            for key, counts in store.traffic.tally(run_id).items():
                add_to(tally, key, counts)
        result.measurement = measurement_of(tally)
        result.by_model = by_model(tally)
        result.named = store.traffic.named_most(runs.values(), MOST_NAMED)
        result.runs = runs
        result.run_id = runs.get(next(iter(result.by_model), ("", None))) or max(runs.values())
    return result


# What is stored: runs, their counts, and the answers that invent names.


class Logbook:
    """Runs of kind ``ingest``, one for each model and adapter; use it in a ``with``.

    A run begins with the first completion of its model, or continues an interrupted one. An answer
    is known by its record's own id, else by its line in its file, so that none is stored twice. A
    prompt that ghostbust asked itself, or that is a task of the settings or a shipped one, stays in
    that family, and so on that side.
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

    def of(self, model: str | None, adapter: str | None) -> Who:
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
