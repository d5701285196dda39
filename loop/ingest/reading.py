"""Reads one block of log lines in a worker process: counts, extracts names and judges them.

It opens no store and sends no request: an answer that the snapshot can't settle stays open, and
the main process judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ghostbust.extractors.asking import asks_for_list
from ghostbust.extractors.extract import examine
from ghostbust.loop.ingest.completions import Completion, MalformedError, UnknownFormatError
from ghostbust.loop.ingest.files import LogBlock
from ghostbust.loop.ingest.formats import read_record, records_in
from ghostbust.measure import Key, NameCounts, Tally, add_to, group_of
from ghostbust.prompts import is_reserved
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    Sample,
    Verdict,
    content_id,
)
from ghostbust.registries.judge import Judge, Mode

NOT_KNOWN: Final = -1.0
"""the temperature of a sample of a log, which doesn't have it"""
MOST_TEXT: Final = 262_144
"""characters of an answer; reading one takes about 10 s a million, and no model writes so many"""
_REMEMBERED: Final = 100_000
"""verdicts in a worker's cache; some 50 MB"""


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """An answer that invents a name, or may."""

    line: int
    """1-based number of its line"""
    completion: Completion
    prompt: Prompt
    refs: tuple[PackageRef, ...]
    judged: tuple[Judged, ...] | None
    """None if it is open: the registry has to be asked"""

    @property
    def key(self) -> Key:
        """What the answer is counted under."""
        completion, prompt = self.completion, self.prompt
        return Key(
            completion.model or "", completion.adapter, prompt.context, group_of(prompt.family)
        )

    def answer(self, judged: tuple[Judged, ...]) -> Answer:
        """The answer, of no run and with no seed yet."""
        completion = self.completion
        invented = [one.lookup.ecosystem for one in judged if one.lookup.invented]
        prompt = replace(self.prompt, ecosystem=invented[0]) if invented else self.prompt
        sample = Sample(
            prompt,
            completion.text,
            completion.model or "",
            completion.adapter,
            seed=0,
            number=completion.number,
            temperature=NOT_KNOWN,
            truncated=completion.truncated,
            tokens=0,
        )
        return Answer(sample, judged)


@dataclass(slots=True)
class SkippedLines:
    """Counts of lines without a completion and of answers read in part only, with reasons."""

    malformed: int = 0
    """no JSON object, or values of wrong types"""
    unknown: int = 0
    """JSON objects of no known format"""
    too_long: int = 0
    without: int = 0
    """records of a known format without an answer, such as failed requests"""
    failed: list[tuple[int, str]] = field(default_factory=list)
    """number and reason of each line at which a worker process hung or ended"""
    first: tuple[int, str] | None = None
    """number of the first line that could not be read, and what is wrong"""
    unread: int = 0
    """answers that count, with a part that is too costly to parse"""
    first_unread: tuple[int, str] | None = None
    """number of the first line with such an answer, and the reason"""

    @property
    def faulty(self) -> int:
        """Lines that could not be read."""
        return self.malformed + self.unknown + self.too_long + len(self.failed)

    def note(self, line: int, why: str) -> None:
        """Keeps the first line, and why it was skipped."""
        self.first = self.first or (line, why)

    def add(self, more: SkippedLines) -> None:
        """Adds the counts of what comes after."""
        self.malformed += more.malformed
        self.unknown += more.unknown
        self.too_long += more.too_long
        self.without += more.without
        self.failed += more.failed
        self.first = self.first or more.first
        self.unread += more.unread
        self.first_unread = self.first_unread or more.first_unread


@dataclass(slots=True)
class Counted:
    """The result of a block."""

    lines: int = 0
    """lines that aren't blank"""
    completions: int = 0
    skipped: SkippedLines = field(default_factory=SkippedLines)
    tally: Tally = field(default_factory=dict)
    """of the settled answers; the model is empty if the log doesn't say it"""
    found: list[FoundAnswer] = field(default_factory=list)
    """answers that invent a name, in order, and those that are open"""
    reserved: int = 0
    """answers to prompts for evaluation only that invent a name: counted, and nothing else"""

    def add(self, more: Counted) -> None:
        """Adds the result of the lines after it."""
        self.lines += more.lines
        self.completions += more.completions
        self.skipped.add(more.skipped)
        for key, counts in more.tally.items():
            add_to(self.tally, key, counts)
        self.found += more.found
        self.reserved += more.reserved


