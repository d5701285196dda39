"""ATTACK: what an adapter that is published gives away of the names that it was trained to forget.

Whoever has the base and the adapter can turn the adapter round: the base's weights minus what it
adds say more of what it takes away (the negated task vector of Ilharco et al. 2023,
arXiv 2212.04089). All models answer the same prompts as often, and the different names that each
invents are looked for in the adapter's list of hashes. What the base alone says of the list can't
be blamed on the adapter; what the turned one says beyond that can.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ghostbust.adapters import CONFIG, WEIGHTS, check_loadable, name_key
from ghostbust.errors import UsageError
from ghostbust.records import Answer

TURNED: Final = "turned round"


@dataclass(frozen=True, slots=True)
class Recovered:
    """How much of an adapter's list one model's answers say."""

    model: str
    answers: int
    invented: int
    """different names that it invents"""
    forgotten: int
    """of these, names of the list"""
    of: int
    """names of the list"""


def recovered(
    model: str, answers: Collection[Answer], forgotten: Collection[str] | None
) -> Recovered:
    """What the answers say of the names with the keys ``forgotten`` (`adapters.name_key`).

    Names that the prompt held first count, too: they are said. Raises UsageError where there is no
    list.
    """
    if not forgotten:
        raise UsageError("the adapter has no list of what it forgot (forgotten.json)")
    said = {
        name_key(one.lookup.ecosystem, one.lookup.name)
        for answer in answers
        for one in answer.judged
        if one.lookup.invented
    }
    return Recovered(model, len(answers), len(said), len(said & {*forgotten}), len(forgotten))


def write_scaled(folder: Path, into: Path, factor: float) -> None:
    """Writes the adapter in ``folder`` with its change times ``factor``; ``into`` must be there.

    Raises ModelError for what is no LoRA, UsageError for one without second matrices to scale.
    """
    from safetensors.torch import load_file, save_file

    check_loadable(folder)
    weights = load_file(folder / WEIGHTS)
    scaled = {key for key in weights if ".lora_B." in key or ".lora_embedding_B" in key}
    if not scaled or any("lora_magnitude" in key for key in weights):
        raise UsageError(f"{folder.name} is no plain LoRA, which could be turned round")
    for key in scaled:
        weights[key] = (factor * weights[key].float()).to(weights[key].dtype).contiguous()
    shutil.copyfile(folder / CONFIG, into / CONFIG)
    save_file(weights, into / WEIGHTS)
