"""One thread that computes completions in batches, and short ones between the tokens of long ones.

A client that wants a few tokens must not wait for a batch of long answers. So while such a batch is
decoded, what is short and waits is computed in between, for at most half of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from ghostbust.models.load import LoadedModel
from ghostbust.samplers.decode import Completion, Request, Sampling, decode

SHORT = 16
"""tokens up to which a completion is short"""
ROWS = 64
"""completions decoded at once"""


@dataclass
class Job:
    """One completion that waits to be computed."""

    loaded: LoadedModel
    ids: list[int]
    sampling: Sampling
    seed: int
    done: Future[Completion] = field(default_factory=Future)


class Engine:
    """Computes what is submitted, from any thread. What waits for the same model is one batch."""

    def __init__(self, linger_s: float = 0.0) -> None:
        """``linger_s``: how long the first job of a batch waits for others. A machine that does
        other work as well is spared by it: a batch costs hardly more than one completion."""
        self._linger_s = linger_s
        self._arrived: SimpleQueue[Job | None] = SimpleQueue()
        self._long: list[Job] = []
        self._next_short = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def complete(self, job: Job) -> Completion:
        """The completion, once it is there. Raises RuntimeError where the model fails."""
        self._arrived.put(job)
        return job.done.result()

    def close(self) -> None:
        """Ends the thread, behind what it is at."""
        self._arrived.put(None)

    def _work(self) -> None:
        while not self._closed:
            if not self._long:
                self._take(self._arrived.get())
                time.sleep(self._linger_s)
            self._shorts()
            waiting, self._long = self._long, []
            for group in _groups(waiting):
                _decode(group, self._between)

    def _between(self, _ids: list[int]) -> bool:
        """Called at each token of a long answer; never ends it."""
        if time.monotonic() >= self._next_short:
            self._shorts()
        return False

    def _shorts(self) -> None:
        """Computes the short jobs that wait; sets the long ones aside."""
        began = time.monotonic()
        try:
            while True:
                self._take(self._arrived.get_nowait())
        except Empty:
            pass
        shorts = [job for job in self._long if job.sampling.max_new_tokens <= SHORT]
        self._long = [job for job in self._long if job.sampling.max_new_tokens > SHORT]
        for group in _groups(shorts):
            _decode(group, None)
        ended = time.monotonic()
        self._next_short = ended + max(self._linger_s, ended - began)

    def _take(self, job: Job | None) -> None:
        if job is None:
            self._closed = True
        else:
            self._long.append(job)


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs of one model and one way of sampling together."""
    groups: dict[tuple[int, Sampling], list[Job]] = {}
    for job in jobs:
        groups.setdefault((id(job.loaded), job.sampling), []).append(job)
    return list(groups.values())


def _decode(jobs: Sequence[Job], at_token: Callable[[list[int]], bool] | None) -> None:
    """Computes jobs of one model and one way of sampling."""
    requests = [Request(key, job.ids, (job.seed,)) for key, job in enumerate(jobs)]
    loaded, sampling = jobs[0].loaded, jobs[0].sampling
    try:
        for done in decode(
            loaded.model, requests, sampling, batch_rows=ROWS, end_tokens=loaded.end_tokens,
            stop=at_token,
        ):  # fmt: skip
            jobs[done.key].done.set_result(done)
    except RuntimeError as exc:
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(exc)
