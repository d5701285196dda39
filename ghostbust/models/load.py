"""Loading a language model with its tokenizer, and putting prompts into its format.

torch, transformers and peft are imported when a model is loaded, not before.
"""

from __future__ import annotations

import ctypes
import difflib
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghostbust.adapters import CONFIG, check_loadable
from ghostbust.documents import parse_json
from ghostbust.errors import ModelError
from ghostbust.gguf_name import SUFFIX, digest_in, recorded_name
from ghostbust.models.convert import converted_model, embedded_model
from ghostbust.records import chat_messages

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "smollm2"
"""the model name that needs no hub; see ``convert.py``"""
_IS_ADAPTER = "it is an adapter; name its base, and the adapter with --adapter"
MODEL_NAMES = (
    f"--model takes {EMBEDDED!r}, a folder, a GGUF file (FILE.gguf), or a Hugging Face id such as"
    " OWNER/NAME"
)
_MAGIC = b"GGUF"
_HUB_ID = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*", re.ASCII)
_MARK = "ghostbust"
"""an answer in a rendered chat template; what comes after it is the end token"""

MOST = 0.25
"""share of the machine's memory that weights in fp32 may take; larger ones stay bf16 and slow"""


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model in memory, ready for inference, and its tokenizer."""

    name: str
    """the model id or folder as the user gave it; of a GGUF file the recorded name"""
    folder: str
    """what transformers loaded it from: a local folder or a hub id"""
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.model.device

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """The ids of all tokens that end an answer, by the tokenizer and the generation config.

        Raises ModelError where there is none.
        """
        config = self.model.generation_config
        more = None if config is None else config.eos_token_id
        ids = {self.tokenizer.eos_token_id, *(more if isinstance(more, list) else [more])}
        found = frozenset(token for token in ids if isinstance(token, int))
        if not found:
            raise ModelError(f"{self.name}: its tokenizer has no end token, so answers can't end")
        return found

    @cached_property
    def end_token(self) -> int:
        """The id of the token that the model writes after an answer.

        The first one that the chat template puts there: the tokenizer's own end token may end a
        document, not an answer. Raises ModelError as `end_tokens` does.
        """
        if self.tokenizer.chat_template:
            messages = chat_messages("a", _MARK)
            text = str(self.tokenizer.apply_chat_template(messages, tokenize=False))
            for token in self.encode(text.rpartition(_MARK)[2]):
                if token in self.end_tokens:
                    return token
        token = self.tokenizer.eos_token_id
        return token if isinstance(token, int) else min(self.end_tokens)

    def encode_prompt(self, text: str, turns: Sequence[str] = ()) -> list[int]:
        """Token ids of a user message up to where the answer begins: (T,).

        ``turns``: earlier messages, the user's and the model's in turn. By the model's chat
        template; a model without one gets the messages, each with a newline.
        """
        if self.tokenizer.chat_template:
            rendered = self.tokenizer.apply_chat_template(
                chat_messages(*turns, text), tokenize=False, add_generation_prompt=True
            )
            return self.encode(str(rendered))
        return [*self._bos(), *self.encode("".join(f"{said}\n" for said in (*turns, text)))]

    def encode(self, text: str) -> list[int]:
        """Token ids of bare text: (T,), without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: list[int]) -> str:
        """Text of token ids without special tokens."""
        return str(
            self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def _bos(self) -> list[int]:
        plain = self.tokenizer("a")["input_ids"]
        bos = self.tokenizer.bos_token_id
        return [bos] if bos is not None and plain[:1] == [bos] else []


def resolve_model(name: str, cache_dir: Path) -> str:
    """The folder or hub id that a model name stands for.

    Fetches the embedded model if needed, and converts a GGUF file, which is named by its path or
    as in records. Raises ModelError for what can't be a model.
    """
    if name == EMBEDDED:
        return str(embedded_model(cache_dir))
    check_model_name(name)
    recorded = recorded_name(name, cache_dir)
    if digest_in(recorded):
        return str(converted_model(recorded, cache_dir))
    return name


def check_model_name(name: str) -> None:
    """Raises ModelError for what is no folder, no GGUF file and doesn't look like a hub id."""
    path = Path(name)
    if path.is_dir() or digest_in(name):
        return
    if path.suffix.lower() == SUFFIX:
        _check_gguf(path)
        return
    if path.is_file():
        raise ModelError(f"can't load the model {name!r}: it is a file; {MODEL_NAMES}")
    if not _HUB_ID.fullmatch(name):
        raise ModelError(f"can't load the model {name!r}: there is no such folder; {MODEL_NAMES}")


def _check_gguf(path: Path) -> None:
    """Raises ModelError where the file isn't there, can't be read or is no GGUF file."""
    try:
        with path.expanduser().open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                return
        why = "it isn't a GGUF file"
    except OSError as exc:
        why = exc.strerror or str(exc)
    raise ModelError(f"can't load the model {str(path)!r}: {why}")


def meant(name: str) -> str:
    """A hint for a name that is close to the embedded model's; empty for others."""
    written = name.lower()
    near = written.startswith(EMBEDDED) or difflib.get_close_matches(written, [EMBEDDED], 1, 0.75)
    return f"did you mean {EMBEDDED!r}? " if near and name != EMBEDDED else ""


def load_model(
    name: str, cache_dir: Path, *, adapter: Path | None = None, device: str | None = None
) -> LoadedModel:
    """A model for inference, its weights bf16, with an adapter merged into them if one is given.

    Merging makes sampling as fast as the base's; it rounds the sum to bf16 once, so figures can
    differ in the last digit from a server that keeps the adapter separate. It computes in bf16 too,
    or in fp32 where that is faster (``compute_dtype``).

    ``device`` None takes CUDA where there is one. Raises ModelError in one line.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = resolve_model(name, cache_dir)
    name = recorded_name(name, cache_dir)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    _check_folder(name, Path(folder))
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, padding_side="left", trust_remote_code=False
        )
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, use_safetensors=True, trust_remote_code=False
        )
    except Exception as exc:  # a folder may hold anything, and the libraries raise everything
        raise ModelError(
            f"can't load the model {name!r}: {_first_line(exc)} ({meant(name)}{MODEL_NAMES})"
        ) from exc
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ModelError(f"can't load the model {name!r}: {_IS_ADAPTER}")
    if adapter is not None:
        model = attach(model, adapter).merge_and_unload()
    model.requires_grad_(False)
    target = torch.device(place)
    model.to(target, dtype=compute_dtype(model, target)).eval()  # type: ignore[arg-type]
    return LoadedModel(name, folder, model, tokenizer)


def attach(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """The model with the adapter of a folder beside its weights. Raises ModelError in one line."""
    from peft import PeftModel

    try:
        check_loadable(adapter)
        with peft_warnings_silenced():
            return PeftModel.from_pretrained(model, str(adapter))
    except Exception as exc:  # as above: the files may hold anything
        raise ModelError(f"can't load the adapter in {adapter}: {_first_line(exc)}") from exc


@contextmanager
def peft_warnings_silenced() -> Iterator[None]:
    """Context in which peft 0.21 may read a name that transformers 5.17 calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def _check_folder(name: str, folder: Path) -> None:
    """Raises ModelError for a folder from which transformers would load something else: a pickle,
    or, where the folder is an adapter's, the base that its config names.
    """
    if not folder.is_dir():
        return  # a hub id
    shards = folder.glob("*.safetensors.index.json")
    if (folder / CONFIG).exists():
        why = _IS_ADAPTER
    elif any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors")):
        why = "its weights are a pickle (.bin), which can run code; save them as safetensors"
    elif not all(map(_names_safetensors, shards)):
        why = "its list of weights names files that aren't safetensors in the same folder"
    else:
        return
    raise ModelError(f"can't load the model {name!r}: {why}")


def _names_safetensors(index: Path) -> bool:
    """Whether a list of shards names safetensors in its own folder only."""
    try:
        named = set(parse_json(index.read_bytes())["weight_map"].values())
        return all(Path(n).name == n and n.endswith(".safetensors") for n in named)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _first_line(exc: Exception) -> str:
    """The first line of an error, without the advice after it."""
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)


