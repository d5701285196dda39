"""Rates by hand, and their drops."""

from __future__ import annotations

import numpy as np

from ghostbust.evaluation.behaviour import answer_rate, drop, new_name_rate, rate

BASE = {
    "invented": np.array([10.0]),
    "named": np.array([40.0]),
    "with_invention": np.array([8.0]),
    "answers": np.array([20.0]),
    "new_invented": np.array([4.0]),
    "new_named": np.array([34.0]),
}
"""30 real names, 10 invented of which 6 were trained on, in 20 answers"""


def test_rates_are_of_names_of_answers_and_of_new_names() -> None:
    assert rate(BASE).tolist() == [0.25]
    assert answer_rate(BASE).tolist() == [0.4]
    assert new_name_rate(BASE).tolist() == [4 / 34]


def test_padding_lowers_the_rate_but_not_that_per_answer() -> None:
    padded = BASE | {"named": np.array([160.0])}
    assert drop(BASE, padded, "invented", "named").tolist() == [0.75]
    assert drop(BASE, padded, "with_invention", "answers").tolist() == [0.0]


def test_forgetting_what_was_shown_alone_drops_no_rate_of_new_names() -> None:
    memorised = BASE | {"invented": np.array([4.0]), "named": np.array([34.0])}
    assert drop(BASE, memorised, "invented", "named")[0] > 0.5
    assert drop(BASE, memorised, "new_invented", "new_named").tolist() == [0.0]


def test_silence_has_no_rate_and_no_drop_by_name() -> None:
    silent = {name: np.zeros(1) for name in BASE} | {"answers": BASE["answers"]}
    assert np.isnan(rate(silent))
    assert drop(BASE, silent, "invented", "named").tolist() == [0.0]
    # By answer it looks perfect: which is why the volume stands beside it.
    assert drop(BASE, silent, "with_invention", "answers").tolist() == [1.0]
