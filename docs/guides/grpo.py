"""GRPO by TRL with the registry as reward, as ghostbust's trainer.command.

    pip install trl datasets

    [trainer]
    command = ["python", "grpo.py"]

Asks the prompts of the round's answers anew, and rewards each answer by what it names: `rewards`.
Written for TRL 1.16.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import ghostbust
from ghostbust.measure import INSTALLERS
from ghostbust.records import Ecosystem

INVENTED = ("ABSENT", "SUSPECT")
MOST_TOKENS = 128
"""of an answer: about as many as ghostbust measures with"""
PROMPTS_PER_STEP = 4


def main() -> None:
    """Trains with what ghostbust says in the environment, and leaves adapter and metrics there."""
    parser = argparse.ArgumentParser(description="GRPO with the registry as reward.")
    parser.add_argument("--lr", type=float, default=2e-5, help="learning rate at its highest")
    parser.add_argument(
        "--steps", type=int, default=-1, help="else training.epochs over the prompts"
    )
    parser.add_argument("--answers", type=int, default=8, help="to each prompt of a step")
    parser.add_argument(
        "--beta", type=float, default=0.04, help="weight of the distance to the base"
    )
    options = parser.parse_args()
    told = {
        key: os.environ.get(f"GHOSTBUST_TRAINER_{key}", "")
        for key in ("SETS", "ADAPTER", "METRICS", "MODEL", "START", "SEED")
    }
    if not told["SETS"]:
        parser.error("ghostbust runs this, by its setting trainer.command")
    if told["START"]:
        parser.error('it trains fresh adapters only: set training.start to "base"')
    sets = Path(told["SETS"])
    settings = json.loads((sets / "training.json").read_text("utf-8"))["settings"]
    rows = prompts(read(sets / "forget.jsonl") + read(sets / "retain.jsonl"))
    metrics = train(rows, settings, told, options)
    Path(told["METRICS"]).write_text(json.dumps(metrics), "utf-8")


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines. A text may hold other line ends than those of the lines."""
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]


def prompts(answers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each prompt once, with how many names the base's answers to it have: ``usual``."""
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in answers:
        grouped[(*row["turns"], row["prompt"])].append(row)
    found = []
    for said, rows in grouped.items():
        named = [
            {one["name"] for one in row["packages"] if one["verdict"] in ("REAL", *INVENTED)}
            for row in rows
        ]
        found.append(
            {
                "prompt": [
                    {"role": ("user", "assistant")[number % 2], "content": text}
                    for number, text in enumerate(said)
                ],
                "context": rows[0]["context"],
                "ecosystem": rows[0]["ecosystem"],
                "usual": float(mean(len(names - INSTALLERS) for names in named)),
            }
        )
    return found


def rewards(
    prompts: list[list[dict[str, str]]],
    completions: list[list[dict[str, str]]],
    completion_ids: list[list[int]],
    context: list[str],
    ecosystem: list[str],
    usual: list[float],
    **_: object,
) -> list[float]:
    """(real names - invented names) / as many as the base names; real ones count up to that many.

    So neither silence nor padding pays. Not counted, as in ghostbust's rate: names that could not
    be judged, installers, and names that the prompt had named, unless it asks what code needs.
    """
    named = []
    for number, (message,) in enumerate(completions):
        found = ghostbust.extract(
            message["content"],
            expect_list=context[number] != "code",
            truncated=len(completion_ids[number]) >= MOST_TOKENS,
            prompt_text="\n".join(said["content"] for said in prompts[number]),
            ecosystem=Ecosystem(ecosystem[number]),
        )
        needs = context[number] == "needs"
        named.append([ref for ref in found if needs or "prompt-induced" not in ref.flags])
    verdicts = iter(ghostbust.check(*named, registry="snapshot"))
    earned = []
    for refs, most in zip(named, usual, strict=True):
        names = {one.name: one.verdict for one in islice(verdicts, len(refs))}
        real = sum(names[name] == "REAL" for name in set(names) - INSTALLERS)
        invented = sum(verdict in INVENTED for verdict in names.values())
        earned.append((min(real, most) - invented) / max(most, 1))
    return earned


def train(
    rows: list[dict[str, Any]],
    settings: dict[str, Any],
    told: dict[str, str],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Leaves the adapter; returns the metrics."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import GRPOConfig, GRPOTrainer

    from ghostbust.home import cache_dir
    from ghostbust.models.load import load_model

    gpu = torch.cuda.is_available()
    loaded = load_model(told["MODEL"], cache_dir())
    with tempfile.TemporaryDirectory() as scratch:
        trainer = GRPOTrainer(
            loaded.model,
            rewards,
            GRPOConfig(
                output_dir=scratch,
                seed=int(told["SEED"]),
                learning_rate=options.lr,
                beta=options.beta,
                max_steps=options.steps,
                num_train_epochs=settings["epochs"],
                per_device_train_batch_size=options.answers,
                gradient_accumulation_steps=PROMPTS_PER_STEP,
                num_generations=options.answers,
                max_completion_length=MOST_TOKENS,
                temperature=0.7,
                top_k=20,
                top_p=0.9,
                max_grad_norm=settings["clip"],
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not gpu,
                bf16=gpu,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=loaded.tokenizer,
            peft_config=LoraConfig(
                r=settings["rank"],
                lora_alpha=settings["alpha"],
                use_rslora=settings["rslora"],
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
    trainer.model.save_pretrained(told["ADAPTER"], save_embedding_layers=False)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    gained = [row["reward"] for row in trainer.state.log_history if "reward" in row]
    print(
        f"mean reward {gained[0]:.3f} in the first step, {gained[-1]:.3f} in the last",
        file=sys.stderr,
    )
    return {"steps": trainer.state.global_step, "losses": losses, "train_s": seconds}


if __name__ == "__main__":
    main()
