"""The method of docs/guides/methods.md: taken as a plug-in, right by hand, and it trains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import exp, log
from pathlib import Path

import pytest

from ghostbust import plugins
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import END, FORGET, RETAIN, encode_answer
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.settings import TrainSettings
from tests.command_lines import ROOT, blocks

GUIDE = [*blocks(ROOT / "docs" / "guides" / "methods.md")]
CODE = next(block.text for block in GUIDE if block.label == "python")
DECLARED = next(block.text for block in GUIDE if "entry-points" in block.text)
P, BASE, MASK = (0.7, 0.4, 0.9, 0.5), (0.8, 0.9, 0.3, 0.9), (FORGET, RETAIN, FORGET, END)


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Method]:
    described = tmp_path / "token_npo-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Name: token-npo\nVersion: 1.0\n", "utf-8")
    points = DECLARED.replace('[project.entry-points."ghostbust.methods"]', "[ghostbust.methods]")
    (described / "entry_points.txt").write_text(points.replace('"', ""), "utf-8")
    (tmp_path / "token_npo.py").write_text(CODE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.plugins.cache_clear()
    yield method_named("token-npo")
    plugins.plugins.cache_clear()


def test_it_is_as_short_as_the_page_says() -> None:
    assert len([line for line in CODE.splitlines() if line]) <= 40
    assert len(re.findall(r"^def ", CODE, re.M)) == 1


def test_its_value_and_its_push_are_those_of_the_page(
    method: Method,
    make_tokens: Callable[..., Tokens],
    own_gradient: Callable[..., list[float]],
) -> None:
    tokens = make_tokens(P, MASK, base=BASE)
    loss, parts = method.loss(tokens, method.weights)
    forget = sum((2 / 0.1) * log(1 + (p / base) ** 0.1) for p, base in ((0.7, 0.8), (0.9, 0.3))) / 2
    assert parts == pytest.approx({"retain": -log(0.4), "forget": forget, "end": -log(0.5)})
    assert float(loss) == pytest.approx(-log(0.4) + 0.5 * forget - 2 * log(0.5))

    def push(p: float, base: float) -> float:
        sigma = 1 / (1 + exp(-0.1 * log(p / base)))
        return 0.5 * 2 * sigma * (1 - p) / 2  # λ, and the mean of two tokens

    pushes = own_gradient(method.loss, tokens, method.weights)
    expected = [push(0.7, 0.8), 0.4 - 1, push(0.9, 0.3), 2 * (0.5 - 1)]
    assert pushes == pytest.approx(expected, abs=1e-6)


def test_it_trains(
    method: Method, load_tiny: Callable[[], LoadedModel], make_answer: Callable[..., Answer]
) -> None:
    tiny = load_tiny()
    settings = TrainSettings(
        method=method.name, weights=method.weights, rank=4, alpha=8, learning_rate=0.02,
        warmup_steps=1, epochs=3, answers_per_step=2,
    )  # fmt: skip
    texts = ("- numpy\n- ghost", "pip install ghost numpy\n", "- rich\n- flask", "- squat")
    trainer = Trainer(add_adapter(tiny, settings), settings)
    trainer.run([encode_answer(tiny, make_answer(text), masking=method.masking) for text in texts])
    result = trainer.result()
    assert result.moved > 0
    assert result.losses[-1] < result.losses[0]