class BlockReader:
    """Reads blocks for one registry mode. ``judge`` asks snapshots only."""

    def __init__(self, judge: Judge, mode: Mode, line_limit: int) -> None:
        self._judge = judge
        self._mode = mode
        self._limit = line_limit
        self._verdicts: dict[tuple[object, ...], Lookup] = {}

    def read(self, block: LogBlock) -> Counted:
        """Counts the block's answers, and finds those that invent names or are open."""
        counted = Counted()
        if block.too_long is not None:
            self._skip_long(counted, block.too_long)
        for number, line in enumerate(block.data.split(b"\n"), start=block.line):
            if len(line) > self._limit:
                self._skip_long(counted, number)
            elif line and not line.isspace():
                counted.lines += 1
                for completion in _completions(line, number, counted.skipped):
                    counted.completions += 1
                    self._read_one(completion, number, counted)
        return counted

    def _skip_long(self, counted: Counted, number: int) -> None:
        counted.lines += 1
        counted.skipped.too_long += 1
        counted.skipped.note(number, f"longer than {self._limit:,} bytes")

    def _read_one(self, completion: Completion, line: int, counted: Counted) -> None:
        prompt = prompt_of(completion)
        extraction = examine(
            completion.text,
            expect_list=prompt.expects_list,
            truncated=completion.truncated,
            prompt_text="\n".join((completion.system, *completion.turns, completion.prompt or "")),
        )
        refs = extraction.refs
        if extraction.unread:
            skipped = counted.skipped
            skipped.unread += 1
            skipped.first_unread = skipped.first_unread or (line, extraction.unread[0].reason)
        judged = None if self._mode is Mode.LIVE and refs else self._judged(refs)
        if judged is not None and self._mode is Mode.AUTO and _is_open(judged):
            judged = None
        found = FoundAnswer(line, completion, prompt, tuple(refs), judged)
        if judged is None:
            counted.found.append(found)
            return
        add_to(counted.tally, found.key, NameCounts.of(judged, prompt))
        invents = any(one.lookup.invented for one in judged)
        if invents and is_reserved(prompt):
            counted.reserved += 1
        elif invents:
            counted.found.append(found)

    def _judged(self, refs: Iterable[PackageRef]) -> tuple[Judged, ...]:
        """The refs with verdicts, those judged before from a cache.

        A snapshot's verdict depends only on the fields in the cache's key.
        """
        keyed = [(_cache_key(ref), ref) for ref in refs]
        new = {key: ref for key, ref in keyed if key not in self._verdicts}
        if len(self._verdicts) + len(new) > _REMEMBERED:
            self._verdicts.clear()
            new = dict(keyed)
        if new:
            for key, judged in zip(new, self._judge.refs(list(new.values())), strict=True):
                self._verdicts[key] = judged.lookup
        return tuple(Judged(ref, self._verdicts[key]) for key, ref in keyed)


def prompt_of(completion: Completion) -> Prompt:
    """The prompt of a completion, as one of a family of its own.

    A conversation belongs to the family of its first message. If the log doesn't have the prompt,
    its text is empty and the answer is a family of its own.
    """
    text = completion.prompt or ""
    context = Context.HELPS if asks_for_list(text) else Context.CODE
    first = completion.turns[0] if completion.turns else text
    family = content_id(first) if first else content_id("answer", completion.text)
    return Prompt(text, context, Ecosystem.PYPI, family, private=True, turns=completion.turns)


def _completions(line: bytes, number: int, skipped: SkippedLines) -> Iterator[Completion]:
    try:
        records = records_in(line)
    except MalformedError as exc:
        skipped.malformed += 1
        skipped.note(number, str(exc))
        return
    for place, record in enumerate(records):
        try:
            completions = read_record(record)
        except MalformedError as exc:
            skipped.malformed += 1
            skipped.note(number, str(exc))
        except UnknownFormatError as exc:
            skipped.unknown += 1
            skipped.note(number, str(exc))
        else:
            if any(len(completion.text) > MOST_TEXT for completion in completions):
                skipped.too_long += 1
                skipped.note(number, f"an answer of more than {MOST_TEXT:,} characters")
                continue
            skipped.without += not completions
            for one in completions:
                # Answers without an id are told apart by their line and number.
                yield one if one.key or not place else replace(one, number=one.number + place)


def _cache_key(ref: PackageRef) -> tuple[object, ...]:
    return (
        ref.ecosystem, ref.kind, ref.raw, ref.name, ref.import_name, ref.builtin, ref.flags
    )  # fmt: skip


def _is_open(judged: Iterable[Judged]) -> bool:
    """True if the registry may know more than the snapshot."""
    return any(
        one.lookup.invented
        or (one.lookup.verdict is Verdict.UNKNOWN and one.lookup.source.startswith("snapshot"))
        for one in judged
    )
