"""One response of an OpenAI-compatible server, read and passed on: streamed, or as a whole.

Of a streamed response whole events are held back and let go. An event leaves as the server sent it,
unless its text was changed; then it leaves without the log-probabilities, which hold the old text.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.extractors.asking import asks_for_list
from ghostbust.guard.filtering import AnswerFilter, Edit
from ghostbust.guard.reading import Asked

MOST_KEPT: Final = 250_000
"""characters of an answer that are kept for the log; `ghostbust ingest` reads few more"""
READ_S: Final = 10.0
"""for a reading, which takes milliseconds"""
_DONE: Final = b"data: [DONE]\n\n"
_FOR_EVER: Final = 1 << 62

Json = dict[str, Any]
OnError = Literal["open", "closed"]


class UnreadableError(Exception):
    """An answer that the guard can't read. Its text holds nothing of the answer."""


@dataclass(slots=True)
class _Event:
    """An event that waits for its text to be read."""

    raw: bytes
    start: int
    """offset of its text in the answer"""
    text: str
    has_ended: bool
    """whether it says why the answer ended"""


@dataclass(slots=True)
class PassingChoice:
    """One of the answers in a response."""

    filter: AnswerFilter | None
    """None from where on it can't be read, and passes"""
    held: deque[_Event] = field(default_factory=deque)
    edits: deque[Edit] = field(default_factory=deque)
    length: int = 0
    """characters so far"""
    kept: list[str] = field(default_factory=list)
    """its text as the model wrote it, `MOST_KEPT` characters at most"""
    kept_length: int = 0
    reason: str | None = None
    """why it ended; None while it hasn't"""
    invented: int = 0
    """names found so far"""

    def keep(self, text: str) -> None:
        """Keeps the text for the log while there is room."""
        self.length += len(text)
        room = MOST_KEPT - self.kept_length
        if text and room > 0:
            self.kept.append(text[:room])
            self.kept_length += len(self.kept[-1])

    async def check(self, *, ended: bool) -> list[Edit]:
        """The new edits, read in a thread so that other answers go on. Raises TimeoutError."""
        assert self.filter is not None
        # Without a reason, the connection broke off.
        is_cut = ended and self.reason in (None, "length")
        async with asyncio.timeout(READ_S):
            edits = await asyncio.to_thread(self.filter.check, ended=ended, truncated=is_cut)
        self.invented = self.filter.invented
        return edits


