"""A model of random weights that names packages: for benches and tests of all but the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def make_talking_model(folder: Path, names: Sequence[str]) -> None:
    """Writes a model to the folder that can say these names, and install lines of every third.

    Which it says depends on the prompt, by chance. Its tokens are bytes, for the prompt, and the
    names, for the answer: enough for sweeps that find something and rounds that train on it.
    """
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    says = [f"{name}\n" for name in names] + [f"pip install {name}\n" for name in names[::3]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in says])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<end>",
        pad_token="<end>",
    )
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[: len(alphabet)] = 0  # bytes: hardly ever said
        model.lm_head.weight[len(alphabet) :] *= 15
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
