"""What requests came to adds up over the parts of a run."""

from __future__ import annotations

import pytest

from ghostbust.store.rounds import Requests
from ghostbust.store.rows import RunKind, RunSpec
from ghostbust.store.store import Store


def test_the_parts_of_a_run_add_up(store: Store) -> None:
    run_id = store.runs.start(RunSpec(RunKind.WATCH, "m", None, 1))
    assert store.requests.get(run_id) is None
    store.requests.add(run_id, Requests(10, 2, 0.5))
    store.requests.add(run_id, Requests(0, 3, None))
    found = store.requests.get(run_id)
    assert found == Requests(10, 5, 0.5), "a part without answers says nothing of their time"
    assert found is not None
    assert found.error_rate == pytest.approx(1 / 3)
    assert Requests(0, 0, None).error_rate == 0
