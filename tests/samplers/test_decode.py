"""Decoding gives the same tokens as transformers, whatever else is in the batch; its caches too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from transformers import (
    DynamicCache,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from ghostbust.models.load import LoadedModel
from ghostbust.samplers.decode import (
    CPU_CACHE_BYTES,
    SORTED_FIRST,
    DecodedAnswer,
    Decoder,
    DecodeRequest,
    Sampling,
    cache_option,
    choose,
    decode,
    joinable,
    most_columns,
    tokens_at_once,
    with_room,
)

GREEDY = Sampling(temperature=0, top_k=0, top_p=1, max_new_tokens=24)
WARM = Sampling(temperature=1, top_k=0, top_p=1, max_new_tokens=24)
NO_END = -1
"""an end token that no model says"""
PROMPTS = [
    [40, 41, 42],
    [50, 51, 52, 53, 54, 55, 56],
    [60],
    list(range(70, 90)),
    [100, 7, 100, 7, 100],
]


def small(kind: str) -> PreTrainedModel:
    """A random model of a family whose layers, or some of them, look back 8 tokens only."""
    sizes: dict[str, Any] = {
        "vocab_size": 200,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "sliding_window": 8,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(1)
    if kind == "gemma2":
        return Gemma2ForCausalLM(Gemma2Config(**sizes, query_pre_attn_scalar=4))
    return MistralForCausalLM(MistralConfig(**sizes))


@pytest.fixture(params=["llama", "gemma2", "mistral"])
def model(request: pytest.FixtureRequest, tiny: LoadedModel) -> PreTrainedModel:
    return tiny.model if request.param == "llama" else small(request.param)


def run(
    model: PreTrainedModel,
    requests: Sequence[DecodeRequest],
    sampling: Sampling,
    *,
    rows: int = 32,
    end: int = NO_END,
) -> dict[tuple[int, int], DecodedAnswer]:
    found = list(decode(model, requests, sampling, batch_rows=rows, end_tokens={end}))
    by_place = {(each.key, each.number): each for each in found}
    assert len(by_place) == len(found) == sum(len(request.seeds) for request in requests)
    return by_place


def generated(model: PreTrainedModel, ids: list[int], end: int | None) -> list[int]:
    """What transformers itself generates greedily behind ``ids``, without the end token."""
    output = model.generate(  # type: ignore[operator]
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        do_sample=False,
        max_new_tokens=GREEDY.max_new_tokens,
        eos_token_id=end,
        pad_token_id=0,
    )
    new: list[int] = output[0, len(ids) :].tolist()
    return new[: new.index(end)] if end is not None and end in new else new


def requests(*seeds: int) -> list[DecodeRequest]:
    return [DecodeRequest(key, ids, seeds) for key, ids in enumerate(PROMPTS)]


def test_greedy_equals_transformers_generate(model: PreTrainedModel) -> None:
    found = run(model, requests(0), GREEDY)
    for key, ids in enumerate(PROMPTS):
        assert found[key, 0].ids == generated(model, ids, None)
        assert found[key, 0].truncated
    assert len({tuple(each.ids) for each in found.values()}) == len(PROMPTS)


def test_greedy_equals_generate_where_answers_end_early(tiny: LoadedModel) -> None:
    full = [run(tiny.model, requests(0), GREEDY)[key, 0].ids for key in range(len(PROMPTS))]
    end = full[0][5]
    found = run(tiny.model, requests(0), GREEDY, end=end)
    assert not found[0, 0].truncated
    for key, ids in enumerate(PROMPTS):
        assert found[key, 0].ids == generated(tiny.model, ids, end)
        assert found[key, 0].truncated is (end not in full[key])


def test_neighbours_do_not_matter(model: PreTrainedModel) -> None:
    seeds = (11, 12, 13)
    together = run(model, requests(*seeds), WARM)
    end = together[0, 0].ids[8]  # makes some answers end early, and their rows leave the batch
    ended = run(model, requests(*seeds), WARM, end=end)
    assert {each.truncated for each in ended.values()} == {True, False}
    for (key, number), whole in together.items():
        (alone,) = run(model, [DecodeRequest(0, PROMPTS[key], (seeds[number],))], WARM).values()
        assert alone.ids == whole.ids
        cut = whole.ids.index(end) if end in whole.ids else len(whole.ids)
        assert ended[key, number].ids == whole.ids[:cut]
        assert ended[key, number].truncated is (end not in whole.ids)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_batch_size_does_not_matter(rows: int, model: PreTrainedModel) -> None:
    end = run(model, requests(1, 2), WARM)[0, 0].ids[8]
    whole = run(model, requests(1, 2), WARM, end=end)
    assert {each.truncated for each in whole.values()} == {True, False}
    assert run(model, requests(1, 2), WARM, rows=rows, end=end) == whole


def passes(
    model: PreTrainedModel, asked: Sequence[DecodeRequest], rows: int, end: int
) -> list[Any]:
    """The shape of the ids (B, T) of every pass through the model."""
    seen: list[Any] = []
    hook = model.register_forward_pre_hook(
        lambda _m, _args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        run(model, asked, WARM, rows=rows, end=end)
    finally:
        hook.remove()
    return seen


def test_waiting_prompts_take_the_places_of_answers_that_are_done(tiny: LoadedModel) -> None:
    asked = [DecodeRequest(key, [40 + key, 9], (key,)) for key in range(12)]
    found = run(tiny.model, asked, WARM)
    end = found[0, 0].ids[2]
    cut = [each.ids.index(end) if end in each.ids else 24 for each in found.values()]
    seen = passes(tiny.model, asked, 4, end)
    assert max(rows for rows, _ in seen) <= 4
    steps = sum(length == 1 for _, length in seen)
    in_turn = sum(max(cut[first : first + 4]) for first in range(0, 12, 4))
    assert steps < in_turn, "a batch that ends with its longest answer needs that many"


def test_prompts_are_read_with_those_of_their_length(tiny: LoadedModel) -> None:
    asked = [DecodeRequest(key, [7] * (8 + key), (0,)) for key in range(200)]
    seen = passes(tiny.model, asked, 200, NO_END)
    read = [rows * length for rows, length in seen if length > 1]
    assert max(read) <= tokens_at_once(tiny.model)
    assert sum(read) < 1.2 * sum(len(each.ids) for each in asked)


def test_seeds_reproduce_and_differ(tiny: LoadedModel) -> None:
    first = run(tiny.model, requests(1, 2, 1), WARM)
    assert run(tiny.model, requests(1, 2, 1), WARM) == first
    for key in range(len(PROMPTS)):
        assert first[key, 0].ids == first[key, 2].ids != first[key, 1].ids


class TakesBack:
    """A check that takes an answer back to some place when it is so long, once."""

    def __init__(self, when: int, to: int, forbidden: int | None = None) -> None:
        self.when, self.to, self.forbidden = when, to, forbidden
        self.took = False

    @property
    def holds(self) -> bool:
        return self.took and self.forbidden is not None

    def __call__(
        self, ids: list[int], *, ended: bool, truncated: bool, last: bool
    ) -> tuple[int, bool] | None:
        if self.took or len(ids) < self.when:
            return None
        self.took = True
        return self.to, last

    def held(self, logits: torch.Tensor, ids: list[int]) -> torch.Tensor:
        assert self.forbidden is not None
        logits[self.forbidden] = -torch.inf
        return logits


@pytest.mark.parametrize("rows", [32, 2])
def test_what_is_taken_back_leaves_no_trace(rows: int, tiny: LoadedModel) -> None:
    places = [(9, 4), (24, 20), (3, 0), (12, 11), (10, 1)]
    asked = [
        replace(request, check=partial(TakesBack, *place))
        for request, place in zip(requests(0), places, strict=True)
    ]
    free = run(tiny.model, requests(0), GREEDY)
    assert run(tiny.model, asked, GREEDY, rows=rows) == free


def test_an_answer_goes_on_in_another_way_where_it_is_held(tiny: LoadedModel) -> None:
    free = run(tiny.model, requests(0), GREEDY)[3, 0].ids
    held = replace(requests(0)[3], check=lambda: TakesBack(9, 4, forbidden=free[4]))
    (found,) = run(tiny.model, [held], GREEDY).values()
    assert found.ids[:4] == free[:4]
    ids, logits = [*PROMPTS[3], *free[:4]], torch.empty(0)
    for token in found.ids[4:]:
        logits = tiny.model(torch.tensor([ids])).logits[0, -1].detach()
        logits[free[4]] = -torch.inf
        assert token == int(logits.argmax())
        ids.append(token)


def test_taking_back_ends_when_its_tokens_are_spent(tiny: LoadedModel) -> None:
    asked_last = []

    class Always(TakesBack):
        def __call__(
            self, ids: list[int], *, ended: bool, truncated: bool, last: bool
        ) -> tuple[int, bool] | None:
            asked_last.append(last)
            return (2, last) if len(ids) == 6 else None

    checked = [replace(request, check=lambda: Always(6, 2)) for request in requests(0)]
    found = run(tiny.model, checked, GREEDY, rows=3)
    free = run(tiny.model, requests(0), GREEDY)
    assert all(each.ids == free[place].ids[:2] for place, each in found.items())
    assert not any(each.truncated for each in found.values())
    assert asked_last.count(True) == len(PROMPTS)


def test_top_k_one_is_greedy(tiny: LoadedModel) -> None:
    only = Sampling(temperature=3, top_k=1, top_p=1, max_new_tokens=24)
    assert run(tiny.model, requests(5), only) == run(tiny.model, requests(0), GREEDY)


def test_sampled_tokens_are_frequent_as_their_probability(tiny: LoadedModel) -> None:
    one = Sampling(temperature=0.5, top_k=0, top_p=1, max_new_tokens=1)
    seeds = tuple(range(4000))
    found = run(tiny.model, [DecodeRequest(0, PROMPTS[0], seeds)], one, rows=len(seeds))
    counts = torch.zeros(tiny.model.config.vocab_size)
    for each in found.values():
        counts[each.ids[0]] += 1
    with torch.inference_mode():
        expected = tiny.model(torch.tensor([PROMPTS[0]])).logits[0, -1]
    expected = torch.softmax(expected / one.temperature, dim=-1)
    assert expected.max() > 0.05  # far from uniform
    assert (counts / len(seeds) - expected).abs().max() < 0.02


def test_what_joins_between_two_tokens_is_answered_as_alone(model: PreTrainedModel) -> None:
    short, first, later = replace(WARM, max_new_tokens=5), requests(0)[:2], requests(1)[2:]
    decoder = Decoder(model, batch_rows=32, end_tokens={NO_END}, refill_below=1.0)
    decoder.add(first, GREEDY)
    order = [done for _ in range(9) for done in decoder.step()]
    decoder.add(later, short)
    while decoder.busy:
        order += decoder.step()
    alone = run(model, first, GREEDY) | run(model, later, short)
    assert {(done.key, done.number): done for done in order} == alone
    if joinable(model):  # the short ones don't wait for the long
        assert {done.key for done in order[:3]} == {2, 3, 4}


def test_stop_ends_an_answer_that_then_is_whole(tiny: LoadedModel) -> None:
    full = run(tiny.model, requests(0), GREEDY)
    seen: list[int] = []

    def stop(ids: list[int]) -> bool:
        seen.append(len(ids))
        return len(ids) == 3

    found = list(
        decode(tiny.model, requests(0), GREEDY, batch_rows=9, end_tokens={NO_END}, stop=stop)
    )
    assert {tuple(each.ids) for each in found} == {tuple(w.ids[:3]) for w in full.values()}
    assert not any(each.truncated for each in found)
    assert sorted(set(seen)) == [1, 2, 3]


def test_an_end_token_at_once_is_an_empty_answer(tiny: LoadedModel) -> None:
    end = run(tiny.model, requests(0), GREEDY)[2, 0].ids[0]
    (found,) = run(tiny.model, [DecodeRequest(2, PROMPTS[2], (0,))], GREEDY, end=end).values()
    assert (found.ids, found.truncated) == ([], False)


def test_the_models_own_attention_is_back_afterwards(tiny: LoadedModel) -> None:
    before = tiny.model.config._attn_implementation
    answers = decode(tiny.model, requests(0), GREEDY, batch_rows=1, end_tokens={NO_END})
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert tiny.model.config._attn_implementation == before == "sdpa"


def test_the_logits_of_each_step_are_those_of_a_plain_cache(model: PreTrainedModel) -> None:
    seen: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda _m, _in, out: seen.append(out.logits[:1, -1]))
    try:
        (found,) = run(model, [DecodeRequest(0, PROMPTS[3], (0,))], GREEDY).values()
    finally:
        hook.remove()
    cache = DynamicCache(config=model.config)
    step = torch.tensor([PROMPTS[3]])
    with torch.inference_mode():
        for logits, token in zip(seen, found.ids, strict=True):
            plain = model(input_ids=step, **cache_option(model, cache)).logits[:, -1]
            torch.testing.assert_close(logits, plain, atol=1e-4, rtol=1e-4)
            step = torch.tensor([[token]])


LOGITS = torch.tensor([[0.4, 0.1, 0.3, 0.2]]).log()
"""tokens by falling probability: 0, 2, 3, 1"""


def chosen(draw: float, *, temperature: float = 1, top_k: int = 0, top_p: float = 1) -> int:
    sampling = Sampling(temperature, top_k, top_p, max_new_tokens=1)
    return int(choose(LOGITS, torch.tensor([draw]), sampling))


@pytest.mark.parametrize(
    ("draw", "token"),
    [(0, 0), (0.39, 0), (0.41, 2), (0.69, 2), (0.71, 3), (0.89, 3), (0.91, 1), (1 - 2**-24, 1)],
)
def test_choose_inverts_the_cumulative_distribution(draw: float, token: int) -> None:
    assert chosen(draw) == token


def test_choose_keeps_the_smallest_set_that_reaches_top_p() -> None:
    just_under_one = 1 - 2**-24
    assert chosen(just_under_one, top_p=0.3) == 0
    assert chosen(just_under_one, top_p=0.5) == 2  # 0.4 is not enough, 0.4 + 0.3 is
    assert chosen(just_under_one, top_p=0.85) == 3
    assert chosen(just_under_one, top_p=1e-9) == 0
    assert chosen(0.56, top_p=0.5) == 0  # 0.4 of 0.7 is 0.571
    assert chosen(0.58, top_p=0.5) == 2


def test_choose_keeps_top_k_before_top_p() -> None:
    assert chosen(0.99, top_k=2) == 2
    assert chosen(0.99, top_k=9) == 1
    # of the two that are kept the first has 0.571: enough for 0.55, though not of all four
    assert chosen(0.99, top_k=2, top_p=0.55) == 0


@pytest.mark.parametrize("top_p", [1, 0.9])
def test_a_draw_is_the_same_whether_or_not_the_likeliest_tokens_suffice(top_p: float) -> None:
    generator = torch.Generator().manual_seed(3)
    spread = torch.linspace(1, 3, 200)[:, None]
    rows = spread * torch.randn(200, 8 * SORTED_FIRST, generator=generator)
    draws = torch.rand(200, generator=generator)
    p, order = rows.softmax(-1).sort(-1, descending=True)
    kept = torch.where(p.cumsum(-1) - p < top_p, p, 0)
    place = (kept.cumsum(-1) / kept.sum(-1, keepdim=True) <= draws[:, None]).sum(-1)
    assert 20 < int((place < SORTED_FIRST).sum()) < 190  # both happen
    expected = order.gather(-1, place[:, None])[:, 0]
    assert choose(rows, draws, Sampling(1, 0, top_p, 1)).tolist() == expected.tolist()


SIZES = {
    "vocab_size": 20,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture
def llama() -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SIZES))  # type: ignore[arg-type]


def filled(rows: int, columns: int) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
    """A cache of three layers, and the first one's keys and values (B, 2, T, 4)."""
    cache = DynamicCache()
    keys, values = torch.rand(rows, 2, columns, 4), torch.rand(rows, 2, columns, 4)
    for layer in range(3):
        cache.update(keys, values, layer)
    return cache, keys, values


