"""Sampling from any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, hosted ones.

Asks ``/chat/completions`` or ``/completions``, one completion a request, so that each has its
own seed and a lost one costs little. The API key is read from the environment whenever a
connection is made and kept nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, Field

from ghostbust import http
from ghostbust.errors import EndpointError
from ghostbust.records import Prompt, Sample, chat_messages, content_id
from ghostbust.samplers.interface import SamplingSettings, cut_at_stop
from ghostbust.samplers.servers import ATTEMPTS, ConnectedServer, Health, ServerPool, at_once
from ghostbust.sections import EndpointEntry

MAX_STOPS: Final = 4
"""the API's limit for stop texts in one request; the others are applied to the answer here"""

T = TypeVar("T")
_Job = Callable[[ServerPool], Awaitable[T]]
_NONE: Final[Mapping[str, object]] = MappingProxyType({})


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None

    def answer(self) -> str:
        """The text. Raises EndpointError where there is none."""
        text = self.message.content if self.message else self.text
        if text is None:
            raise EndpointError(
                f"the model server's answer has no text (finish_reason {self.finish_reason!r})"
            )
        return text


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """The result of one request, and how long it took."""

    prompt: Prompt
    sample: Sample | None
    """None where there was no usable answer"""
    said: str
    """the error; empty where there was an answer"""
    wall_s: float


