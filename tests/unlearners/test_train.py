"""UNLEARN as a whole, from sets to an adapter folder; soups of several trainings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ghostbust.adapters import (
    FORGOTTEN,
    MANIFEST,
    check_servable,
    name_key,
    read_adapter,
    read_forgotten,
)
from ghostbust.errors import HomeError, ModelError, TrainingError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer, Candidate, Ecosystem, SetSplit
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.checkpoint import Checkpoint
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired
from ghostbust.unlearners.sets import deal
from ghostbust.unlearners.settings import Former, TrainSettings, Weights
from ghostbust.unlearners.steer import Probed, ProbePoint
from ghostbust.unlearners.train import farther, find_trained, member_seeds, soup, unlearn

Load = Callable[[], LoadedModel]
MakeAnswer = Callable[..., Answer]
SETTINGS = TrainSettings(
    rank=4, learning_rate=0.05, warmup_steps=1, epochs=2, answers_per_step=2, members=1, seed=3,
    weights=Weights(retain=1.0, forget=1.0, anchor=1.0, repair=0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def sets(make_answer: MakeAnswer) -> SetSplit:
    forget = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(3)]
    retain = [make_answer("- rich\n- flask"), make_answer("- json")]
    return SetSplit(tuple(forget), tuple(retain), ())


Make = Callable[..., Candidate]


@pytest.fixture(scope="module")
def make(tiny_model_dir: Path, sets: SetSplit) -> Make:
    """Trains an adapter of the tiny model in round 7."""

    def made(
        adapters: Path, settings: TrainSettings = SETTINGS, some: SetSplit = sets, **options: Any
    ) -> Candidate:
        more: dict[str, Any] = {"model": str(tiny_model_dir), "round_id": 7, **options}
        return unlearn(some, settings, adapters=adapters, cache_dir=adapters, device="cpu", **more)

    return made


@pytest.fixture(scope="module")
def made(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """One that training with the settings above makes, unsteered."""
    return make(tmp_path_factory.mktemp("adapters"))


def test_a_complete_adapter_that_changes_the_model(
    made: Candidate, sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    assert made.path.name == made.name
    assert made.name.startswith("round-0007-")
    assert (made.model, made.method, made.seed) == (str(tiny_model_dir), SETTINGS.method, 3)
    assert made.steps == 6
    assert made.train_s > 0
    assert [path.name for path in made.path.parent.iterdir()] == [made.name]
    found = find_trained(made.path.parent, 7, sets)
    assert found is not None
    assert found == replace(made, final_loss=found.final_loss, train_s=found.train_s)
    assert find_trained(made.path.parent, 7, replace(sets, retain=())) is None

    ids = torch.tensor([[40, 41, 42]])
    base, merged = (
        load_model(str(tiny_model_dir), tmp_path, adapter=adapter, device="cpu").model
        for adapter in (None, made.path)
    )
    assert type(merged) is type(base)
    with torch.inference_mode():
        assert (merged(ids).logits - base(ids).logits).abs().max() > 0.01


def test_the_manifest_says_what_made_it(made: Candidate, sets: SetSplit) -> None:
    manifest = read_adapter(made.path)
    assert (manifest.name, manifest.model) == (made.name, made.model)
    assert set(manifest.files) == {"adapter_config.json", "adapter_model.safetensors", FORGOTTEN}
    invented = [j.lookup for a in sets.forget for j in a.judged if j.lookup.invented]
    forgotten = read_forgotten(made.path)
    assert forgotten == frozenset(name_key(one.ecosystem, one.name) for one in invented)
    assert forgotten
    facts = manifest.facts
    assert (facts["round"], facts["method"], facts["steps"]) == (7, made.method, made.steps)
    assert (facts["settings"]["seed"], facts["settings"]["weights"]["forget"]) == (3, 1.0)
    assert (facts["answers"]["forget"], facts["answers"]["retain"]) == (3, 2)
    assert facts["losses"][-1] == pytest.approx(made.final_loss, abs=1e-4)
    assert facts["moved"] > 0
    assert (facts["looks"], facts["start"], facts["beneath"]) == ([], None, None)
    config = json.loads((made.path / "adapter_config.json").read_text())
    assert (config["r"], config["use_dora"], config["modules_to_save"]) == (4, False, None)
    check_servable(made.path, most_rank=8)


def test_the_name_says_what_made_it_and_is_not_used_twice(
    made: Candidate, make: Make, tmp_path: Path
) -> None:
    again, other = make(tmp_path), make(tmp_path, replace(SETTINGS, seed=4))
    assert made.name == again.name != other.name
    assert read_adapter(made.path).files == read_adapter(again.path).files
    with pytest.raises(HomeError, match="never reused"):
        make(tmp_path)


def test_each_member_learns_its_own_answers(
    make: Make, sets: SetSplit, tiny: LoadedModel, tmp_path: Path
) -> None:
    def probe(_: LoadedModel) -> Probed:
        raise AssertionError("this method doesn't steer")

    several = replace(SETTINGS, method="au", members=2, max_answers=3)
    candidate = make(tmp_path, several, probe=probe)
    facts = read_adapter(candidate.path).facts
    # two trainings, of two epochs of 3 answers, two a step
    assert candidate.steps == len(facts["losses"]) == 8
    hands = [hand.forget + hand.retain for hand in deal(sets, members=2, most=3)]
    assert set(hands[0]) != set(hands[1])
    learnt = [encode_answer(tiny, answer) for hand in hands for answer in hand]
    assert facts["tokens"] == 2 * sum(len(example.mask) for example in learnt)
    assert (facts["looks"], facts["settings"]["members"]) == ([], 2)


def test_repaired_answers_join_where_they_have_a_weight(
    make: Make, sets: SetSplit, tiny: LoadedModel, tmp_path: Path
) -> None:
    candidate = make(tmp_path, replace(SETTINGS, weights=replace(SETTINGS.weights, repair=0.5)))
    assert candidate.steps == 8  # two epochs of 3 + 2 + 3 answers, two a step
    learnt = [encode_answer(tiny, answer) for answer in sets.forget + sets.retain]
    learnt += [encode_repaired(tiny, answer, weight=0.5) for answer in sets.forget]
    tokens = 2 * sum(len(example.mask) for example in learnt)
    assert read_adapter(candidate.path).facts["tokens"] == tokens


@pytest.mark.parametrize(
    ("method", "looks", "steps"),
    [
        # 4 of 6 to forget, again repaired, and 6 of 8 others: 7 steps; then 2, 2 and 2: 3 steps
        ("au-repair", [(7, 0.0), (10, 1.0)], 10),
        # 2 of 6 to forget, again repaired, and 3 of 8 others: 4 steps; then 2, 2, 2, 1, 1, 1 ...
        ("au-heard", [(4, -2.0), (7, -1.0), (9, 0.0), (11, 1.0)], 11),
    ],
)
def test_the_model_under_training_is_probed_between_stages(
    method: str,
    looks: list[tuple[int, float]],
    steps: int,
    make: Make,
    sets: SetSplit,
    tiny: LoadedModel,
    tmp_path: Path,
) -> None:
    more = replace(sets, forget=sets.forget * 2, retain=sets.retain * 4)
    weights = replace(SETTINGS.weights, repair=0.5)
    settings = replace(SETTINGS, method=method, epochs=1, weights=weights)
    volumes = (1.6, 1.5, 1.2, 1.0)[-len(looks) :]
    ids, seen = torch.tensor([tiny.encode_prompt("task")]), list[bool]()

    def probe(loaded: LoadedModel) -> Probed:
        with torch.inference_mode():
            moved = (loaded.model(input_ids=ids).logits - tiny.model(ids).logits).abs().max()
        seen.append(bool(moved > 0.01))
        return Probed(volumes[len(seen) - 1], 0.2)

    made: list[tuple[int, int, float]] = []
    candidate = make(tmp_path, settings, more, probe=probe, on_step=lambda *step: made.append(step))
    assert seen == [True] * len(looks)
    assert [step[:2] for step in made] == [(n, steps) for n in range(1, steps + 1)]
    assert read_adapter(candidate.path).facts["looks"] == [
        {"steps": step, "share": share, "volume": volume, "rate": 0.2}
        for (step, share), volume in zip(looks, volumes, strict=True)
    ]


def test_an_interrupted_training_goes_on(made: Candidate, make: Make, tmp_path: Path) -> None:
    steps: list[int] = []

    def cut_off(number: int, _of: int, _loss: float) -> None:
        steps.append(number)
        if number == 22 and steps[0] == 1:
            raise KeyboardInterrupt

    def again(epochs: int) -> Candidate:
        settings = replace(SETTINGS, epochs=epochs)
        saved = tmp_path / "training.pt"
        return make(tmp_path / "b", settings, on_step=cut_off, checkpoint=saved)

    with pytest.raises(KeyboardInterrupt):
        again(9)
    assert (tmp_path / "training.pt").exists()
    assert again(2).name == made.name, "with other settings, the file is ignored"
    assert not (tmp_path / "training.pt").exists()
    with pytest.raises(KeyboardInterrupt):
        again(9)
    steps.clear()
    candidate = again(9)
    assert steps == [21, 22, 23, 24, 25, 26, 27]
    expected = make(tmp_path / "c", replace(SETTINGS, epochs=9))
    assert read_adapter(candidate.path).files == read_adapter(expected.path).files


def test_a_training_that_goes_on_from_another_adapter(
    made: Candidate, make: Make, sets: SetSplit, make_answer: MakeAnswer, tmp_path: Path
) -> None:
    others = replace(sets, forget=(make_answer("- rich\n- ghost-late", family="9"),))
    late, names = name_key(Ecosystem.PYPI, "ghost-late"), {make(tmp_path, some=others).name}
    before = read_forgotten(made.path)
    assert before is not None
    for fixed in (False, True):
        second = make(tmp_path, some=others, former=Former(made.path, fixed))
        names.add(second.name)
        facts = read_adapter(second.path).facts
        expected = (None, made.name) if fixed else (made.name, None)
        assert (facts["start"], facts["beneath"]) == expected
        check_servable(second.path, most_rank=4)
        assert read_forgotten(second.path) == before | {late}
    assert len(names) == 3, "its name, and so the key of its checkpoint, says what it began with"


def test_where_the_former_adapter_does_not_say_what_it_forgot_nothing_is_noted(
    make: Make, tmp_path: Path
) -> None:
    first = make(tmp_path)
    (first.path / FORGOTTEN).unlink()
    manifest = json.loads((first.path / MANIFEST).read_text("utf-8"))
    del manifest["files"][FORGOTTEN]
    (first.path / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    second = make(tmp_path, former=Former(first.path), round_id=9)
    assert read_forgotten(second.path) is None


def test_what_fails_leaves_no_folder(make: Make, sets: SetSplit, tmp_path: Path) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    with pytest.raises(ModelError):
        make(adapters, model=str(tmp_path / "none"))
    with pytest.raises(TrainingError):
        make(adapters, some=SetSplit((), sets.retain, ()))
    assert list(adapters.iterdir()) == []


SEEDS = member_seeds(0, 2)
Tensors = list[torch.Tensor]
SOUP = replace(SETTINGS, learning_rate=0.02, epochs=1, seed=0, weights=Weights())


class CutOffError(Exception):
    """Ends a training in these tests."""


Cook = Callable[..., tuple[Trainer, Tensors]]


@pytest.fixture(scope="module")
def cook(load_tiny: Load, make_answer: MakeAnswer) -> Cook:
    """Trains a soup of three steps a member; returns the trainer and what it started with."""
    answers = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(6)]
    examples: list[Example] = [encode_answer(load_tiny(), answer) for answer in answers]

    def cooked(
        seeds: range, checkpoint: Checkpoint | None = None, cut_at: int = 99
    ) -> tuple[Trainer, Tensors]:
        def on_step(number: int, _of: int, _loss: float) -> None:
            if number == cut_at:
                raise CutOffError

        # the adapter's start is the same whatever the seed
        adapted = add_adapter(load_tiny(), SOUP)
        trainer = Trainer(adapted, replace(SOUP, seed=seeds[0]), on_step, checkpoint)
        start = trainer.weights()

        def train(seed: int) -> tuple[ProbePoint, ...]:
            trainer.run(examples)
            return (ProbePoint(trainer.steps, seed, 1.0, 0.2),)

        looks = soup(trainer, train, seeds)
        points = [(look.steps, look.share) for look in looks]
        assert points == [(3 * n, seed) for n, seed in enumerate(seeds, 1)]
        return trainer, start

    return cooked


@pytest.fixture(scope="module")
def whole(cook: Cook) -> Trainer:
    """A soup of two."""
    return cook(SEEDS)[0]


def same(a: Tensors, b: Tensors) -> None:
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_soup_is_the_mean_of_trainings_as_far_from_the_start_as_they_are(
    cook: Cook, whole: Trainer
) -> None:
    (one, start), (other, _) = cook(SEEDS[:1]), cook(SEEDS[1:])
    first, second = one.weights(), other.weights()
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    mean = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    share = farther(start, [first, second], mean)
    assert share > 1
    names = [name for name, p in whole._model.named_parameters() if p.requires_grad]
    places = [
        m if "lora_A" in name else a + share * (m - a)
        for name, a, m in zip(names, start, mean, strict=True)
    ]
    same(whole.weights(), places)
    # each begins with the full learning rate, so its losses are those of training alone
    alone = [*one.result().losses, *other.result().losses]
    assert whole.result().losses == pytest.approx(alone, abs=1e-6)

    def change() -> list[torch.Tensor]:
        """B·A of each layer."""
        pairs = dict(one._model.named_parameters())
        return [
            pairs[name.replace("lora_A", "lora_B")].detach() @ a.detach()
            for name, a in pairs.items()
            if "lora_A" in name
        ]

    before = change()
    one.go_beyond(start, first, 1.5)
    same(change(), [1.5 * each for each in before])


def test_members_are_farther_by_what_they_have_not_in_common() -> None:
    zero, east, north = [torch.zeros(2)], [torch.tensor([3.0, 0.0])], [torch.tensor([0.0, 3.0])]
    halfway = [torch.tensor([1.5, 1.5])]
    assert farther(zero, [east, east], east) == 1
    assert farther(zero, [east, north], halfway) == pytest.approx(2**0.5)
    west = [torch.tensor([-2.9, 0.0])]
    assert farther(zero, [east, west], [torch.tensor([0.05, 0.0])]) == 2**0.5
    assert farther(zero, [zero, zero], zero) == 1


@pytest.mark.parametrize("cut_at", [2, 3, 5])
def test_the_same_soup_after_an_interruption(
    cook: Cook, whole: Trainer, tmp_path: Path, cut_at: int
) -> None:
    checkpoint = Checkpoint(tmp_path / "training.pt", "key", every=1)
    with pytest.raises(CutOffError):
        cook(SEEDS, checkpoint, cut_at)
    trainer, _ = cook(SEEDS, checkpoint)
    same(trainer.weights(), whole.weights())
    assert trainer.result().losses == whole.result().losses
