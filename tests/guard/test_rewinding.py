"""The guard of a sampler that takes back: when it redraws, holds and gives up; a real model under
it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.guard.reading import Guard
from ghostbust.guard.rewinding import RewindingGuard
from ghostbust.home import cache_dir
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import NameCounts
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.prompts import first_prompts, seed_tasks, split
from ghostbust.records import Context, Ecosystem, Prompt, Verdict
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler

INVENTED = "zq-no-such-package-7"
ASKED = Prompt("Write it.", Context.CODE, Ecosystem.PYPI, "family")
LISTED = replace(ASKED, text="What helps?", context=Context.HELPS)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return default_judge(Mode.SNAPSHOT)


@pytest.fixture(scope="module")
def guard(judge: Judge) -> RewindingGuard:
    return RewindingGuard(Guard(judge))


def test_an_invention_is_drawn_freely_once_then_held(guard: RewindingGuard) -> None:
    reader = guard.read(ASKED)
    text = f"Run:\n\n```bash\npip install {INVENTED}\n"
    places = [reader.cut(text, ended=False, truncated=False, last=False) for _ in range(2)]
    assert [cut and cut.at for cut in places] == [text.index(INVENTED)] * 2
    assert [cut and cut.place is not None for cut in places] == [False, True]
    assert not any(cut and cut.ends for cut in places)


def test_the_last_resort_ends_an_install_line_and_lets_a_listed_name_through(
    guard: RewindingGuard,
) -> None:
    text = f"Run:\n\n```bash\npip install {INVENTED}\n"
    cut = guard.read(ASKED).cut(text, ended=False, truncated=False, last=True)
    assert cut is not None
    assert (text[: cut.at], cut.ends) == ("Run:\n\n```bash\n", True)
    reader = guard.read(LISTED)
    listed = f"- numpy\n- {INVENTED}\n"
    assert reader.cut(listed, ended=False, truncated=False, last=True) is None
    assert reader.cut(listed + "- pandas\n", ended=True, truncated=False, last=False) is None


@pytest.mark.parametrize(
    ("prompt", "pieces", "due"),
    [
        (ASKED, ["import", " os", "\n"], [False, False, True]),
        (ASKED, ["a `b", "`"], [False, False]),
        (LISTED, ["- `b", "` x"], [True, True]),
        (ASKED, ["x" * 300], [True]),
    ],
)
def test_it_is_due_where_a_name_may_have_ended(
    guard: RewindingGuard, prompt: Prompt, pieces: list[str], due: list[bool]
) -> None:
    reader = guard.read(prompt)
    assert [reader.is_due(piece) for piece in pieces] == due


@pytest.fixture(scope="module")
def embedded() -> LoadedModel:
    return load_model("smollm2", cache_dir(), device="cpu")


def test_the_embedded_model_invents_less_under_it_and_the_rest_stays(
    embedded: LoadedModel, guard: RewindingGuard, judge: Judge
) -> None:
    train, _ = split([task for task in seed_tasks() if task.ecosystem is Ecosystem.PYPI], 0.3)
    prompts = list(first_prompts(train[:6]))
    settings = SamplingSettings(samples_per_prompt=2, max_new_tokens=64, batch_size=24)
    free, held = (
        {
            (one.sample.prompt.id, one.sample.number): one
            for one in judge_samples(
                LocalSampler(embedded, guard=by).sample(prompts, settings), judge
            )
        }
        for by in (None, guard)
    )
    before, after = (
        NameCounts.total(map(NameCounts.of_answer, side.values())) for side in (free, held)
    )
    assert before.invented > 3
    assert after.invented < before.invented / 3
    assert after.real >= before.real
    for answer in held.values():
        hard = [one for one in answer.judged if one.ref.kind in ("install", "manifest")]
        assert not any(one.lookup.verdict in (Verdict.ABSENT, Verdict.SUSPECT) for one in hard)
    quiet = replace(ASKED, text="Say in one sentence what rain is.", context=Context.CODE)
    one, other = (
        [x.text for x in LocalSampler(embedded, guard=by).sample([quiet], settings)]
        for by in (None, guard)
    )
    assert one == other
