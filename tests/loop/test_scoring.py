"""Scores of canonical solutions: taken once for the same weights and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import HomeError
from ghostbust.gates.tasks import load_tasks
from ghostbust.home import Home
from ghostbust.loop.evaluate import load_local
from ghostbust.loop.gating import are_numbers, score_known_code
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.models.fetch import humaneval_tasks
from ghostbust.records import Score


class Hears(Silence):
    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)


@pytest.fixture
def session(
    home: Home, talking_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    config = override(
        Config(),
        model__name=str(talking_model_dir),
        model__device="cpu",
        registry__mode="snapshot",
        gates__humaneval_tasks=2,
    )
    with open_session(home, config, purpose="bench") as session:
        yield session


def test_scores_are_the_models_own_and_kept(session: Session) -> None:
    listener = Hears()
    first = score_known_code(session, [None], listener)
    assert listener.begun == ["score 2 canonical solutions with base"]
    assert score_known_code(session, [None], listener) == first
    assert len(listener.begun) == 1
    assert set(first) == {"base"}
    assert len(first["base"]) == 2
    (file,) = (session.home.path / "scores").iterdir()
    (task, *_) = load_tasks(humaneval_tasks(session.cache_dir))
    own = load_local(session, None).score([(task.prompt, task.canonical_solution)])
    assert first["base"][task.task_id].nll == pytest.approx(own[0].nll, rel=0.01)
    assert oct(file.parent.stat().st_mode & 0o777) == "0o700"


def test_other_tasks_are_scored_anew(session: Session) -> None:
    listener = Hears()
    score_known_code(session, [None], listener)
    one = replace(session, config=override(session.config, gates__humaneval_tasks=1))
    assert len(score_known_code(one, [None], listener)["base"]) == 1
    assert len(listener.begun) == 2


def test_a_damaged_file_is_one_line(session: Session) -> None:
    score_known_code(session, [None], Silence())
    (file,) = (session.home.path / "scores").iterdir()
    for text in ("{", '{"a": 3}', "[]"):
        file.write_text(text, "utf-8")
        with pytest.raises(HomeError, match="remove it"):
            score_known_code(session, [None], Silence())


@pytest.mark.parametrize(
    ("nll", "sound"), [(1.0, True), (float("nan"), False), (float("inf"), False)]
)
def test_numbers_are_finite(nll: float, sound: bool) -> None:
    assert are_numbers({"a": Score(1.0, 1), "b": Score(nll, 1)}) is sound
    assert are_numbers({})
