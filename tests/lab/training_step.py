"""A training step of the engine against the plain loop: time and memory, on the same batch.

The plain loop is what one writes first: the whole (B, T, V) block of logits of model and base in
fp32, log-softmax over all of it, and the objective on the answer tokens. Both are run on a model of
random weights, each in processes of their own, in turn; both begin with the same adapter and the
same answers, and their losses have to agree.

    python -m tests.lab.training_step --layers 24 --device cuda:0
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from ghostbust.models.load import LoadedModel, peft_warnings_silenced
from ghostbust.unlearners.adapters import TARGETS, add_adapter
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN, Example
from ghostbust.unlearners.settings import TrainSettings, Weights

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Loop = Literal["plain", "engine"]
LOOPS: tuple[Loop, ...] = ("plain", "engine")
TIME, MEMORY = 0.6, 0.4
"""what the engine may take at most, as a share of the plain loop's"""
CLOSE = 0.02
"""how far apart the two losses may be, relative: bf16 rounds them differently"""
NAMED = 0.2
"""share of an answer's tokens that belong to names, half of them invented"""

TO_COME = 1_000_000
"""steps that are said to follow, so that the learning rate doesn't fall: both loops train alike"""


@dataclass(frozen=True, slots=True)
class Size:
    """What is trained, on what."""

    vocabulary: int = 151_936
    length: int = 512
    """tokens of each answer with its prompt"""
    batch: int = 4
    """answers in the step, all computed at once"""
    answer_share: float = 0.25
    """share of the tokens that belong to the answer; the rest is its prompt"""
    layers: int = 4
    width: int = 896
    """of the hidden states; 896 with 24 layers is a model of 0.5B"""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Run:
    """One process: some steps of one loop."""

    loop: Loop
    step_s: float
    """median of its steps, the first one left out"""
    peak_bytes: int
    """the most memory it held: on a GPU what was allocated there, else all that was resident"""
    loaded_bytes: int
    """the same before the first step: libraries, model, adapter"""
    loss: float
    """of the last step"""


def measure(size: Size, loop: Loop, steps: int) -> Run:
    """Steps of one loop in this process, after one that isn't timed."""
    step = {"plain": plain_loop, "engine": engine_loop}[loop](size)
    loaded_bytes, seconds = _peak_bytes(size.device), []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        loss = step()  # a float: the device is done
        seconds.append(time.perf_counter() - begun)
    return Run(loop, median(seconds[1:]), _peak_bytes(size.device), loaded_bytes, loss)


def engine_loop(size: Size) -> Callable[[], float]:
    """A step of ghostbust's own engine; says the loss."""
    settings, losses = _settings(size), [0.0]
    model = add_adapter(random_model(size), settings)
    trainer = Trainer(model, settings, lambda _number, _of, loss: losses.append(loss))
    examples = made_examples(size)

    def step() -> float:
        trainer.run(examples, to_come=TO_COME)
        return losses[-1]

    return step


def plain_loop(size: Size) -> Callable[[], float]:
    """A step of the loop that one writes first, with peft's own layers; says the loss."""
    settings = _settings(size)
    model = _plain_adapter(random_model(size), settings)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.01)
    ids, mask = (block.to(size.device) for block in _blocks(made_examples(size)))
    done = 0

    def step() -> float:
        nonlocal done
        done += 1
        optimizer.param_groups[0]["lr"] = settings.learning_rate * min(1.0, done / 5)
        loss = _plain_loss(model, ids, mask, settings)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def random_model(size: Size) -> LoadedModel:
    """A Qwen2 of random weights in bf16, its output embedding tied, without a tokenizer."""
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.width * 38 // 7,  # as in the 0.5B: 4864
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
        num_key_value_heads=2 if size.width % 128 == 0 else 1,
        max_position_embeddings=size.length,
        tie_word_embeddings=True,
    )
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
    model.requires_grad_(False).to(size.device).eval()
    return LoadedModel("random", "", model, cast("PreTrainedTokenizerBase", None))


def made_examples(size: Size) -> list[Example]:
    """Answers of random tokens, all of the same length."""
    rng = random.Random(0)
    answered = max(2, round(size.length * size.answer_share))
    made = []
    for _ in range(size.batch):
        mask = [IGNORE] * answered
        named = rng.sample(range(answered), max(2, round(answered * NAMED)))
        for number, place in enumerate(named):
            mask[place] = FORGET if number % 2 else RETAIN
        ids = tuple(rng.randrange(size.vocabulary) for _ in range(size.length))
        made.append(Example(ids, size.length - answered, tuple(mask)))
    return made


