"""UNLEARN as a whole: from sets to an adapter folder that a model takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
from ghostbust.unlearners.adapters import Former
from ghostbust.unlearners.masks import encode_answer, encode_repaired
from ghostbust.unlearners.methods import DEFAULT
from ghostbust.unlearners.methods.interface import Weights
from ghostbust.unlearners.sets import deal
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import Probed
from ghostbust.unlearners.train import unlearn

MakeAnswer = Callable[..., Answer]
SETTINGS = TrainSettings(
    rank=4, learning_rate=0.05, warmup_steps=1, epochs=2, answers_per_step=2, seed=3,
    weights=Weights(retain=1.0, forget=1.0, anchor=1.0, repair=0.0),
)  # fmt: skip


@pytest.fixture
def sets(make_answer: MakeAnswer) -> SetSplit:
    forget = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(3)]
    retain = [make_answer("- rich\n- flask"), make_answer("- json")]
    return SetSplit(tuple(forget), tuple(retain), ())


def made(sets: SetSplit, model: Path, adapters: Path, settings: TrainSettings) -> Candidate:
    return unlearn(
        sets, settings, model=str(model), round_id=7, adapters=adapters, cache_dir=adapters,
        device="cpu",
    )  # fmt: skip


def test_a_complete_adapter_that_changes_the_model(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    candidate = made(sets, tiny_model_dir, tmp_path / "adapters", SETTINGS)
    assert candidate.path == tmp_path / "adapters" / candidate.name
    assert candidate.name.startswith("round-0007-")
    assert (candidate.model, candidate.method, candidate.seed) == (str(tiny_model_dir), DEFAULT, 3)
    assert candidate.steps == 6
    assert candidate.train_s > 0
    assert [path.name for path in candidate.path.parent.iterdir()] == [candidate.name]

    ids = torch.tensor([[40, 41, 42]])
    base = load_model(str(tiny_model_dir), tmp_path, device="cpu")
    merged = load_model(str(tiny_model_dir), tmp_path, adapter=candidate.path, device="cpu")
    assert type(merged.model) is type(base.model)
    with torch.inference_mode():
        assert (merged.model(ids).logits - base.model(ids).logits).abs().max() > 0.01


def test_the_manifest_says_what_made_it(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    candidate = made(sets, tiny_model_dir, tmp_path, SETTINGS)
    manifest = read_adapter(candidate.path)
    assert (manifest.name, manifest.model) == (candidate.name, str(tiny_model_dir))
    assert set(manifest.files) == {"adapter_config.json", "adapter_model.safetensors", FORGOTTEN}
    invented = [j.lookup for a in sets.forget for j in a.judged if j.lookup.invented]
    assert invented
    forgotten = read_forgotten(candidate.path)
    assert forgotten == frozenset(name_key(one.ecosystem, one.name) for one in invented)
    facts = manifest.facts
    assert (facts["round"], facts["method"], facts["steps"]) == (7, DEFAULT, candidate.steps)
    assert facts["settings"]["seed"] == 3
    assert facts["settings"]["weights"]["forget"] == 1.0
    assert (facts["answers"]["forget"], facts["answers"]["retain"]) == (3, 2)
    assert facts["losses"][-1] == pytest.approx(candidate.final_loss, abs=1e-4)
    assert facts["moved"] > 0
    config = json.loads((candidate.path / "adapter_config.json").read_text())
    assert (config["r"], config["use_dora"], config["modules_to_save"]) == (4, False, None)
    check_servable(candidate.path, most_rank=8)


def test_several_trainings_make_one_adapter(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    asked: list[LoadedModel] = []

    def probe(loaded: LoadedModel) -> Probed:
        asked.append(loaded)
        return Probed(1.0, 0.2)

    several = replace(SETTINGS, method="au", members=2)  # not looked at by itself
    candidate = unlearn(
        sets, several, model=str(tiny_model_dir), round_id=7, adapters=tmp_path,
        cache_dir=tmp_path, device="cpu", probe=probe,
    )  # fmt: skip
    facts = read_adapter(candidate.path).facts
    assert (candidate.steps, len(facts["losses"])) == (12, 12)
    assert (asked, facts["looks"]) == ([], [])
    assert facts["settings"]["members"] == 2


def test_each_training_learns_its_own_answers(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    several = replace(SETTINGS, method="au", members=2, max_answers=3)
    candidate = made(sets, tiny_model_dir, tmp_path, several)
    assert candidate.steps == 8  # two trainings, of two epochs of 3 answers, two a step
    loaded = load_model(str(tiny_model_dir), tmp_path, device="cpu")
    hands = [hand.forget + hand.retain for hand in deal(sets, members=2, most=3)]
    assert set(hands[0]) != set(hands[1])
    learnt = [encode_answer(loaded, answer) for hand in hands for answer in hand]
    tokens = 2 * sum(len(example.mask) for example in learnt)
    assert read_adapter(candidate.path).facts["tokens"] == tokens


def test_repaired_answers_join_where_they_have_a_weight(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    repairing = replace(SETTINGS, weights=replace(SETTINGS.weights, repair=0.5))
    candidate = made(sets, tiny_model_dir, tmp_path, repairing)
    assert candidate.steps == 8  # two epochs of 3 + 2 + 3 answers, two a step
    loaded = load_model(str(tiny_model_dir), tmp_path, device="cpu")
    learnt = [encode_answer(loaded, answer) for answer in sets.forget + sets.retain]
    learnt += [encode_repaired(loaded, answer, weight=0.5) for answer in sets.forget]
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
def test_where_the_volume_is_heard_the_rest_waits_for_it(
    method: str,
    looks: list[tuple[int, float]],
    steps: int,
    sets: SetSplit,
    tiny_model_dir: Path,
    tmp_path: Path,
) -> None:
    more = replace(sets, forget=sets.forget * 2, retain=sets.retain * 4)
    weights = replace(SETTINGS.weights, repair=0.5)
    settings = replace(SETTINGS, method=method, epochs=1, weights=weights)
    volumes = (1.6, 1.5, 1.2, 1.0)[-len(looks) :]
    seen: list[bool] = []

    def probe(loaded: LoadedModel) -> Probed:
        ids = torch.tensor([loaded.encode_prompt("task")])
        with torch.inference_mode():
            base = load_model(str(tiny_model_dir), tmp_path, device="cpu").model(ids).logits
            seen.append(bool((loaded.model(input_ids=ids).logits - base).abs().max() > 0.01))
        return Probed(volumes[len(seen) - 1], 0.2)

    heard: list[tuple[int, int, float]] = []
    candidate = unlearn(
        more, settings, model=str(tiny_model_dir), round_id=7, adapters=tmp_path / "a",
        cache_dir=tmp_path, device="cpu", probe=probe,
        on_step=lambda *step: heard.append(step),
    )  # fmt: skip
    assert seen == [True] * len(looks), "the model that is asked is the one under training"
    assert [step[:2] for step in heard] == [(n, steps) for n in range(1, steps + 1)]
    assert read_adapter(candidate.path).facts["looks"] == [
        {"steps": step, "share": share, "volume": volume, "rate": 0.2}
        for (step, share), volume in zip(looks, volumes, strict=True)
    ]


def test_without_looks_what_would_hear_learns_in_one_stretch(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    weights = replace(SETTINGS.weights, repair=1.0)
    settings = replace(SETTINGS, method="au-heard", epochs=1, weights=weights)
    candidate = made(sets, tiny_model_dir, tmp_path, settings)
    assert candidate.steps == 4  # 3 + 2 + 3 answers, two a step
    assert read_adapter(candidate.path).facts["looks"] == []


def test_the_name_follows_what_made_it_and_is_not_used_twice(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    first = made(sets, tiny_model_dir, tmp_path / "a", SETTINGS)
    again = made(sets, tiny_model_dir, tmp_path / "b", SETTINGS)
    other = made(sets, tiny_model_dir, tmp_path / "a", replace(SETTINGS, seed=4))
    assert first.name == again.name != other.name
    assert read_adapter(first.path).files == read_adapter(again.path).files
    with pytest.raises(HomeError, match="never reused"):
        made(sets, tiny_model_dir, tmp_path / "a", SETTINGS)


def test_an_interrupted_training_goes_on(
    sets: SetSplit, tiny_model_dir: Path, tmp_path: Path
) -> None:
    whole = made(sets, tiny_model_dir, tmp_path / "a", SETTINGS)
    steps: list[int] = []

    def cut_off(number: int, _of: int, _loss: float) -> None:
        steps.append(number)
        if number == 22 and steps[0] == 1:
            raise KeyboardInterrupt

    def again(epochs: int) -> Candidate:
        return unlearn(
            sets, replace(SETTINGS, epochs=epochs), model=str(tiny_model_dir), round_id=7,
            adapters=tmp_path / "b", cache_dir=tmp_path, device="cpu", on_step=cut_off,
            checkpoint=tmp_path / "training.pt",
        )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        again(9)
    assert (tmp_path / "training.pt").exists()
    assert again(2).name == whole.name, "other settings: that training is passed over"
    assert not (tmp_path / "training.pt").exists()
    with pytest.raises(KeyboardInterrupt):
        again(9)
    steps.clear()
    candidate = again(9)
    assert steps == [21, 22, 23, 24, 25, 26, 27]
    expected = made(sets, tiny_model_dir, tmp_path / "c", replace(SETTINGS, epochs=9))
    assert read_adapter(candidate.path).files == read_adapter(expected.path).files


def test_a_training_that_goes_on_from_another_adapter(
    sets: SetSplit, make_answer: MakeAnswer, tiny_model_dir: Path, tmp_path: Path
) -> None:
    first = made(sets, tiny_model_dir, tmp_path, SETTINGS)
    assert read_adapter(first.path).facts["start"] is None
    others = replace(sets, forget=(make_answer("- rich\n- ghost-late", family="9"),))
    names = set()
    for former in (None, Former(first.path), Former(first.path, fixed=True)):
        second = unlearn(
            others, SETTINGS, model=str(tiny_model_dir), round_id=8, adapters=tmp_path,
            cache_dir=tmp_path, device="cpu", former=former,
        )  # fmt: skip
        names.add(second.name)
        facts = read_adapter(second.path).facts
        built_on = None if former is None else first.name
        fixed = former is not None and former.fixed
        expected = (None, built_on) if fixed else (built_on, None)
        assert (facts["start"], facts["beneath"]) == expected
        check_servable(second.path, most_rank=4)
        forgotten, before = read_forgotten(second.path), read_forgotten(first.path)
        assert forgotten is not None
        assert before is not None
        late = name_key(Ecosystem.PYPI, "ghost-late")
        assert forgotten == {late} | (before if former else set())
    assert len(names) == 3, "its name, and so the key of its checkpoint, tells what it began with"
    (first.path / FORGOTTEN).unlink()
    manifest = json.loads((first.path / MANIFEST).read_text("utf-8"))
    del manifest["files"][FORGOTTEN]
    (first.path / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    silent = unlearn(
        others, SETTINGS, model=str(tiny_model_dir), round_id=9, adapters=tmp_path,
        cache_dir=tmp_path, device="cpu", former=Former(first.path),
    )  # fmt: skip
    assert read_forgotten(silent.path) is None, "what the former one forgot isn't known"


def test_what_fails_leaves_no_folder(sets: SetSplit, tiny_model_dir: Path, tmp_path: Path) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    with pytest.raises(ModelError):
        made(sets, tmp_path / "none", adapters, SETTINGS)
    with pytest.raises(TrainingError):
        made(SetSplit((), sets.retain, ()), tiny_model_dir, adapters, SETTINGS)
    assert list(adapters.iterdir()) == []