def held(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys and values that a layer holds."""
    return layer.keys, layer.values


def test_new_columns_go_behind_the_old_ones_without_moving_them() -> None:
    cache, keys, _ = filled(2, 3)
    joined = with_room([(cache, torch.tensor([0, 1]), 3)], room=2)
    place = held(joined.layers[0])[0].data_ptr()
    new = torch.rand(2, 2, 1, 4)
    for length in (4, 5):
        seen, _ = joined.update(new, new, 0)
        assert seen.shape == (2, 2, length, 4)
        assert seen.data_ptr() == place
    assert torch.equal(seen[:, :, :3], keys)
    assert torch.equal(seen[:, :, 4:], new)
    joined.batch_select_indices(torch.tensor([1]))
    assert held(joined.layers[1])[0].shape == (1, 2, 3, 4)
    assert joined.get_seq_length(0) == 5


def test_layers_with_a_sliding_window_cannot_be_joined(llama: PreTrainedModel) -> None:
    assert joinable(llama)
    assert not joinable(small("mistral"))


def test_the_cache_goes_by_the_name_that_the_model_has_for_it(llama: PreTrainedModel) -> None:
    """A wrong name would warn, and warnings are errors here; or the model would keep no cache."""
    cache = DynamicCache()
    llama(input_ids=torch.tensor([[1, 2, 3]]), **cache_option(llama, cache))
    assert cache.get_seq_length() == 3


def test_the_limit_counts_keys_and_values_of_all_layers(llama: PreTrainedModel) -> None:
    assert most_columns(llama) == CPU_CACHE_BYTES // (2 * 3 * 2 * 4 * 4)
