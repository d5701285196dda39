"""Sampling from any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, hosted ones.

Asks ``/chat/completions`` or ``/completions``, one completion a request, so that each has its
own seed and a lost one costs little. The API key is read from the environment whenever a
connection is made and kept nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, Field

from ghostbust import __version__, http
from ghostbust.errors import EndpointError, UsageError
from ghostbust.records import Prompt, Sample, chat_messages, content_id
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.servers import (
    ATTEMPTS,
    Endpoint,
    Health,
    Models,
    Place,
    Pool,
    at_once,
    connect,
    request_json,
)

# --- stream
# An asyncio producer behind a plain iterator: its event loop runs in a thread of its own.

T = TypeVar("T")
_END: Final = object()
_Running = tuple[asyncio.AbstractEventLoop, "asyncio.Task[None] | None"]


def stream(produce: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
    """Yields what ``produce`` hands to the function it is given, as soon as it does.

    Works inside a running event loop as well as without one. When the iterator is closed, or
    its reader is interrupted, ``produce`` is cancelled and its thread has ended before the close
    returns. What ``produce`` raises is raised here, behind everything that it handed over.
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
    """Runs the jobs, ``concurrency`` at once, and hands over each result when it is there.

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


MAX_STOPS: Final = 4
"""the API's limit for stop texts in one request; the others are applied to the answer here"""


