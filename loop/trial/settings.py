"""How large a trial of the unattended daemon is, and the settings file that says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ghostbust.prompts import seed_tasks


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked, trained and waited for. The defaults fit a model of random weights."""

    rounds: int = 3
    tasks: int = 80
    """of the shipped ones; a quarter is held out"""
    chat: bool = False
    """ask through the chat template"""
    tokens: int = 8
    """of each answer that is looked at"""
    watch_prompts: int = 40
    measured: int = 40
    """held-out prompts by which what serves is measured from outside"""
    train_answers: int = 120
    rank: int = 4
    lr: float = 5e-3
    per_s: float = 20.0
    """requests of clients a second"""
    client_tokens: int = 6
    client_timeout_s: float = 60.0
    every_s: float = 5.0
    """from one watch to the next, and from one look for a round to the next"""
    limit_s: float = 1200.0
    """for the whole trial"""
    coding: int = 0
    """HumanEval tasks of the gates; 0: gated by rate and volume alone"""
    min_drop: float = 0.2
    volume_low: float = 0.3
    volume_high: float = 3.0
    coding_margin: float = 0.03
    canary_prompts: int = 24
    slower: float = 10.0
    """how much slower requests may be: a busy machine is not what is tried"""


def write_tasks(file: Path, size: Size) -> None:
    """The first of the shipped tasks, as a user's own file."""
    tasks = seed_tasks()[: size.tasks]
    rows = ({"id": task.id, "task": task.text, "domain": task.domain} for task in tasks)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def settings_text(size: Size, model: str, url: str, tasks: Path, base: str, *, rounds: bool) -> str:
    """The settings file. ``rounds``: whether new ones begin; one that is left goes on anyway."""
    begins = "round_min_new = 1\nround_min_rate = 0.0" if rounds else "round_min_new = 1000000000"
    return f"""\
[model]
name = {json.dumps(model)}
endpoint = {json.dumps(url)}
endpoint_model = {json.dumps(base)}
chat = {json.dumps(size.chat)}
device = "cpu"

[registry]
mode = "snapshot"

[prompts]
files = [{json.dumps(str(tasks))}]
keep = true

[sampling]
max_new_tokens = {size.tokens}
samples_per_prompt = 1

[training]
rank = {size.rank}
alpha = {2 * size.rank}
lr = {size.lr}
max_answers = {size.train_answers}
members = 1
probes = 0

[gates]
min_drop = {size.min_drop}
volume_low = {size.volume_low}
volume_high = {size.volume_high}
humaneval_tasks = {size.coding}
max_new_tokens = {size.tokens}
coding_margin = {size.coding_margin}

[publish]
kind = "vllm"
timeout_s = 600

[canary]
forget = {size.canary_prompts}
general = 4
slower = {size.slower}

[rollback]
answers = {size.watch_prompts}
slower = {size.slower}

[discovery]
explore_share = 1.0

[daemon]
watch_every_s = {size.every_s}
watch_prompts = {size.watch_prompts}
round_every_s = {size.every_s}
{begins}
"""
