"""UNLEARN: from the sets of a round to a complete candidate adapter folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

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
from ghostbust.unlearners.checkpoint import Checkpoint, Former, check_former
from ghostbust.unlearners.data import Nature, encode, encode_rest, part
from ghostbust.unlearners.engine import (
    Trainer,
    TrainResult,
    add_adapter,
    count_steps,
)
from ghostbust.unlearners.masks import Example
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.methods.interface import Steering
from ghostbust.unlearners.processes import Begin, Processes
from ghostbust.unlearners.sets import deal
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import (
    BareCode,
    Goal,
    Look,
    Probed,
    Stretch,
    encode_stretch,
    habits_of,
    hear,
    member_seeds,
    share_out,
    soup,
    trim,
)

if TYPE_CHECKING:
    from peft import PeftModel


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

    A fresh one, unless its training begins with a ``former`` one. Either way the base is what the
    losses compare with.

    ``probe`` says what the model under training names, and ``goal`` what it should; without a
    probe, nothing keeps the volume where it was. ``checkpoint`` is the file that an interrupted
    training leaves, and from which the same one goes on; removed when the adapter is written.
    ``processes`` train along; only rank 0 calls. Where they share the model out, nothing keeps the
    volume.

    Raises ModelError (also where the adapter couldn't be served), TrainingError or HomeError; then
    no folder is left.
    """
    sharded = processes is not None and processes.sharded
    if sharded:
        device, probe = "cpu", None  # it is shared out from there; and rank 0 alone can't ask it
    begins_with = () if former is None else _id_of(former, settings, model)
    loaded, adapted = _load(model, cache_dir, device, settings, processes, former)
    answers = sets.forget + sets.retain
    made_of = content_id(model, data_id(answers), repr(settings), *begins_with)
    kept = None if checkpoint is None else Checkpoint(checkpoint, made_of)
    trainer = Trainer(adapted, settings, on_step, kept, processes)
    tally = _Tally()
    ask = None if probe is None else partial(probe, loaded)
    goal = goal or Goal()

    members, seeds = settings.members, member_seeds(settings.seed, settings.members)
    hands = dict(zip(seeds, deal(sets, members=members, most=settings.max_answers), strict=True))

    def train(seed: int) -> tuple[Look, ...]:
        return _train(trainer, loaded, hands[seed], replace(settings, seed=seed), tally, ask, goal)

    looks = soup(trainer, train, seeds)
    result = trainer.result()
    name = f"round-{round_id:04d}-{made_of[:8]}"
    write_adapter(
        adapters / name,
        model=model,
        facts=_built_on(former)
        | _facts(round_id, settings, sets, result, looks, settings.epochs * tally.tokens),
        save=partial(_save, adapted, sets, former),
    )
    if kept is not None:
        kept.clear()
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


def find_trained(adapters: Path, round_id: int, sets: SetSplit) -> Candidate | None:
    """What the round trained on these sets in a process that could not say so any more.

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
    hands = deal(sets, members=settings.members, most=settings.max_answers)
    if method_named(settings.method).steering is Steering.HEAR:
        parts = [part for hand in hands for part in share_out(hand, settings.seed)]
        return sum(count_steps(expected, settings) for _, expected in parts)
    repaired = 1 if settings.weights.repair else 0
    examples = [len(hand.forget) * (1 + repaired) + len(hand.retain) for hand in hands]
    return sum(count_steps(expected, settings) for expected in examples)


def _load(
    model: str,
    cache_dir: Path,
    device: str | None,
    settings: TrainSettings,
    processes: Processes | None,
    former: Former | None,
) -> tuple[LoadedModel, PeftModel]:
    """The model to answer with and the one to train, which are one; in the other processes too.

    Raises TrainingError where an adapter would have to lie beneath in a model that is shared out.
    """
    beneath = former if former is not None and former.fixed else None
    if processes is not None:
        if beneath is not None and processes.sharded:
            raise TrainingError("nothing is trained on top of an adapter in a model shared out")
        # Weights that train go to the others with each stretch; what stays, they read themselves.
        processes.order(Begin(model, cache_dir, settings, beneath))
    loaded = load_model(model, cache_dir, device=device)
    adapted = add_adapter(loaded, settings, former)  # in place: ``loaded`` answers with it now
    if processes is not None and processes.sharded:
        processes.shard(adapted)
    return loaded, adapted


@dataclass
class _Tally:
    """Hands examples on, and counts their answer tokens."""

    tokens: int = 0

    def __call__(self, examples: list[Example]) -> list[Example]:
        self.tokens += sum(len(example.mask) for example in examples)
        return examples


def _train(
    trainer: Trainer,
    loaded: LoadedModel,
    sets: SetSplit,
    settings: TrainSettings,
    tally: _Tally,
    probe: Callable[[], Probed] | None,
    goal: Goal,
) -> tuple[Look, ...]:
    """Learn from all the answers; steered by what the model says, where method and probe can."""
    steering, answers = method_named(settings.method).steering, sets.forget + sets.retain
    said = sets.base or answers
    if steering is Steering.HEAR:
        habits, bare = habits_of(said), BareCode(said, sets.probe, settings.seed)

        def examples(some: Sequence[Answer], seen: Probed | None) -> list[Example]:
            return tally(encode_stretch(loaded, some, settings, habits, seen, bare))

        if probe is None:
            trainer.run(examples(answers, None))
            return ()
        stretches = [
            Stretch(partial(examples, some), count_steps(expected, settings))
            for some, expected in share_out(sets, settings.seed)
        ]
        return hear(trainer, stretches, probe, goal)
    nature = Nature.of(said)
    if probe is None or steering is Steering.NONE:
        trainer.run(tally(encode(loaded, answers, settings, nature)))
        return ()
    main, rest = part(sets, settings.seed)
    at_most = len(rest) + sum(bool(answer.invented) for answer in rest)
    to_come = count_steps(at_most, settings)
    trainer.run(tally(encode(loaded, main, settings, nature)), to_come=to_come)
    return trim(
        trainer,
        lambda repair: tally(encode_rest(loaded, rest, settings, nature, repair)),
        probe,
        repair=settings.weights.repair,
        goal=goal,
    )


def _save(adapted: PeftModel, sets: SetSplit, former: Former | None, folder: Path) -> None:
    """The weights, and which names are forgotten: an evaluation tells seen names from new ones.

    Those of a former adapter are among them; where it doesn't say them, nothing is noted.
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


def _id_of(former: Former, settings: TrainSettings, model: str) -> tuple[str, str]:
    """What tells a training that begins with it from others."""
    return check_former(former, settings, model), "fixed" if former.fixed else "trained on"


def _built_on(former: Former | None) -> dict[str, object]:
    """The adapter that the training went on from, and the one it left as it was beneath."""
    name = None if former is None else former.folder.name
    fixed = former is not None and former.fixed
    return {"start": None if fixed else name, "beneath": name if fixed else None}


def data_id(answers: Sequence[Answer]) -> str:
    """A content id of the answers that doesn't depend on their order."""
    return content_id(*sorted(answer.sample.id for answer in answers))


def _facts(
    round_id: int,
    settings: TrainSettings,
    sets: SetSplit,
    result: TrainResult,
    looks: Sequence[Look],
    tokens: int,
) -> dict[str, object]:
    """What the manifest says of the training."""
    return {
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
