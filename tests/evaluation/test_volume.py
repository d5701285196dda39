"""Volume, its ratio, and the distance between distributions of list lengths, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ghostbust.evaluation.behaviour import BINS, length_distance, lengths, volume, volume_ratio


def sums(real: float, *by_bin: float) -> dict[str, np.ndarray]:
    return {
        "real": np.array([real]),
        "answers": np.array([sum(by_bin)]),
        **{f"length {label}": np.array([n]) for label, n in zip(BINS, by_bin, strict=True)},
    }


BASE = sums(20, 2, 2, 2, 4, 0, 0)


def test_volume_is_real_names_per_answer() -> None:
    assert volume(BASE).tolist() == [2.0]
    assert volume_ratio(BASE, sums(30, 0, 0, 5, 5, 0, 0)).tolist() == [1.5]
    assert np.isnan(volume_ratio(sums(0, 5, 0, 0, 0, 0, 0), sums(0, 5, 0, 0, 0, 0, 0)))


def test_the_distance_is_the_share_of_answers_in_another_bin() -> None:
    assert lengths(BASE).tolist() == [[0.2, 0.2, 0.2, 0.4, 0.0, 0.0]]
    assert length_distance(BASE, BASE).tolist() == [0.0]
    assert length_distance(BASE, sums(20, 4, 2, 2, 2, 0, 0)) == pytest.approx([0.2])
    assert length_distance(BASE, sums(100, 0, 0, 0, 0, 0, 10)) == pytest.approx([1.0])


def test_all_or_nothing_keeps_the_ratio_but_not_the_lengths() -> None:
    uneven = sums(20, 8, 0, 0, 0, 2, 0)  # two answers with ten names, eight with none
    assert volume_ratio(BASE, uneven).tolist() == [1.0]
    assert length_distance(BASE, uneven) == pytest.approx([0.8])
