"""UNLEARN: from the sets of a round to a complete candidate adapter folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ghostbust.adapters import write_adapter
from ghostbust.models.load import load_model
from ghostbust.records import Candidate, SetSplit, content_id
from ghostbust.unlearners.engine import TrainSettings, add_adapter, train
from ghostbust.unlearners.masks import encode_answer, encode_repaired

METHOD = "au-repair"


def unlearn(
    sets: SetSplit,
    settings: TrainSettings,
    *,
    model: str,
    round_id: int,
    adapters: Path,
    cache_dir: Path,
    device: str | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Candidate:
    """Train a fresh adapter on the base and write it to a new folder under ``adapters``.

    Raises ModelError, TrainingError or HomeError; then no folder is left.
    """
    loaded = load_model(model, cache_dir, device=device)
    adapted = add_adapter(loaded, settings)
    answers = sets.forget + sets.retain
    examples = [encode_answer(loaded, answer) for answer in answers]
    if settings.weights.repair:
        examples += [
            encode_repaired(loaded, answer, weight=settings.weights.repair)
            for answer in sets.forget
        ]
    result = train(adapted, examples, settings, on_step=on_step)
    data = content_id(*sorted(answer.sample.id for answer in answers))
    name = f"round-{round_id:04d}-{content_id(model, data, repr(settings))[:8]}"
    facts = {
        "round": round_id,
        "method": METHOD,
        "settings": asdict(settings),
        "answers": {"forget": len(sets.forget), "retain": len(sets.retain), "id": data},
        "steps": result.steps,
        "losses": [round(loss, 5) for loss in result.losses],
        "moved": result.moved,
    }
    write_adapter(
        adapters / name,
        model=model,
        facts=facts,
        save=lambda folder: adapted.save_pretrained(str(folder)),
    )
    return Candidate(
        name=name,
        path=adapters / name,
        model=model,
        method=METHOD,
        seed=settings.seed,
        steps=result.steps,
        final_loss=result.losses[-1],
        train_s=result.train_s,
    )
