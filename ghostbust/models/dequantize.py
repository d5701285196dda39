"""Turns one GGUF file into a folder of bf16 safetensors with its tokenizer. Run as a script.

``convert.py`` runs this file by its path in an interpreter of its own, so it imports nothing of
ghostbust. An error here ends it with a traceback, whose last line the parent reports.
"""

from __future__ import annotations

import sys
from pathlib import Path


def check(gguf: Path) -> None:
    """Ends the process with one line where the file can't become a model with its tokenizer."""
    from gguf import GGUFReader, Keys

    try:
        reader = GGUFReader(gguf)
    except Exception as exc:  # noqa: BLE001 (a damaged header makes the reader raise anything)
        sys.exit(f"it is cut off, damaged or no GGUF file ({type(exc).__name__})")
    if not reader.get_field(Keys.Tokenizer.LIST):
        sys.exit("it holds no tokenizer; take a file that has one")
    if (parts := reader.get_field("split.count")) and int(parts.contents()) > 1:
        sys.exit("it is one of several parts; merge them (llama-gguf-split --merge)")


def dequantize(gguf: Path, folder: Path) -> None:
    """Writes the model and the tokenizer that ``gguf`` holds into ``folder``, weights in bf16."""
    check(gguf)  # before the imports: they take seconds

    import torch
    import transformers

    # transformers 5.23 (seen 2026-11) keeps the weights packed unless GgufConfig says otherwise;
    # versions without a GgufConfig always unpack.
    config = getattr(transformers, "GgufConfig", None)
    unpack = {"quantization_config": config(dequantize=True)} if config else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, **unpack
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # transformers 5.17 takes the begin token for the end token here, so that no answer would
    # end, and strips spaces when it decodes; the model's own config has the right ids.
    for role in ("bos", "eos", "pad"):
        if (token_id := getattr(model.config, f"{role}_token_id")) is not None:
            setattr(tokenizer, f"{role}_token", tokenizer.convert_ids_to_tokens(token_id))
    tokenizer.clean_up_tokenization_spaces = False
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    dequantize(Path(sys.argv[1]), Path(sys.argv[2]))
