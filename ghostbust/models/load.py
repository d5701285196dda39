"""Loading a language model with its tokenizer, and putting prompts into its format.

torch, transformers and peft are imported when a model is loaded, not before.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.adapters import CONFIG, check_loadable
from ghostbust.errors import ModelError
from ghostbust.models.embedded import embedded_model
from ghostbust.models.precision import compute_dtype
from ghostbust.parsing import parse_json
from ghostbust.records import chat_messages

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "smollm2"
"""the model name that needs no hub; see ``embedded.py``"""
_IS_ADAPTER = "it is an adapter; name its base, and the adapter with --adapter"
_MARK = "ghostbust"
"""an answer's text in a template, by which its end is found"""


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model in memory, ready for inference, and its tokenizer."""

    name: str
    """the model id or folder as the user gave it"""
    folder: str
    """what transformers loaded it from: a local folder or a hub id"""
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """The ids of all tokens that end an answer, by the tokenizer and the generation config.

        Raises ModelError where there is none.
        """
        config = self.model.generation_config
        told = None if config is None else config.eos_token_id
        ids = {self.tokenizer.eos_token_id, *(told if isinstance(told, list) else [told])}
        found = frozenset(token for token in ids if isinstance(token, int))
        if not found:
            raise ModelError(f"{self.name}: its tokenizer has no end token, so answers can't end")
        return found

    @cached_property
    def end_token(self) -> int:
        """The id of the token that the model writes behind an answer.

        The first one that the chat template puts there: some models' own end token ends a
        document and no answer. Raises ModelError as `end_tokens` does.
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

        ``turns``: earlier messages, the user's and the model's in turn. Uses the model's chat
        template; a model without one gets the messages, each with a newline.
        """
        if self.tokenizer.chat_template:
            rendered = self.tokenizer.apply_chat_template(
                chat_messages(*turns, text), tokenize=False, add_generation_prompt=True
            )
            return self.encode(str(rendered))
        return [*self._bos(), *self.encode("".join(f"{said}\n" for said in (*turns, text)))]

    def encode(self, text: str) -> list[int]:
        """Token ids of bare text: (T,), nothing added before or behind it."""
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
    """The folder or hub id that a model name stands for; fetches the embedded model if needed."""
    if name == EMBEDDED:
        return str(embedded_model(cache_dir))
    return name


def load_model(
    name: str, cache_dir: Path, *, adapter: Path | None = None, device: str | None = None
) -> LoadedModel:
    """A model for inference, its weights bf16, with an adapter merged into them if one is given.

    Merging makes sampling as fast as the base; it rounds the sum to bf16 once, so figures can
    differ in the last digit from a server that keeps the adapter apart. What is computed with the
    weights is bf16 too, or fp32 where that is faster (``models/precision.py``).

    ``device`` None picks CUDA where there is one. Raises ModelError in one line.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = resolve_model(name, cache_dir)
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
            f"can't load the model {name!r}: {_first_line(exc)} "
            f"(give --model a Hugging Face id, a local folder, or {EMBEDDED!r})"
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
    except Exception as exc:  # as above: whatever the files hold, it is one line
        raise ModelError(f"can't load the adapter in {adapter}: {_first_line(exc)}") from exc


@contextmanager
def peft_warnings_silenced() -> Iterator[None]:
    """Context in which peft 0.21 may read a name that transformers 5.17 calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def _check_folder(name: str, folder: Path) -> None:
    """Raises ModelError for a folder from which transformers would load something else.

    That is a pickle, or, where the folder is an adapter's, the base that its config names.
    """
    if not folder.is_dir():
        return  # a hub id; what it holds is seen when it is loaded
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
    """Whether a list of shards names safetensors beside it, and nothing else."""
    try:
        named = set(parse_json(index.read_bytes())["weight_map"].values())
        return all(Path(n).name == n and n.endswith(".safetensors") for n in named)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _first_line(exc: Exception) -> str:
    """What an error says, without the rest of its advice."""
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)