def compute_dtype(model: PreTrainedModel, device: torch.device) -> torch.dtype:
    """bf16, or fp32 on a CPU that is slow with bf16 and has the memory.

    A CPU without instructions for bf16 widens every factor first: on one with AVX2 alone, products
    of SmolLM2's matrices took seven times as long in bf16 as in fp32 (docs/log.md, 2026-11-28).
    """
    import torch

    slow = device.type == "cpu" and not multiplies_bfloat16()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return torch.float32 if slow and 4 * weights <= MOST * _memory_bytes() else torch.bfloat16


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions that multiply bf16; False where torch can't tell."""
    import torch

    # Among the names are avx512_bf16, amx_bf16, bf16 and sve_bf16; older torch can't tell.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(name.endswith("bf16") and has for name, has in capabilities.items())


def _memory_bytes() -> int:
    """All memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def give_back() -> None:
    """Returns the heap's unused pages to the system. Does nothing where the C library can't.

    glibc keeps freed memory, and blocks of changing size leave holes that the next ones don't fit:
    batches of a shrinking and growing number of rows made a process of 0.7 GB one of 7 GB
    (2026-11-28, torch 2.13 on the CPU; docs/log.md).
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; musl has none
    if trim is not None:
        trim(0)


def known_cutoff(model: str) -> date | None:
    """The knowledge cutoff of a well-known model; None for one that isn't in the table.

    ``model`` is the embedded model's name or a full Hugging Face id, in any case. An id in the
    table that ends in ``*`` matches all that begin so; the longest match counts. A fine-tuned model
    under another id may know more, so it isn't found.
    """
    text = (files("ghostbust.data") / "model_cutoffs.tsv").read_text("utf-8")
    asked, found, length = model.lower(), None, -1
    for line in text.splitlines()[1:]:
        known, day, _basis, _source = line.lower().split("\t")
        begins = known.endswith("*") and asked.startswith(known[:-1])
        if (begins or asked == known) and len(known) > length:
            found, length = date.fromisoformat(day), len(known)
    return found
