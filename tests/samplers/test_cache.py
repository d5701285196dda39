"""Caches with room: what they hold after joining and choosing rows, and how large they may be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, MistralConfig, PreTrainedModel
from transformers import MistralForCausalLM as Mistral

from ghostbust.samplers.decode import (
    CPU_CACHE_BYTES,
    RoomyLayer,
    attention_for_decoding,
    cache_option,
    joinable,
    most_columns,
    with_room,
)

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


def test_rows_of_several_caches_are_joined_and_padded_on_the_left() -> None:
    (long, long_keys, _), (short, short_keys, short_values) = filled(3, 7), filled(2, 5)
    joined = with_room([(long, torch.tensor([2, 0]), 6), (short, torch.tensor([1]), 5)], room=4)
    for layer in joined.layers:
        assert isinstance(layer, RoomyLayer)
        keys, values = held(layer)
        assert keys.shape == values.shape == (3, 2, 6, 4)
        assert torch.equal(keys[:2], long_keys[[2, 0], :, 1:]), "its last six columns"
        assert torch.equal(keys[2, :, 1:], short_keys[1])
        assert torch.equal(values[2, :, 1:], short_values[1])
        assert not keys[2, :, 0].any()


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


def test_a_cache_with_room_can_be_joined_again() -> None:
    (first, keys, _), (other, other_keys, _) = filled(2, 3), filled(1, 2)
    joined = with_room([(first, torch.tensor([0, 1]), 3)], room=1)
    new = torch.rand(2, 2, 1, 4)
    for layer in range(3):
        joined.update(new, new, layer)
    again = with_room([(joined, torch.tensor([1]), 4), (other, torch.tensor([0]), 2)], room=1)
    seen, _ = held(again.layers[2])
    assert torch.equal(seen[0], torch.cat([keys[1], new[1]], dim=1))
    assert torch.equal(seen[1, :, 2:], other_keys[0])


def test_what_looks_back_a_few_tokens_only_cannot_be_joined(llama: PreTrainedModel) -> None:
    assert joinable(llama)
    assert not joinable(Mistral(MistralConfig(**SIZES, sliding_window=4)))  # type: ignore[arg-type]


def test_the_cache_goes_by_the_name_that_the_model_has_for_it(llama: PreTrainedModel) -> None:
    """A wrong name would warn, and warnings are errors here; or the model would keep no cache."""
    cache = DynamicCache()
    llama(input_ids=torch.tensor([[1, 2, 3]]), **cache_option(llama, cache))
    assert cache.get_seq_length() == 3


def test_the_limit_counts_keys_and_values_of_all_layers(llama: PreTrainedModel) -> None:
    assert most_columns(llama) == CPU_CACHE_BYTES // (2 * 3 * 2 * 4 * 4)


def test_the_models_attention_is_swapped_for_a_while(llama: PreTrainedModel) -> None:
    with attention_for_decoding(llama):
        assert llama.config._attn_implementation == "ghostbust_decode"
    assert llama.config._attn_implementation == "sdpa"
