"""The reference server's computing: what arrives joins what is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.models.load import LoadedModel, load_model
from ghostbust.samplers.decode import DecodedAnswer, Sampling
from tests.lab.server_engine import Engine, Job

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def loaded(talking_model_dir: Path) -> LoadedModel:
    return load_model(str(talking_model_dir), talking_model_dir, device="cpu")


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def endless(loaded: LoadedModel) -> LoadedModel:
    """The model without a token that ends an answer: a long one is as long as was asked for."""
    same = replace(loaded)
    vars(same)["end_tokens"] = frozenset()  # in place of what the tokenizer tells
    return same


def job(loaded: LoadedModel, tokens: int, seed: int = 0) -> Job:
    return Job(loaded, loaded.encode("pip install"), Sampling(1, 0, 1, tokens), seed)


def test_a_completion_depends_on_its_seed_not_on_its_neighbours(
    engine: Engine, loaded: LoadedModel
) -> None:
    alone = [engine.complete(job(loaded, 8, seed)).ids for seed in range(4)]
    together: dict[int, list[int]] = {}

    def ask(seed: int) -> None:
        together[seed] = engine.complete(job(loaded, 8, seed)).ids

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone
    assert len({tuple(ids) for ids in alone}) > 1


def test_a_short_one_does_not_wait_for_a_long_one(engine: Engine, endless: LoadedModel) -> None:
    long, ended = job(endless, 2000), list[DecodedAnswer]()
    waits = threading.Thread(target=lambda: ended.append(engine.complete(long)))
    waits.start()
    time.sleep(0.3)
    assert len(engine.complete(job(endless, 16)).ids) == 16
    assert not ended, "the long one is still under way"
    waits.join()
    (whole,) = ended
    assert whole.ids == engine.complete(job(endless, 2000)).ids, "and isn't changed by it"


def test_a_model_that_fails_fails_its_own_completions(
    engine: Engine, endless: LoadedModel, talking_model_dir: Path
) -> None:
    ill = load_model(str(talking_model_dir), talking_model_dir, device="cpu")

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    ill.model.register_forward_pre_hook(fail)
    other, ended = job(endless, 300), list[DecodedAnswer]()
    waits = threading.Thread(target=lambda: ended.append(engine.complete(other)))
    waits.start()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            engine.complete(job(ill, 4))
    waits.join()
    assert len(ended[0].ids) == 300