_Job = Callable[[Pool], Awaitable[T]]
_NONE: Final[Mapping[str, object]] = MappingProxyType({})


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, with how long it took, and what came of it."""

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
        base_url: str | Sequence[Endpoint],
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

        ``base_url``: with its ``/v1``; where it has no path at all, ``/v1`` is added. Several
        servers, each with a limit of its own instead of ``concurrency``, share the requests:
        which one answers doesn't matter, since the seed is the request's.
        ``served_as``: the name that is asked for at the server, else the adapter's, else the
        model's; samples are logged under ``model``, so that a round that trains its weights finds
        them.
        ``chat``: True puts a prompt as a user's message, False as bare text.
        ``adapter``: name of the LoRA adapter that answers, which samples are logged with.
        ``extra``: further fields of each request.
        ``timeout_s``: for one request; it is tried again after that.
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
            base_url = (Endpoint(base_url, concurrency=concurrency),)
        self._endpoints = tuple(base_url)
        self._urls = {endpoint.url: base_url_of(endpoint.url) for endpoint in self._endpoints}
        self.health = tuple(Health() for _ in self._endpoints)
        """how each server has been doing, in the order given"""
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
        doesn't depend on the order; whether the server honours it is the server's affair.
        ``tokens`` is 0 where the server reports no usage.

        Raises EndpointError, behind the samples that were finished before.
        """
        return self._run(
            partial(self._draw, prompt, number, settings)
            for prompt in prompts
            for number in range(settings.samples_per_prompt)
        )

    def probe(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> list[Probe]:
        """What came of one request for each prompt, in their order. Raises nothing of a server."""

        async def one(index: int, pool: Pool) -> tuple[int, Probe]:
            started, sample, said = time.monotonic(), None, ""
            try:
                sample = await self._draw(prompts[index], 0, settings, pool)
            except EndpointError as exc:
                said = str(exc)
            return index, Probe(prompts[index], sample, said, time.monotonic() - started)

        found = dict(self._run((partial(one, index) for index in range(len(prompts))), attempts=1))
        return [found[index] for index in range(len(prompts))]

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """Greedy continuations by ``/completions``, whether or not ``chat`` is set.

        Raises EndpointError, also where the server has no ``/completions``.
        """
        body = {"model": self._served, "max_tokens": max_new_tokens, "temperature": 0}
        body |= self._extra
        if stop:
            body["stop"] = list(stop[:MAX_STOPS])

        async def one(index: int, pool: Pool) -> tuple[int, str]:
            choice, _tokens = await _ask(pool, "/completions", body | {"prompt": texts[index]})
            return index, _cut(_text(choice), stop)

        found = dict(self._run(partial(one, index) for index in range(len(texts))))
        return [found[index] for index in range(len(texts))]

    def check(self) -> None:
        """Returns if a server answers, accepts the key and lists the model. Asks each once.

        One of several that doesn't is left out for a while. Raises EndpointError with one line
        that says what is wrong where there is none.
        """

        async def look(pool: Pool) -> None:
            await asyncio.gather(*(self._look(place, pool) for place in pool.places))

        list(self._run(iter([look])))
        if all(state.in_row for state in self.health):
            raise EndpointError("; ".join(dict.fromkeys(state.said for state in self.health)))

    async def _look(self, place: Place, pool: Pool) -> None:
        try:
            models = await request_json(place.client, "GET", "/models", None, Models, attempts=1)
            names = [entry.id for entry in models.data]
            if not self.lists(names):
                known = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
                where = place.client.base_url.netloc.decode()
                raise EndpointError(
                    f"the server at {where} has no model {self._served!r};"
                    f" it lists {known or 'none'}"
                )
        except EndpointError as exc:
            place.health.fail(str(exc), pool.now())
        else:
            place.health.in_row, place.health.out_until = 0, 0.0

    async def _draw(
        self, prompt: Prompt, number: int, settings: SamplingSettings, pool: Pool
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
        choice, tokens = await _ask(pool, path, body)
        self.waits.append(time.monotonic() - began)
        return Sample(
            prompt=prompt,
            text=_text(choice),
            model=self.model,
            adapter=self.adapter,
            seed=settings.seed,
            number=number,
            temperature=settings.temperature,
            truncated=choice.finish_reason == "length",
            tokens=tokens,
        )

    def _run(self, jobs: Iterator[_Job[T]], *, attempts: int = ATTEMPTS) -> Iterator[T]:
        """Results of the jobs, each of which is given the connected servers."""

        async def produce(emit: Callable[[T], None]) -> None:
            async with connect(
                self._endpoints, self.health, self._client, self.lists, attempts
            ) as pool:
                await each((partial(job, pool) for job in jobs), emit, at_once(self._endpoints))

        return stream(produce)

    def lists(self, names: Sequence[str]) -> bool:
        """Whether a server that lists these models serves the one that is asked for.

        SGLang lists the two parts of ``base:adapter``; llama.cpp, asked with further fields,
        doesn't read the name.
        """
        base, _, adapter = self._served.partition(":")
        both = bool(adapter) and {base, adapter} <= set(names)
        return self._served in names or both or bool(self._extra)

    def _client(self, endpoint: Endpoint) -> http.AsyncClient:
        headers = {"User-Agent": f"ghostbust/{__version__}"}
        if key := os.environ.get(self._api_key_env, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise UsageError(f"${self._api_key_env} holds characters that no API key has")
            headers["Authorization"] = f"Bearer {key}"
        return http.AsyncClient(
            base_url=self._urls[endpoint.url],
            headers=headers,
            timeout=http.Timeout(self._timeout_s, connect=min(10, self._timeout_s)),
            limits=http.Limits(max_connections=endpoint.concurrency),
            transport=self._transport,
        )


def request_seed(seed: int, prompt: Prompt, number: int) -> int:
    """The seed of one request, in [0, 2³¹): the same for the same seed, prompt and number."""
    return int(content_id(str(seed), prompt.id, str(number))[:8], 16) & 0x7FFFFFFF


def base_url_of(address: str) -> http.URL:
    try:
        url = http.URL(address.strip())
    except http.InvalidURL as exc:
        raise UsageError("the endpoint's base URL can't be read as a URL") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError("the endpoint's base URL must start with http:// or https://")
    if url.userinfo:
        raise UsageError("the endpoint's base URL holds credentials; put the API key into the"
                         " environment instead")  # fmt: skip
    return url.join("/v1") if url.path in ("", "/") else url


async def _ask(pool: Pool, path: str, body: Mapping[str, object]) -> tuple[_Choice, int]:
    """The first completion, and how many tokens the server says it has (0 if it doesn't)."""
    reply = await pool.ask(path, body, _Reply)
    return reply.choices[0], reply.usage.completion_tokens if reply.usage else 0


def _text(choice: _Choice) -> str:
    text = choice.message.content if choice.message else choice.text
    if text is None:
        raise EndpointError(
            f"the model server's answer has no text (finish_reason {choice.finish_reason!r})"
        )
    return text


def _cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stop texts."""
    return text[: min((at for mark in stop if (at := text.find(mark)) >= 0), default=None)]