class AnswerRelay:
    """Passes on one response. Raises UnreadableError where it fails closed."""

    def __init__(
        self,
        request: Json,
        *,
        is_chat: bool,
        filter_of: Callable[[Asked], AnswerFilter],
        on_error: OnError,
        failed: Callable[[Exception], None],
    ) -> None:
        """``failed`` is called with the guard's first error on the response."""
        self._is_chat, self._filter_of = is_chat, filter_of
        self._on_error, self._failed = on_error, failed
        self._asked = asked_of(request, is_chat=is_chat)
        self._count = max(_number(request.get("n")), 1)
        self._wants_usage = bool(_table(request.get("stream_options")).get("include_usage"))
        self.choices: dict[int, PassingChoice] = {}
        self.labels: Json = {}
        """id and model, as the response says them"""
        self.has_failed = False
        """whether some of it couldn't be read"""

    async def whole(self, body: bytes) -> bytes:
        """A response that wasn't streamed; ``body`` itself where nothing is changed."""
        try:
            response = _object(body)
        except ValueError as exc:
            self._give_up(exc)
            return body
        self._label(response)
        changed = False
        choices = response.get("choices")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            changed |= await self._whole_choice(place, choice)
        return json.dumps(response).encode() if changed else body

    async def _whole_choice(self, place: int, choice: Any) -> bool:
        """Whether the choice was changed."""
        try:
            holder, key, text = _text_of(choice, "message" if self._is_chat else "")
            passing = self._choice(_number(choice.get("index"), place))
            passing.reason = choice.get("finish_reason") or "stop"
            passing.keep(text)
            assert passing.filter is not None
            passing.filter.take(text)
            edits = await passing.check(ended=True)
        except Exception as exc:  # noqa: BLE001 (an error of the guard must not take answers away)
            self._give_up(exc)
            return False
        if not edits:
            return False
        holder[key] = edited(text, edits)
        if any(edit.start < edit.end for edit in edits) and "logprobs" in choice:
            choice["logprobs"] = None
        if passing.filter.stopped:
            choice["finish_reason"] = "stop"
        return True

    async def events(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events of a streamed response. Raises what ``body`` raises."""
        try:
            async for raw in split_events(body):
                for one in await self._pass(raw):
                    yield one
                if self._all_stopped():
                    yield _DONE
                    return
        except http.Error:
            # What is held back can't go on any more.
            for one in await self._rest():
                yield one
            raise
        for one in await self._rest():
            yield one

    def record(self, request: Json) -> Json:
        """Request and response as `ghostbust ingest` reads them: what was said, and nothing else.

        The answers are as the model wrote them, before any edit.
        """
        if self._is_chat:
            said: Json = {
                "messages": [
                    {"role": one.get("role"), "content": _content_of(one)}
                    for one in messages_of(request)
                ]
            }
        else:
            said = {"prompt": request.get("prompt")}
        choices = []
        for index, one in sorted(self.choices.items()):
            text = "".join(one.kept)
            # What broke off, or is too long for the log, is cut as by the token limit.
            is_whole = one.reason is not None and one.length == one.kept_length
            reason = one.reason if is_whole else "length"
            holder = {"message": {"content": text}} if self._is_chat else {"text": text}
            choices.append({"index": index, "finish_reason": reason, **holder})
        return {"request": said, "response": {**self.labels, "choices": choices}}

    def _all_stopped(self) -> bool:
        """Whether nothing more can come, so that the server needn't go on."""
        stopped = [one for one in self.choices.values() if one.filter and one.filter.stopped]
        return len(stopped) >= self._count * len(self._asked) and not self._wants_usage

    async def _pass(self, raw: bytes) -> list[bytes]:
        """What may leave, now that this event is here."""
        data = _data_of(raw)
        if data is None:
            return [raw]
        if data == b"[DONE]":
            return [*await self._rest(), raw]
        try:
            event = _object(data)
        except ValueError as exc:
            self._give_up(exc)
            return [raw]
        self._label(event)
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return [raw]
        out = []
        for choice in choices:
            own = raw if len(choices) == 1 else _event_of(event | {"choices": [choice]})
            out += await self._pass_choice(own, choice)
        return out

    async def _pass_choice(self, raw: bytes, choice: Any) -> list[bytes]:
        passing: PassingChoice | None = None
        try:
            index = _number(choice.get("index"))
            passing = self._choice(index)
            _, _, text = _text_of(choice, "delta" if self._is_chat else "")
            passing.reason = choice.get("finish_reason") or passing.reason
            has_ended = bool(choice.get("finish_reason"))
            if passing.filter is None:
                passing.keep(text)
                return [raw]
            if passing.filter.stopped:
                return []
            passing.held.append(_Event(raw, passing.length, text, has_ended))
            passing.keep(text)
            if passing.filter.take(text) or has_ended:
                passing.edits.extend(await passing.check(ended=has_ended))
            return self._let_go(passing, index, ended=has_ended)
        except Exception as exc:  # noqa: BLE001 (an error of the guard must not take answers away)
            self._give_up(exc)
            return self._unread(passing, raw)

    def _let_go(self, passing: PassingChoice, index: int, *, ended: bool) -> list[bytes]:
        """The events that may leave."""
        assert passing.filter is not None
        stopped = passing.filter.stopped
        if stopped and passing.edits:
            passing.edits[-1] = replace(passing.edits[-1], end=_FOR_EVER)
        out, last = [], b""
        while passing.held:
            event = passing.held[0]
            if not (ended or stopped or event.start + len(event.text) <= passing.filter.clear):
                break
            passing.held.popleft()
            last = event.raw
            text = _changed(event, passing.edits, is_last=not passing.held and (ended or stopped))
            if text == event.text and not (stopped and event.has_ended):
                out.append(event.raw)
            elif text or (event.has_ended and not stopped):
                out.append(self._rewritten(event.raw, text, stopped=stopped))
        if stopped:
            passing.reason = "stop"
            out.append(self._end_of(last, index))
        return out

    def _rewritten(self, raw: bytes, text: str, *, stopped: bool) -> bytes:
        """The event with another text."""
        event = _object(_data_of(raw) or b"")
        choice = event["choices"][0]
        if self._is_chat:
            choice["delta"] = {**_table(choice.get("delta")), "content": text}
        else:
            choice["text"] = text
        if "logprobs" in choice:
            choice["logprobs"] = None
        if stopped:
            choice["finish_reason"] = None
        return _event_of(event)

    def _end_of(self, raw: bytes, index: int) -> bytes:
        """An event that says that the answer ended, after this one."""
        event = _object(_data_of(raw) or b"")
        event.pop("usage", None)
        said: Json = {"delta": {}} if self._is_chat else {"text": ""}
        event["choices"] = [{"index": index, **said, "logprobs": None, "finish_reason": "stop"}]
        return _event_of(event)

    async def _rest(self) -> list[bytes]:
        """What is held back where the response ended without saying so."""
        out = []
        for index, passing in self.choices.items():
            if passing.held and passing.filter is not None:
                try:
                    passing.edits.extend(await passing.check(ended=True))
                    out += self._let_go(passing, index, ended=True)
                except Exception as exc:  # noqa: BLE001 (as above)
                    self._give_up(exc)
                    out += self._unread(passing, b"")
        return out

    def _unread(self, passing: PassingChoice | None, raw: bytes) -> list[bytes]:
        """What is held back of an answer that passes unread from here on."""
        if passing is None:
            return [raw]
        held = [event.raw for event in passing.held]
        passing.held.clear()
        passing.filter = None
        return held if raw in held or not raw else [*held, raw]

    def _give_up(self, exc: Exception) -> None:
        """Raises UnreadableError where an answer that can't be read mustn't pass."""
        if not self.has_failed:
            self.has_failed = True
            self._failed(exc)
        if self._on_error == "closed":
            raise UnreadableError("the guard can't read this answer, and is set to fail closed")

    def _choice(self, index: int) -> PassingChoice:
        if index not in self.choices:
            # The choices of several prompts come in the order of the prompts.
            asked = self._asked[min(index // self._count, len(self._asked) - 1)]
            self.choices[index] = PassingChoice(self._filter_of(asked))
        return self.choices[index]

    def _label(self, response: Json) -> None:
        for key in ("id", "model"):
            if isinstance(response.get(key), str):
                self.labels.setdefault(key, response[key])


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made."""
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _changed(event: _Event, edits: deque[Edit], *, is_last: bool) -> str:
    """The event's text with its part of the edits made; what is left of them is for the next."""
    end = event.start + len(event.text)
    mine: list[Edit] = []
    while edits and (edits[0].start < end or is_last):
        edit = edits.popleft()
        mine.append(Edit(edit.start - event.start, min(edit.end, end) - event.start, edit.text))
        if edit.end > end and not is_last:
            edits.appendleft(Edit(end, edit.end, ""))
            break
    return edited(event.text, mine)


# What requests and responses hold.


def asked_of(request: Json, *, is_chat: bool) -> list[Asked]:
    """What the reader must know of each prompt of a request; never empty.

    The user's last message says whether a list is asked for.
    """
    if is_chat:
        said = [(one.get("role"), _content_of(one)) for one in messages_of(request)]
        last = next((text for role, text in reversed(said) if role == "user"), "")
        return [Asked("\n".join(text for _, text in said), asks_for_list(last))]
    prompt = request.get("prompt")
    prompts = prompt if isinstance(prompt, list) and prompt else [prompt]
    if not any(isinstance(one, str | list) for one in prompts):
        prompts = [""]  # one prompt's token ids
    return [Asked.of(one if isinstance(one, str) else "") for one in prompts]


def messages_of(request: Json) -> list[Json]:
    """The messages of a chat; what is none is left out, for the server to turn it down."""
    messages = request.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def _content_of(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        texts = [_table(part).get("text") for part in content]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _text_of(choice: Any, inside: str) -> tuple[Json, str, str]:
    """Where a choice has its text, under which key, and the text. Raises UnreadableError."""
    holder = choice.get(inside) if inside else choice
    key = "content" if inside else "text"
    if holder is None:
        return choice, key, ""
    text = holder.get(key)
    if text is not None and not isinstance(text, str):
        raise UnreadableError(f"{key} is no text")
    return holder, key, text or ""


def _object(data: bytes) -> Json:
    """Raises ValueError for anything but a JSON object."""
    value = parse_json(data.decode())
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any, default: int = 0) -> int:
    return value if isinstance(value, int) and value >= 0 else default


# Server-sent events (WHATWG HTML, 9.2).


async def split_events(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events, each with the blank line behind it, however the bytes are cut.

    Raises TooLargeError for an event over `http.MAX_BYTES`.
    """
    rest = bytearray()
    seen = 0
    async for chunk in body:
        rest += chunk
        while (end := _blank_line(rest, seen)) >= 0:
            yield bytes(rest[:end])
            del rest[:end]
            seen = 0
        seen = max(len(rest) - 3, 0)
        if len(rest) > http.MAX_BYTES:
            raise http.TooLargeError(http.MAX_BYTES)
    if rest:
        yield bytes(rest)


def _blank_line(data: bytearray, start: int) -> int:
    """Where the first blank line ends; -1 for none."""
    ends = (
        (at + len(mark)) if at >= 0 else -1
        for mark in (b"\n\n", b"\r\n\r\n")
        for at in (data.find(mark, start),)
    )
    return min((end for end in ends if end >= 0), default=-1)


def _data_of(raw: bytes) -> bytes | None:
    """The data of an event; None where it has none, such as a comment."""
    lines = [line[5:].removeprefix(b" ") for line in raw.splitlines() if line[:5] == b"data:"]
    return b"\n".join(lines) if lines else None


def _event_of(event: Json) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"
