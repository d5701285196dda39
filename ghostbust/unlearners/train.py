"""UNLEARN: from the sets of a round to a complete candidate adapter folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ghostbust.adapters import (
    check_servable,
    name_key,
    read_adapter,
    read_forgotten,
    write_adapter,
    write_forgotten,
)
from ghostbust.errors import ModelError, TrainingError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer, Candidate, SetSplit, content_id
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.checkpoint import Checkpoint, clear_checkpoint
from ghostbust.unlearners.data import TRIM_SHARE, Nature, count_steps, cut, encode, encode_rest
from ghostbust.unlearners.engine import Trainer, TrainResult, distance
from ghostbust.unlearners.masks import Example
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.processes import LoadOrder, Processes, TrainOrder
from ghostbust.unlearners.sets import deal
from ghostbust.unlearners.settings import Former, Steering, TrainSettings, check_former
from ghostbust.unlearners.steer import (
    BareCode,
    Goal,
    Probed,
    ProbePoint,
    Stage,
    encode_stage,
    habits_of,
    share_out,
    train_in_stages,
    trim,
)

if TYPE_CHECKING:
    from peft import PeftModel

STEP = 1_000_003
"""from the seed of one member to that of the next"""


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
    probe: Callable[[LoadedModel], Probed] | None = None,
    goal: Goal | None = None,
    checkpoint: Path | None = None,
    processes: Processes | None = None,
    former: Former | None = None,
) -> Candidate:
    """Train an adapter of the base and write it to a new folder under ``adapters``.

    It starts fresh, or from a ``former`` one. Either way the losses compare with the base.

    ``probe`` measures what the model under training names, and ``goal`` is what it should name;
    without a probe, nothing keeps the volume where it was. ``checkpoint`` is the file that an
    interrupted training leaves and the same training goes on from; it is removed when the adapter
    is written. ``processes`` train along; only rank 0 calls this. Where they shard the model, the
    volume isn't kept.

    Raises ModelError (also where the adapter couldn't be served), TrainingError or HomeError; then
    no folder is left.
    """
    if processes is not None and processes.sharded:
        device, probe = "cpu", None  # sharded from there; and rank 0 alone can't sample the model
    begins_with: tuple[str, ...] = ()
    if former is not None:
        how = "fixed" if former.fixed else "trained on"
        begins_with = (check_former(former, settings, model), how)
    loaded, adapted = _load(model, cache_dir, device, settings, processes, former)
    made_of = content_id(model, data_id(sets.forget + sets.retain), repr(settings), *begins_with)
    kept = None if checkpoint is None else Checkpoint(checkpoint, made_of)
    trainer = Trainer(adapted, settings, on_step, kept, processes)
    tokens = 0

    def counted(examples: list[Example]) -> list[Example]:
        nonlocal tokens
        tokens += settings.epochs * sum(len(example.mask) for example in examples)
        return examples

    seeds = member_seeds(settings.seed, settings.members)
    hands = dict(zip(seeds, _hands(sets, settings), strict=True))
    ask = None if probe is None else partial(probe, loaded)

    def train(seed: int) -> tuple[ProbePoint, ...]:
        own = replace(settings, seed=seed)
        return _train(trainer, loaded, hands[seed], own, counted, ask, goal or Goal())

    looks = soup(trainer, train, seeds)
    result = trainer.result()
    name = f"round-{round_id:04d}-{made_of[:8]}"
    write_adapter(
        adapters / name,
        model=model,
        facts=_facts(round_id, settings, sets, result, looks, tokens, former),
        save=partial(_save, adapted, sets, former),
    )
    if checkpoint is not None:
        clear_checkpoint(checkpoint)
    return Candidate(
        name=name,
        path=adapters / name,
        model=model,
        method=settings.method,
        seed=settings.seed,
        steps=result.steps,
        final_loss=result.losses[-1],
        train_s=result.train_s,
    )


def run_worker(processes: Processes) -> None:
    """Carries out rank 0's orders in any other rank, until the training is over."""
    trainer: Trainer | None = None
    while (order := processes.receive()) is not None:
        match order:
            case LoadOrder(model, cache_dir, settings, beneath):
                # rank 0 may use another device; here it is the one of this rank
                loaded = load_model(model, cache_dir, device="cpu" if processes.sharded else None)
                adapted = add_adapter(loaded, settings, beneath)
                if processes.sharded:
                    processes.shard(adapted)
                trainer = Trainer(adapted, settings, processes=processes)
            case TrainOrder() as order if trainer is not None:
                trainer.obey(order)


def find_trained(adapters: Path, round_id: int, sets: SetSplit) -> Candidate | None:
    """The adapter that the round trained on these sets before its process was killed.

    None where there is none. Raises ModelError where its folder was changed, or doesn't say it.
    """
    made_of = data_id(sets.forget + sets.retain)
    for folder in sorted(adapters.glob(f"round-{round_id:04d}-*")):
        manifest = read_adapter(folder)
        facts = manifest.facts
        try:
            if facts["answers"]["id"] == made_of:
                return Candidate(
                    name=folder.name,
                    path=folder,
                    model=manifest.model,
                    method=facts["method"],
                    seed=facts["settings"]["seed"],
                    steps=facts["steps"],
                    final_loss=facts["losses"][-1],
                    train_s=facts["train_s"],
                )
        except (KeyError, TypeError, IndexError) as exc:
            raise ModelError(f"{folder} doesn't say what it was trained on: {exc!r}") from exc
    return None


def about_steps(sets: SetSplit, settings: TrainSettings) -> int:
    """About how many steps the training on the sets makes, all members together."""
    hands = _hands(sets, settings)
    if method_named(settings.method).steering is Steering.HEAR:
        examples = [part for hand in hands for _, part in share_out(hand, settings.seed)]
    else:
        repaired = 1 if settings.weights.repair else 0
        examples = [len(hand.forget) * (1 + repaired) + len(hand.retain) for hand in hands]
    return sum(count_steps(expected, settings) for expected in examples)


def data_id(answers: Sequence[Answer]) -> str:
    """A content id of the answers that doesn't depend on their order."""
    return content_id(*sorted(answer.sample.id for answer in answers))


def _hands(sets: SetSplit, settings: TrainSettings) -> list[SetSplit]:
    """What each member learns from."""
    return deal(sets, members=settings.members, most=settings.max_answers)


def _load(
    model: str,
    cache_dir: Path,
    device: str | None,
    settings: TrainSettings,
    processes: Processes | None,
    former: Former | None,
) -> tuple[LoadedModel, PeftModel]:
    """The model to sample and the one to train, which share their weights; loaded in the other
    processes too.

    Raises TrainingError where a fixed adapter would have to lie beneath in a sharded model.
    """
    beneath = former if former is not None and former.fixed else None
    if processes is not None:
        if beneath is not None and processes.sharded:
            raise TrainingError("a sharded model can't be trained on top of a fixed adapter")
        # Weights that train reach the others with each order; fixed ones they read themselves.
        processes.send(LoadOrder(model, cache_dir, settings, beneath))
    loaded = load_model(model, cache_dir, device=device)
    adapted = add_adapter(loaded, settings, former)  # in place: ``loaded`` samples with it now
    if processes is not None and processes.sharded:
        processes.shard(adapted)
    return loaded, adapted


def _train(
    trainer: Trainer,
    loaded: LoadedModel,
    sets: SetSplit,
    settings: TrainSettings,
    counted: Callable[[list[Example]], list[Example]],
    probe: Callable[[], Probed] | None,
    goal: Goal,
) -> tuple[ProbePoint, ...]:
    """Trains one member on all its answers; steered by probes where the method can."""
    steering, answers = method_named(settings.method).steering, sets.forget + sets.retain
    said = sets.base or answers
    if steering is Steering.HEAR:
        habits, bare = habits_of(said), BareCode(said, sets.probe, settings.seed)

        def examples(some: Sequence[Answer], seen: Probed | None) -> list[Example]:
            return counted(encode_stage(loaded, some, settings, habits, seen, bare))

        if probe is None:
            trainer.run(examples(answers, None))
            return ()
        stages = [
            Stage(partial(examples, some), count_steps(expected, settings))
            for some, expected in share_out(sets, settings.seed)
        ]
        return train_in_stages(trainer, stages, probe, goal)
    nature = Nature.of(said)
    if probe is None or steering is Steering.NONE:
        trainer.run(counted(encode(loaded, answers, settings, nature)))
        return ()
    rest, main = cut(sets, (TRIM_SHARE, 1 - TRIM_SHARE), settings.seed)
    at_most = len(rest) + sum(bool(answer.invented) for answer in rest)
    to_come = count_steps(at_most, settings)
    trainer.run(counted(encode(loaded, main, settings, nature)), to_come=to_come)
    return trim(
        trainer,
        lambda repair: counted(encode_rest(loaded, rest, settings, nature, repair)),
        probe,
        repair=settings.weights.repair,
        goal=goal,
    )


# A soup: several trainings from the same start, and what they have in common.
#
# Each training is steered by a hundred or two answers at a time, learns other examples as far as
# there are any (``sets.deal``), and ends where its volume and rate happen to be; what the trainings
# have in common is what such examples teach. So each is a member, and their mean is taken (Wortsman
# et al. 2022, arXiv 2203.05482). All members start with the same A of each layer, which moves
# little; the mean of their A and B is then near the adapter whose change of the weights is the mean
# of theirs: off by 17 % of its norm where they learnt other examples (docs/log.md).
#
# A mean is nearer to the start than its members, since their differences cancel out. So its B is
# extended in the same direction, by as much as the members are farther away. Sampling the model on
# the way didn't help: two hundred answers can't tell the places apart (docs/log.md).


def member_seeds(seed: int, members: int) -> range:
    """The seeds of a round's trainings; the first one's is the round's."""
    return range(seed, seed + STEP * members, STEP)


def soup(
    trainer: Trainer, train: Callable[[int], tuple[ProbePoint, ...]], seeds: Sequence[int]
) -> tuple[ProbePoint, ...]:
    """Train once with each of the seeds, each time from where the trainer stands now, and go to
    their mean and beyond. Returns what was probed.

    The trainer is made with the first seed. A single training is left where it ends.
    """
    start = trainer.weights()
    ends: list[list[torch.Tensor]] = []
    looks: list[ProbePoint] = []
    for number, seed in enumerate(seeds):
        if number:
            trainer.begin_anew(start, seed)
        looks += train(seed)
        ends.append(trainer.weights())
    if len(ends) > 1:
        mean = [torch.stack(same).mean(0) for same in zip(*ends, strict=True)]
        trainer.go_beyond(start, mean, farther(start, ends, mean))
    return tuple(looks)


def farther(
    start: Sequence[torch.Tensor],
    ends: Sequence[Sequence[torch.Tensor]],
    mean: Sequence[torch.Tensor],
) -> float:
    """How much farther from the start the ends are than their mean, as a factor: 1 where they are
    the same, √n for n that have nothing in common, and no more where they work against each other.
    """
    reach, most = distance(start, mean), math.sqrt(len(ends))
    far = sum(distance(start, end) for end in ends) / len(ends)
    return min(far / reach, most) if reach else 1.0


def _save(adapted: PeftModel, sets: SetSplit, former: Former | None, folder: Path) -> None:
    """Writes the weights, and which names are forgotten, so that an evaluation can tell these from
    new ones.

    A former adapter's are among them; where it doesn't say them, nothing is noted.
    """
    adapted.save_pretrained(str(folder), selected_adapters=["default"])
    before = frozenset() if former is None else read_forgotten(former.folder)
    if before is not None:
        now = (
            name_key(judged.lookup.ecosystem, judged.lookup.name)
            for answer in sets.forget
            for judged in answer.judged
            if judged.lookup.invented
        )
        write_forgotten(folder, before.union(now))
    check_servable(folder)


def _facts(
    round_id: int,
    settings: TrainSettings,
    sets: SetSplit,
    result: TrainResult,
    looks: Sequence[ProbePoint],
    tokens: int,
    former: Former | None,
) -> dict[str, object]:
    """What the manifest says of the training."""
    name = None if former is None else former.folder.name
    fixed = former is not None and former.fixed
    return {
        "start": None if fixed else name,
        "beneath": name if fixed else None,
        "round": round_id,
        "method": settings.method,
        "settings": asdict(settings),
        "answers": {
            "forget": len(sets.forget),
            "retain": len(sets.retain),
            "id": data_id(sets.forget + sets.retain),
        },
        "steps": result.steps,
        "train_s": round(result.train_s, 3),
        "tokens": tokens,
        "losses": [round(loss, 5) for loss in result.losses],
        "moved": result.moved,
        "looks": [asdict(look) for look in looks],
    }
