"""The guard as a logits processor, for samplers that can't take a token back.

Logits stay as they are, to the bit, where no name is written. Where one is, each of the likeliest
tokens gains the logarithm of the chance that its name ends in a real one (``continuations.py``).
Where no invention may stand (``Guard.hard``) no other token is let through.

What the server itself rules out (a logit of -inf: by a grammar, by a least length) stays ruled out.
Where that leaves no token that the guard would let through, it lets all of them.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from transformers import LogitsProcessor

from ghostbust.config import load_config
from ghostbust.errors import UsageError
from ghostbust.guard.continuations import NONE, Chances, Continuations, Continued
from ghostbust.guard.reading import Asked, Guard
from ghostbust.home import Home
from ghostbust.samplers.vocabulary import Tokenizer, Vocabulary
from ghostbust.sections import GuardSection

LIKELY = 64
"""so many of the likeliest tokens are weighed"""
NEAR = 10.0
"""where no name is written yet, only tokens whose logit is so near to the best one's are weighed:
the others are as good as never drawn, and if one is, the name is weighed from its second token"""
_log = logging.getLogger(__name__)


class GuardedRow:
    """One answer of a batch. What fails in it never reaches the server."""

    def __init__(self, known: Continuations, asked: Asked, *, closed: bool) -> None:
        """``closed``: an answer on which the guard fails ends; else its logits stay as they are."""
        self._known, self._closed = known, closed
        self._failed = False
        self._answer = Continued(known, asked)

    @property
    def looks(self) -> bool:
        """Whether `weighed` may change the next token's logits."""
        return self._closed if self._failed else self._answer.looks

    def add(self, tokens: Iterable[int]) -> None:
        """Appends tokens that were drawn."""
        if self._failed:
            return
        try:
            for token in tokens:
                self._answer.add(token)
        except Exception as exc:  # noqa: BLE001 (a server goes on, whatever a guard does)
            self._fail(exc)

    def weighed(
        self, logits: torch.Tensor, best: Sequence[float], likely: Sequence[int]
    ) -> torch.Tensor | None:
        """The next token's logits (V,), new; None where they stay as they are.

        ``likely``: the likeliest tokens, best first; ``best``: their logits.
        """
        if not self._failed:
            try:
                far = math.inf if self._answer.is_open else NEAR - best[0]
                near = bisect_left(best, far, key=lambda logit: -logit)
                return self._weighed(logits, likely[:near])
            except Exception as exc:  # noqa: BLE001
                self._fail(exc)
        return only_ends(logits, self._known.vocabulary) if self._closed else None

    def _weighed(self, logits: torch.Tensor, likely: Sequence[int]) -> torch.Tensor | None:
        chances = self._answer.chances(likely) if likely else None
        if chances is None:
            return None
        if self._answer.is_code and max(chances.of) <= NONE:
            # Each name can be written by its characters, so that no beginning is a dead end.
            characters = self._known.vocabulary.characters
            left = (logits[list(characters)] > -torch.inf).tolist()
            likely = [token for token, is_left in zip(characters, left, strict=True) if is_left]
            chances = self._answer.chances(likely) if likely else None
            if chances is None:
                return None
        if chances.hard and not any(chances.of):
            return only_ends(logits, self._known.vocabulary)
        if not chances.hard and min(chances.of) == max(chances.of):
            return None
        return _weighed(logits, likely, chances)

    def _fail(self, exc: Exception) -> None:
        self._failed = True
        warn(exc, closed=self._closed)


def warn(exc: Exception, *, closed: bool) -> None:
    """Logs that the guard failed, and what that means for the answer."""
    then = "ends the answer" if closed else "lets the answer through"
    _log.warning("the guard failed and %s: %s: %s", then, type(exc).__name__, exc)