class EndpointSampler:
    """A sampler that asks a model server, or several that serve the same."""

    def __init__(
        self,
        base_url: str | Sequence[EndpointEntry],
        model: str,
        *,
        served_as: str | None = None,
        chat: bool = True,
        api_key_env: str = "OPENAI_API_KEY",
        adapter: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 120,
        send_top_k: bool = False,
        extra: Mapping[str, object] = _NONE,
        transport: http.AsyncBaseTransport | None = None,
    ) -> None:
        """Connects to nothing yet; ``check`` does.

        ``base_url``: with its ``/v1``; a URL without any path gets ``/v1``. Several servers, each
        with its own limit instead of ``concurrency``, share the requests: which one answers doesn't
        matter, since the seed is the request's.
        ``served_as``: the model's name at the server, else the adapter's, else the model's; samples
        are logged under ``model``, so that a round that trains its weights finds them.
        ``chat``: True sends a prompt as a user's message, False as bare text.
        ``adapter``: name of the LoRA adapter that answers, logged with the samples.
        ``extra``: further fields of each request.
        ``timeout_s``: for one request; after that it is retried.
        ``send_top_k``: the OpenAI API has no top_k and refuses requests with one; vLLM, SGLang
        and llama.cpp take it. Without it the samples come from another distribution than those of
        ``local`` with the same settings: a wider one, unless the server takes a top_k from the
        model's ``generation_config.json``, as vLLM and SGLang do.

        Raises UsageError for a URL that can't be used.
        """
        self.model = model
        self.adapter = adapter
        self._served = served_as or adapter or model
        if isinstance(base_url, str):
            base_url = (EndpointEntry(url=base_url, concurrency=concurrency),)
        self._servers = tuple(base_url)
        self._urls = {server.url: base_url_of(server.url) for server in self._servers}
        self.health = tuple(Health() for _ in self._servers)
        """of each server, in the order given"""
        self.waits: list[float] = []
        """seconds that each answer took, its retries included"""
        self._chat = chat
        self._api_key_env = api_key_env
        self._timeout_s = timeout_s
        self._send_top_k = send_top_k
        self._extra = dict(extra)
        self._transport = transport

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """Samples as the server finishes them.

        The seed of each request comes from the settings' seed, the prompt and the number, so it
        doesn't depend on the order; whether the server honours it is up to the server. ``tokens``
        is 0 where the server reports no usage.

        Raises EndpointError, after the samples that were finished before.
        """
        return self._run(
            partial(self._draw, prompt, number, settings)
            for prompt in prompts
            for number in settings.numbers
        )

    def probe(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> list[TimedAnswer]:
        """One answer or error for each prompt, in their order; no error of a server is raised."""

        async def one(prompt: Prompt, pool: ServerPool) -> TimedAnswer:
            started, sample, said = time.monotonic(), None, ""
            try:
                sample = await self._draw(prompt, 0, settings, pool)
            except EndpointError as exc:
                said = str(exc)
            return TimedAnswer(prompt, sample, said, time.monotonic() - started)

        return self._in_order([partial(one, prompt) for prompt in prompts], attempts=1)

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """Greedy continuations by ``/completions``, whether or not ``chat`` is set.

        Raises EndpointError, also where the server has no ``/completions``.
        """
        more = {"stop": list(stop[:MAX_STOPS])} if stop else {}
        asked = [{"prompt": text, **more} for text in texts]
        found = self._greedy("/completions", asked, max_new_tokens)
        return [cut_at_stop(text, stop) for text in found]

    @property
    def chats(self) -> bool:
        """Whether prompts go to ``/chat/completions``."""
        return self._chat

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """Greedy answers by ``/chat/completions``. Raises EndpointError."""
        asked = [{"messages": chat_messages(message)} for message in messages]
        return self._greedy("/chat/completions", asked, max_new_tokens)

    def _greedy(
        self, path: str, asked: Sequence[Mapping[str, object]], max_new_tokens: int
    ) -> list[str]:
        body = {"model": self._served, "max_tokens": max_new_tokens, "temperature": 0}
        body |= self._extra

        async def one(fields: Mapping[str, object], pool: ServerPool) -> str:
            reply = await pool.ask(path, {**body, **fields}, _Reply)
            return reply.choices[0].answer()

        return self._in_order([partial(one, fields) for fields in asked])

    def check(self) -> None:
        """Returns if a server answers, accepts the key and lists the model. Asks each once.

        Servers that don't are left out for a while. Raises EndpointError with one line that says
        what is wrong where none is left.
        """
        list(self._run(iter([ServerPool.check])))
        if all(state.in_row for state in self.health):
            raise EndpointError("; ".join(dict.fromkeys(state.said for state in self.health)))

    def lists(self, names: Sequence[str]) -> bool:
        """Whether a server that lists these models serves the one that is asked for.

        SGLang lists the two parts of ``base:adapter``; llama.cpp, asked with further fields,
        doesn't read the name.
        """
        base, _, adapter = self._served.partition(":")
        both = bool(adapter) and {base, adapter} <= set(names)
        return self._served in names or both or bool(self._extra)

    async def _draw(
        self, prompt: Prompt, number: int, settings: SamplingSettings, pool: ServerPool
    ) -> Sample:
        body: dict[str, Any] = {
            **self._extra,
            "model": self._served,
            "n": 1,
            "max_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": request_seed(settings.seed, prompt, number),
        }
        if self._send_top_k and settings.top_k > 0:
            body["top_k"] = settings.top_k
        if self._chat:
            body["messages"] = chat_messages(*prompt.turns, prompt.text)
        else:
            body["prompt"] = "\n".join((*prompt.turns, prompt.text))
        path = "/chat/completions" if self._chat else "/completions"
        began = time.monotonic()
        reply = await pool.ask(path, body, _Reply)
        self.waits.append(time.monotonic() - began)
        choice = reply.choices[0]
        return Sample(
            prompt=prompt,
            text=choice.answer(),
            model=self.model,
            adapter=self.adapter,
            seed=settings.seed,
            number=number,
            temperature=settings.temperature,
            truncated=choice.finish_reason == "length",
            tokens=reply.usage.completion_tokens if reply.usage else 0,
        )

    def _in_order(self, jobs: Sequence[_Job[T]], *, attempts: int = ATTEMPTS) -> list[T]:
        async def numbered(number: int, pool: ServerPool) -> tuple[int, T]:
            return number, await jobs[number](pool)

        numbers = range(len(jobs))
        found = dict(self._run((partial(numbered, n) for n in numbers), attempts=attempts))
        return [found[number] for number in numbers]

    def _run(self, jobs: Iterator[_Job[T]], *, attempts: int = ATTEMPTS) -> Iterator[T]:
        """Results of the jobs, each of which gets the connected servers."""

        async def produce(emit: Callable[[T], None]) -> None:
            async with contextlib.AsyncExitStack() as stack:
                servers = [
                    ConnectedServer(
                        entry, state, await stack.enter_async_context(self._client(entry))
                    )
                    for entry, state in zip(self._servers, self.health, strict=True)
                ]
                pool = ServerPool(servers, self._served, self.lists, attempts)
                await each((partial(job, pool) for job in jobs), emit, at_once(self._servers))

        return stream(produce)

    def _client(self, server: EndpointEntry) -> http.AsyncClient:
        return http.AsyncClient(
            base_url=self._urls[server.url],
            headers=http.headers_with_key(self._api_key_env),
            timeout=http.Timeout(self._timeout_s, connect=min(10, self._timeout_s)),
            limits=http.Limits(max_connections=server.concurrency),
            transport=self._transport,
        )


def request_seed(seed: int, prompt: Prompt, number: int) -> int:
    """The seed of one request, in [0, 2³¹): the same for the same seed, prompt and number."""
    return int(content_id(str(seed), prompt.id, str(number))[:8], 16) & 0x7FFFFFFF


def base_url_of(address: str) -> http.URL:
    """The address as a base URL. Raises UsageError where it can't be one."""
    url = http.server_url(address, "the endpoint's base URL")
    return url.join("/v1") if url.path in ("", "/") else url


# An asyncio producer as a plain iterator: its event loop runs in a thread of its own, so that a
# sampler works in a running event loop, such as a notebook's, as well as without one.

_END: Final = object()
_Running = tuple[asyncio.AbstractEventLoop, "asyncio.Task[None] | None"]


def stream(produce: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
    """Yields what ``produce`` passes to the function that it gets, at once.

    When the iterator is closed, or its reader is interrupted, ``produce`` is cancelled and its
    thread has ended before the close returns. What ``produce`` raises is raised here, after
    everything that it passed on.
    """
    results: SimpleQueue[T | object] = SimpleQueue()
    running: Future[_Running] = Future()

    async def main() -> None:
        running.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await produce(results.put)

    with ThreadPoolExecutor(1, thread_name_prefix="ghostbust-stream") as pool:
        work = pool.submit(lambda: asyncio.run(main()))
        work.add_done_callback(lambda _: results.put(_END))
        try:
            while (item := results.get()) is not _END:
                yield item  # type: ignore[misc]  # anything but the end mark is a T
            work.result()
        finally:
            if not work.done():
                loop, task = running.result()
                with contextlib.suppress(RuntimeError):  # the loop closed in this very moment
                    loop.call_soon_threadsafe(lambda: task.cancel() if task else None)


async def each(
    jobs: Iterator[Callable[[], Awaitable[T]]], emit: Callable[[T], None], concurrency: int
) -> None:
    """Runs the jobs, ``concurrency`` at once, and emits each result when it is there.

    The first error cancels the other jobs and is raised bare.
    """

    async def worker() -> None:
        for job in jobs:
            emit(await job())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
