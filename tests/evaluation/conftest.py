"""Answers out of texts or names, the tiny model with an adapter, and a way to ask it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.evaluation.behaviour import Ask
from ghostbust.extractors.extract import extract
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.samplers.interface import Sampler, SamplingSettings

JudgedAnswer = Callable[..., Answer]
MakeAnswer = Callable[..., Answer]
DAY = datetime(2026, 11, 23, tzinfo=UTC)
INVENTED = ("ghost", "zz-")


@pytest.fixture
def tiny(tiny_model_dir: Path) -> LoadedModel:
    """Fresh for each test, in float32, so that results can be compared to the last digit."""
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    loaded.model.float()  # type: ignore[no-untyped-call]
    return loaded


@pytest.fixture(scope="session")
def adapter_dir(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of random weights for the tiny model."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ghostbust.models.load import peft_warnings_silenced

    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    torch.manual_seed(1)
    with peft_warnings_silenced():
        config = LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
        adapted = get_peft_model(loaded.model, config)
    folder = tmp_path_factory.mktemp("adapters") / "random"
    adapted.save_pretrained(str(folder))
    return folder


@pytest.fixture
def judged_answer() -> JudgedAnswer:
    """Makes an answer of a text: names that begin with ``ghost`` or ``zz-`` are ABSENT."""

    def make(
        text: str,
        *,
        family: str = "family",
        context: Context = Context.HELPS,
        truncated: bool = False,
        domain: str = "",
    ) -> Answer:
        asked = Prompt(f"task of {family}", context, Ecosystem.PYPI, family, domain=domain)
        return _judge(Sample(asked, text, "fake", None, 0, 0, 0.7, truncated, 9))

    return make


@pytest.fixture
def make_answer() -> MakeAnswer:
    """Makes the answer of one family with these real and invented names; blanks part names.

    Without a text it is a list of its names, as was asked for.
    """

    def make(
        family: int,
        real: str = "",
        invented: str = "",
        *,
        unknown: str = "",
        text: str | None = None,
        context: Context = Context.HELPS,
        ecosystem: Ecosystem = Ecosystem.PYPI,
        number: int = 0,
        truncated: bool = False,
    ) -> Answer:
        said = [
            *_named(real, Verdict.REAL, ecosystem),
            *_named(invented, Verdict.ABSENT, ecosystem),
            *_named(unknown, Verdict.UNKNOWN, ecosystem),
        ]
        prompt = Prompt(f"task {family}", context, ecosystem, family=f"family-{family:03d}")
        if text is None:
            text = "\n".join(f"- {judged.ref.raw}" for judged in said) or "- nothing"
        sample = Sample(prompt, text, "fake", None, 0, number, 0.7, truncated, 9)
        return Answer(sample, tuple(said))

    return make


@pytest.fixture
def ask() -> Ask:
    """Samples each prompt once and judges the answers by the same rule."""

    def ask_prompts(sampler: Sampler, prompts: Sequence[Prompt]) -> list[Answer]:
        settings = SamplingSettings(max_new_tokens=8, seed=3)
        return [_judge(sample) for sample in sampler.sample(prompts, settings)]

    return ask_prompts


def _judge(sample: Sample) -> Answer:
    refs = extract(
        sample.text,
        expect_list=sample.prompt.expects_list,
        truncated=sample.truncated,
        prompt_text=sample.prompt.text,
        ecosystem=sample.prompt.ecosystem,
    )
    return Answer(sample, tuple(Judged(ref, _lookup(ref)) for ref in refs))


def _lookup(ref: PackageRef) -> Lookup:
    name = ref.name or ref.raw
    verdict = Verdict.BUILTIN if ref.builtin else Verdict.REAL
    verdict = Verdict.ABSENT if name.startswith(INVENTED) else verdict
    return Lookup(ref.ecosystem, name, verdict, "rule", "made up", "rule", DAY)


def _named(names: str, verdict: Verdict, ecosystem: Ecosystem) -> Sequence[Judged]:
    return [
        Judged(
            PackageRef(ecosystem, RefKind.LIST, name, 0, len(name), name),
            Lookup(ecosystem, name, verdict, "made-up", "", "snapshot:test", DAY),
        )
        for name in names.split()
    ]
