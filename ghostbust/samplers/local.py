"""Sampling a transformers model in this process, on the CPU or a GPU."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from ghostbust.errors import UsageError
from ghostbust.models.load import LoadedModel, give_back, load_model
from ghostbust.models.pair import logits_at
from ghostbust.records import Prompt, Sample, Score, content_id
from ghostbust.samplers.decode import (
    Check,
    DecodedAnswer,
    DecodeRequest,
    Sampling,
    cache_option,
    chunks,
    decode,
    joinable,
    tokens_at_once,
)
from ghostbust.samplers.interface import (
    AnswerGuard,
    AnswerReader,
    NamePlace,
    SamplingSettings,
    cut_at_stop,
)
from ghostbust.samplers.vocabulary import Vocabulary

TAIL_TOKENS = 16
"""a stop text is looked for in so many of the last generated tokens"""
LIKELY = 256
"""so many of the likeliest tokens are asked whether a guard's place allows them"""
TAILS_AT_ONCE = 32
"""texts that are scored behind one prompt in one pass"""


class LocalSampler:
    """A ``Sampler`` of a model in memory, which scores bare texts too.

    Every answer draws from its own random stream, seeded by the call's seed, the prompt and the
    number of the completion: on one machine, the same call gives the same samples.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        adapter: str | None = None,
        guard: AnswerGuard | None = None,
    ) -> None:
        """``guard``: takes back names from the answers to prompts while they are written. Raises
        UsageError for a guard on a model whose cache can't forget a token."""
        if guard is not None and not joinable(loaded.model):
            raise UsageError(
                f"{loaded.name}: the guard can't take back a token from this kind of model; use "
                "`ghostbust guard serve` in front of a server"
            )
        self._guard = guard
        self.loaded = loaded
        self.model = loaded.name
        self.adapter = adapter

    def guarded(self, guard: AnswerGuard) -> LocalSampler:
        """The same model, whose answers to prompts are guarded. Raises as the constructor."""
        return LocalSampler(self.loaded, self.adapter, guard)

    @classmethod
    def load(
        cls,
        name: str,
        cache_dir: Path,
        *,
        adapter: str | None = None,
        adapter_path: Path | None = None,
        device: str | None = None,
    ) -> LocalSampler:
        """A sampler of the named model, with an adapter merged in if one is given."""
        return cls(load_model(name, cache_dir, adapter=adapter_path, device=device), adapter)

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """Samples as they finish."""
        requests = [
            DecodeRequest(
                key,
                self.loaded.encode_prompt(prompt.text, prompt.turns),
                tuple(stream_seed(settings.seed, prompt.id, number) for number in settings.numbers),
                self._check_of(prompt),
            )
            for key, prompt in enumerate(prompts)
        ]
        sampling = Sampling(
            settings.temperature, settings.top_k, settings.top_p, settings.max_new_tokens
        )
        for done in self._decode(requests, sampling, settings.batch_size):
            yield Sample(
                prompt=prompts[done.key],
                text=self.loaded.decode(done.ids),
                model=self.model,
                adapter=self.adapter,
                seed=settings.seed,
                number=settings.numbers[done.number],
                temperature=settings.temperature,
                truncated=done.truncated,
                tokens=len(done.ids) + (not done.truncated),
            )

    def _check_of(self, prompt: Prompt) -> Callable[[], Check] | None:
        """What makes the check of an answer to the prompt; None without a guard."""
        guard, loaded = self._guard, self.loaded
        if guard is None:
            return None
        return lambda: _Guarded(guard.read(prompt), loaded.decode, self._vocabulary)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self.loaded.tokenizer, self.loaded.end_tokens)

    def complete(
        self,
        texts: Sequence[str],
        *,
        max_new_tokens: int,
        stop: Sequence[str],
        batch_size: int = 96,
    ) -> list[str]:
        """The greedy continuation of each bare text, cut before the first stop text."""

        def stops(ids: list[int]) -> bool:
            tail = self.loaded.decode(ids[-TAIL_TOKENS:])
            return any(text in tail for text in stop)

        heads = [self.loaded.encode(text) for text in texts]
        found = self._greedy(heads, max_new_tokens, batch_size, stops if stop else None)
        return [cut_at_stop(text, stop) for text in found]

    @property
    def chats(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(self.loaded.tokenizer.chat_template)

    def answer(
        self, messages: Sequence[str], *, max_new_tokens: int, batch_size: int = 32
    ) -> list[str]:
        """The greedy answer to each user message, through the chat template."""
        heads = [self.loaded.encode_prompt(message) for message in messages]
        return self._greedy(heads, max_new_tokens, batch_size)

    def _greedy(
        self,
        heads: Sequence[list[int]],
        max_new_tokens: int,
        batch_rows: int,
        stop: Callable[[list[int]], bool] | None = None,
    ) -> list[str]:
        """The greedy continuation of each head, as text."""
        greedy = Sampling(temperature=0, top_k=0, top_p=1, max_new_tokens=max_new_tokens)
        requests = [DecodeRequest(k, head, (0,)) for k, head in enumerate(heads)]
        answers = [""] * len(heads)
        for done in self._decode(requests, greedy, batch_rows, stop):
            answers[done.key] = self.loaded.decode(done.ids)
        return answers

    def _decode(
        self,
        requests: Sequence[DecodeRequest],
        sampling: Sampling,
        batch_rows: int,
        stop: Callable[[list[int]], bool] | None = None,
    ) -> Iterator[DecodedAnswer]:
        return decode(
            self.loaded.model,
            requests,
            sampling,
            batch_rows=batch_rows,
            end_tokens=self.loaded.end_tokens,
            stop=stop,
        )

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The score of each pair's second text as the continuation of its first."""
        encoded = [(self.loaded.encode(head), self.loaded.encode(tail)) for head, tail in pairs]
        lengths = [len(head) + len(tail) for head, tail in encoded]
        order = sorted(range(len(pairs)), key=lambda i: -lengths[i])
        scores = [Score(0.0, 0)] * len(pairs)
        for chosen in chunks(order, lengths.__getitem__, tokens_at_once(self.loaded.model)):
            for i, score in zip(
                chosen, self._score_batch([encoded[i] for i in chosen]), strict=True
            ):
                scores[i] = score
        give_back()
        return scores

    @torch.inference_mode()
    def _score_batch(self, batch: list[tuple[list[int], list[int]]]) -> list[Score]:
        longest = max(len(head) + len(tail) for head, tail in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)  # (B, T), right-padded
        mask = torch.zeros_like(ids)
        rows: list[int] = []
        columns: list[int] = []
        for number, (head, tail) in enumerate(batch):
            ids[number, : len(head) + len(tail)] = torch.tensor(head + tail)
            mask[number, : len(head) + len(tail)] = 1
            # the very first token has nothing to be predicted from
            scored = range(max(len(head), 1), len(head) + len(tail))
            rows += [number] * len(scored)
            columns += scored
        row = torch.tensor(rows, dtype=torch.long)  # (N,); not float where nothing is scored
        column = torch.tensor(columns, dtype=torch.long)  # (N,)
        device = self.loaded.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        logits = logits_at(
            self.loaded.model, inputs, (row.to(device), column.to(device) - 1)
        )  # (N, V)
        nll = torch.nn.functional.cross_entropy(
            logits, ids[row, column].to(device), reduction="none"
        )  # (N,)
        sums = torch.zeros(len(batch)).index_add(0, row, nll.cpu())  # (B,)
        return [
            Score(float(total), len(tail)) for total, (_, tail) in zip(sums, batch, strict=True)
        ]

    @torch.inference_mode()
    def score_behind(self, prompt: Prompt, lead: str, tails: Sequence[str]) -> list[Score]:
        """The score of each tail as what follows the prompt and ``lead``, the answer's start.

        The prompt is read once for all of them.
        """
        encode, device = self.loaded.encode, self.loaded.device
        head = [*self.loaded.encode_prompt(prompt.text, prompt.turns), *encode(lead)]
        read = DynamicCache(config=self.loaded.model.config)
        self._forward([head[:-1]], read, keep=1)
        scores: list[Score] = []
        for first in range(0, len(tails), TAILS_AT_ONCE):
            batch = [encode(tail) for tail in tails[first : first + TAILS_AT_ONCE]]
            cache = copy.deepcopy(read)
            cache.batch_select_indices(torch.zeros(len(batch), dtype=torch.long, device=device))
            logits = self._forward([[head[-1], *ids] for ids in batch], cache)  # (B, T, V)
            for ids, row in zip(batch, logits, strict=True):
                target = torch.tensor(ids, dtype=torch.long, device=device)  # (T,)
                nll = torch.nn.functional.cross_entropy(row[: len(ids)], target, reduction="sum")
                scores.append(Score(float(nll), len(ids)))
        return scores

    def _forward(
        self, rows: Sequence[Sequence[int]], cache: DynamicCache, keep: int = 0
    ) -> torch.Tensor:
        """fp32 logits (B, T, V) of tokens behind the cached ones; of the last ``keep``, if not 0.

        Right-padded: what stands behind a row's end is read by no token of the row.
        """
        texts = [torch.tensor(row, dtype=torch.long) for row in rows]
        ids = pad_sequence(texts, batch_first=True).to(self.loaded.device)  # (B, T)
        model = self.loaded.model
        output = model(input_ids=ids, logits_to_keep=keep, **cache_option(model, cache))
        logits: torch.Tensor = output.logits
        return logits.float()


class _Guarded:
    """A guard's reader of one answer, as the decoder's check of its tokens."""

    def __init__(
        self,
        reader: AnswerReader,
        decode: Callable[[list[int]], str],
        vocabulary: Vocabulary,
    ) -> None:
        self._reader, self._decode, self._vocabulary = reader, decode, vocabulary
        self._place: NamePlace | None = None
        self._from = 0
        """the token at which the place begins"""

    @property
    def holds(self) -> bool:
        return self._place is not None

    def __call__(
        self, ids: list[int], *, ended: bool, truncated: bool, last: bool
    ) -> tuple[int, bool] | None:
        if self._place and self._place.is_written(self._written(ids)):
            self._place = None
        if not (ended or self._reader.is_due(self._vocabulary.text(ids[-1]))):
            return None
        text = self._decode(ids)
        cut = self._reader.cut(text, ended=ended, truncated=truncated, last=last)
        if cut is None:
            return None
        self._place = cut.place
        # The first tokens whose text ends before the cut.
        counts = range(1, len(ids) + 1)
        self._from = bisect_right(counts, cut.at, key=lambda count: len(self._decode(ids[:count])))
        return self._from, cut.ends

    def held(self, logits: torch.Tensor, ids: list[int]) -> torch.Tensor:
        assert self._place is not None
        written = self._written(ids)
        likely = logits.topk(min(LIKELY, len(logits))).indices.tolist()
        fitting = [i for i in likely if self._fits(written, i)]
        # Each name can be written by its characters, so that no beginning is a dead end.
        fitting = fitting or [i for i in self._vocabulary.characters if self._fits(written, i)]
        if not fitting:
            return logits  # the name is read again when it is written
        kept = torch.full_like(logits, -torch.inf)
        kept[fitting] = logits[fitting]
        return kept

    def _written(self, ids: list[int]) -> str:
        return self._vocabulary.read(ids[self._from :])

    def _fits(self, written: str, token: int) -> bool:
        assert self._place is not None
        text = self._vocabulary.text(token)  # empty for a special token, which isn't let in
        return bool(text) and self._place.may_follow(written + text)


def stream_seed(seed: int, prompt_id: str, number: int) -> int:
    """The seed of one answer's random stream, in [0, 2**63). No past sample can be made again if
    this changes.
    """
    return int(content_id(str(seed), prompt_id, str(number)), 16) >> 1