def _peak_bytes(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    # Not getrusage's figure where there is a better one: on Linux that begins with what the
    # starting process held.
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.M)
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _settings(size: Size) -> TrainSettings:
    return TrainSettings(weights=Weights(), answers_per_step=size.batch, micro_batch=size.batch)


def _plain_adapter(loaded: LoadedModel, settings: TrainSettings) -> PeftModel:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )  # fmt: skip
    with peft_warnings_silenced():
        return get_peft_model(loaded.model, config)


def _blocks(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and tri-mask, −1 for the prompt's tokens: each (B, T)."""
    ids = torch.tensor([example.ids for example in examples])
    mask = torch.tensor([[-1] * example.start + list(example.mask) for example in examples])
    return ids, mask


def _plain_loss(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, settings: TrainSettings
) -> torch.Tensor:
    """The objective of ``methods/au_repair.py``, from logits of all tokens: ()."""
    attention = torch.ones_like(ids)
    with torch.no_grad(), model.disable_adapter():
        base = model(input_ids=ids, attention_mask=attention).logits.float()  # (B, T, V)
        base = torch.log_softmax(base, dim=-1)
    logits = model(input_ids=ids, attention_mask=attention).logits.float()  # (B, T, V)
    log_p = torch.log_softmax(logits, dim=-1)
    mask, targets = mask[:, 1:], ids[:, 1:, None]  # a token is predicted one place before
    chosen = log_p[:, :-1].gather(-1, targets).squeeze(-1)  # (B, T - 1)
    kl = (base.exp() * (base - log_p)).sum(-1)[:, :-1]  # (B, T - 1)
    weights, forget = settings.weights, mask == FORGET
    left = 1 - base[:, :-1].gather(-1, targets).squeeze(-1).exp()  # (B, T - 1): to other tokens
    return (
        weights.retain * -chosen[mask == RETAIN].mean()
        + weights.forget * -(left[forget] * torch.log1p(-chosen[forget].exp())).mean()
        + weights.anchor * kl[mask == IGNORE].mean()
    )


def run_apart(size: Size, loop: Loop, steps: int) -> Run:
    """Steps of one loop in a process of its own. Raises CalledProcessError where it fails."""
    told = json.dumps({"size": asdict(size), "loop": loop, "steps": steps})
    child = "from tests.lab.training_step import child; child()"
    done = subprocess.run(
        [sys.executable, "-c", child], input=told, stdout=subprocess.PIPE, text=True, check=True
    )
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def child() -> None:
    """What each process does: reads what from standard input, prints its `Run` as JSON."""
    told = json.load(sys.stdin)
    print(json.dumps(asdict(measure(Size(**told["size"]), told["loop"], told["steps"]))))


def main() -> None:
    """Runs both loops in turn; exits with 1 if they don't compute the same loss."""
    parser = argparse.ArgumentParser(description="A training step against the plain loop.")
    for one in fields(Size):
        parser.add_argument(
            f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default
        )
    parser.add_argument("--repeats", type=int, default=3, help="processes of each loop, in turn")
    parser.add_argument("--steps", type=int, default=2, help="timed steps of each")
    told = vars(parser.parse_args())
    repeats, steps = told.pop("repeats"), told.pop("steps")
    runs = []
    for loop in LOOPS * repeats:
        run = run_apart(Size(**told), loop, steps)
        runs.append(run)
        print(
            f"{run.loop}: {run.step_s:.2f} s a step, at most {run.peak_bytes / 1e6:,.0f} MB,"
            f" {run.loaded_bytes / 1e6:,.0f} MB of them before the first step,"
            f" loss {run.loss:.5f}",
            flush=True,
        )
    step_s = {loop: median(run.step_s for run in runs if run.loop == loop) for loop in LOOPS}
    peak = {loop: max(run.peak_bytes for run in runs if run.loop == loop) for loop in LOOPS}
    for loop in LOOPS:
        print(f"{loop}: median of {step_s[loop]:.2f} s a step, peak of {peak[loop] / 1e6:,.0f} MB")
    print(f"time: {step_s['engine'] / step_s['plain']:.2f} of the plain loop's (wanted: ≤ {TIME})")
    print(f"memory: {peak['engine'] / peak['plain']:.2f} of the plain loop's (wanted: ≤ {MEMORY})")
    plain, own = (run.loss for run in runs[:2])
    if not abs(own - plain) <= CLOSE * abs(plain):
        sys.exit(f"the losses are {plain:.5f} and {own:.5f}: the loops don't compute the same")


if __name__ == "__main__":
    main()
