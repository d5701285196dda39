"""A made-up log is one that ingest can read, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

from ghostbust.bench.traffic_log import write_log
from ghostbust.extractors.extract import extract
from ghostbust.loop.ingest.formats import read_line
from ghostbust.records import Ecosystem


def made(path: Path, **other: int) -> list[bytes]:
    sizes = {"chars": 900, "context": 0, "seed": 3} | other
    write_log(path, 40, invented=0.5, **sizes)
    return path.read_bytes().splitlines()


def test_every_line_is_a_completion_of_about_the_length(tmp_path: Path) -> None:
    completions = [one for line in made(tmp_path / "a") for one in read_line(line)]
    assert len(completions) == len({one.key for one in completions}) == 40
    assert all(600 < len(one.text) < 2000 for one in completions)
    refs = [ref for one in completions for ref in extract(one.text)]
    assert {ref.ecosystem for ref in refs} == {Ecosystem.PYPI, Ecosystem.NPM}
    assert any(ref.raw.startswith("zz-") for ref in refs)


def test_the_seed_decides_and_the_context_is_quoted(tmp_path: Path) -> None:
    assert made(tmp_path / "a") == made(tmp_path / "b") != made(tmp_path / "c", seed=4)
    [completion] = read_line(made(tmp_path / "d", context=5000)[0])
    assert 4000 < len(completion.prompt or "") < 7000