def only_ends(logits: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor:
    """Logits (…, V) that leave only an answer's end; as they are where no token can be it."""
    ends = [token for token in vocabulary.end_tokens if token < logits.shape[-1]]
    kept = torch.full_like(logits, -torch.inf)
    kept[..., ends] = logits[..., ends]
    return torch.where((kept > -torch.inf).any(-1, keepdim=True), kept, logits)


def _weighed(logits: torch.Tensor, tokens: Sequence[int], chances: Chances) -> torch.Tensor:
    """Logits (V,) times chances, as logarithms. Tokens that weren't looked at are worth as much as
    the worst of those that were, or nothing where the place is hard."""
    rest = -math.inf if chances.hard else math.log(min(chances.of))
    weighed = logits + rest
    logs = [math.log(chance) if chance else -math.inf for chance in chances.of]
    weighed[list(tokens)] = logits[list(tokens)] + logits.new_tensor(logs)
    return weighed


def weigh(rows: Sequence[GuardedRow | None], logits: torch.Tensor) -> dict[int, torch.Tensor]:
    """The new logits (V,) of the rows of ``logits`` (B, V) that change."""
    places = [place for place, row in enumerate(rows) if row is not None and row.looks]
    if not places:
        return {}
    top = logits[places].topk(min(LIKELY, logits.shape[-1]))  # (B', K)
    found = {}
    for place, best, likely in zip(places, top.values.tolist(), top.indices.tolist(), strict=True):
        row = rows[place]
        assert row is not None
        weighed = row.weighed(logits[place], best, likely)
        if weighed is not None:
            found[place] = weighed
    return found


def weigh_in_place(rows: Sequence[GuardedRow | None], logits: torch.Tensor) -> None:
    """Changes the rows of ``logits`` (B, V) that `weigh` changes."""
    for place, weighed in weigh(rows, logits).items():
        logits[place] = weighed


class FollowedRequest:
    """A model server's request: its row, and how many of its tokens were read."""

    def __init__(self, known: Continuations, prompt: Sequence[int], *, closed: bool) -> None:
        asked = Asked.of(known.vocabulary.read(prompt))
        self.row = GuardedRow(known, asked, closed=closed)
        self.read = 0

    def follow(self, new: Sequence[int]) -> None:
        """Reads what is new in the request's output."""
        self.row.add(new)
        self.read += len(new)


class GuardLogits(LogitsProcessor):
    """The guard of one call of ``model.generate``: prompts padded on the left, one beam."""

    def __init__(
        self, known: Continuations, asked: Sequence[Asked] | None = None, *, closed: bool = False
    ) -> None:
        """``asked``: of each row; None: what the prompts' tokens say. ``closed``: an answer on
        which the guard fails ends; else it goes on without a guard."""
        self._known, self._asked, self._closed = known, asked, closed
        self._rows: list[GuardedRow] = []
        self._seen: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The logits (B, V) behind ``input_ids`` (B, T); the same object where none changes.

        Raises UsageError where rows change places or grow by several tokens at once.
        """
        if self._seen is None:
            self._begin(input_ids)
        elif input_ids.shape[1] != self._seen.shape[1] + 1 or not torch.equal(
            input_ids[:, :-1], self._seen
        ):
            raise UsageError(
                "the guard follows rows that keep their place and grow by one token: use one beam,"
                " no assistant model, and a new GuardLogits for each call of generate"
            )
        else:
            for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
                row.add((token,))
        self._seen = input_ids
        changed = weigh(self._rows, scores)
        if changed:
            scores = scores.clone()
            for place, logits in changed.items():
                scores[place] = logits
        return scores

    def _begin(self, input_ids: torch.Tensor) -> None:
        asked = self._asked
        if asked is None:
            asked = [Asked.of(self._known.vocabulary.read(row)) for row in input_ids.tolist()]
        if len(asked) != len(input_ids):
            raise UsageError(f"the guard knows of {len(asked)} prompts, not {len(input_ids)}")
        self._rows = [GuardedRow(self._known, one, closed=self._closed) for one in asked]


def known_in_server(
    tokenizer: Tokenizer, end_tokens: Iterable[int]
) -> tuple[Continuations, GuardSection]:
    """What is known of names, and the settings, by the home of a model server's process.

    Raises ConfigError for settings, SnapshotError for snapshots that can't be used.
    """
    home = Home.find(None)
    section = load_config(None, home, trust_here=False).guard
    guard = Guard.by_snapshots(home.registry, hard=section.hard)
    return Continuations(guard, Vocabulary.of(tokenizer, frozenset(end_tokens))), section


def logits_guard(
    tokenizer: Tokenizer, end_tokens: Iterable[int], data_dir: Path | None = None
) -> Callable[..., GuardLogits]:
    """What makes a `GuardLogits` for each call of ``generate``; takes what that takes.

    ``end_tokens``: that end an answer. ``data_dir``: a home's folder of snapshots, which come
    before the shipped ones. Raises SnapshotError.
    """
    known = Continuations(
        Guard.by_snapshots(data_dir), Vocabulary.of(tokenizer, frozenset(end_tokens))
    )
    return lambda asked=None, **options: GuardLogits(known, asked, **options)
