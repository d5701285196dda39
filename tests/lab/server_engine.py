"""One thread that computes completions, as an engine does: what arrives joins what is under way.

Each model has a batch of short prompts and one of long ones, and they take turns token by token. So
a client that wants a few tokens waits for a few steps and not for the long answers of others, and
what it costs is little more than its prompt: a step reads all weights for one completion as for
twenty. In one batch, each would be padded to the longest prompt, cache and attention alike.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from ghostbust.models.load import LoadedModel
from ghostbust.samplers.decode import DecodedAnswer, Decoder, DecodeRequest, Sampling

ROWS = 128
"""completions of one batch decoded at once"""

SHORT = 32
"""tokens of the longest prompt that counts as short"""

_Key = tuple[int, bool]
"""the model, and whether its prompts are short"""


@dataclass
class Job:
    """One completion that waits to be computed."""

    loaded: LoadedModel
    ids: list[int]
    sampling: Sampling
    seed: int
    done: Future[DecodedAnswer] = field(default_factory=Future)


class _Turn:
    """One batch of one model."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._decoder = Decoder(
            loaded.model, batch_rows=ROWS, end_tokens=loaded.end_tokens, refill_below=1.0
        )
        self._jobs: dict[int, Job] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def add(self, job: Job) -> None:
        self._jobs[self._count] = job
        self._decoder.add([DecodeRequest(self._count, job.ids, (job.seed,))], job.sampling)
        self._count += 1

    def step(self) -> None:
        """One more token of each. Where the model fails, all of them do, and none is left."""
        try:
            for done in self._decoder.step():
                self._jobs.pop(done.key).done.set_result(done)
        except RuntimeError as exc:
            for job in self._jobs.values():
                job.done.set_exception(exc)
            self._jobs.clear()


class Engine:
    """Computes what is submitted, from any thread."""

    def __init__(self, linger_s: float = 0.0) -> None:
        """``linger_s``: how long what arrives waits for more. Joining a batch costs a pass over
        the weights and a copy of its caches, for one completion hardly less than for many."""
        self._linger_s = linger_s
        self._arrived: SimpleQueue[Job | None] = SimpleQueue()
        self._turns: dict[_Key, _Turn] = {}
        self._next_look = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def complete(self, job: Job) -> DecodedAnswer:
        """The completion, once it is there. Raises RuntimeError where the model fails."""
        self._arrived.put(job)
        return job.done.result()

    def close(self) -> None:
        """Ends the thread; what is under way is dropped."""
        self._arrived.put(None)

    def _work(self) -> None:
        while not self._closed:
            if not self._turns:
                self._take(self._arrived.get())
                time.sleep(self._linger_s)
                self._look()
            elif time.monotonic() >= self._next_look:
                self._look()
            for key, turn in list(self._turns.items()):
                turn.step()
                if not turn.busy:
                    del self._turns[key]

    def _look(self) -> None:
        """Has all join that arrived."""
        try:
            while True:
                self._take(self._arrived.get_nowait())
        except Empty:
            self._next_look = time.monotonic() + self._linger_s

    def _take(self, job: Job | None) -> None:
        if job is None:
            self._closed = True
            return
        key = (id(job.loaded), len(job.ids) <= SHORT)
        if key not in self._turns:
            self._turns[key] = _Turn(job.loaded)
        self._turns[key].add(job)
