"""Ids hold inside, in their own thread, and are gone afterwards."""

from __future__ import annotations

import threading

from ghostbust.log_ids import current_ids, log_ids


def test_they_nest_and_end() -> None:
    assert current_ids() == {}
    with log_ids(job="watch"):
        with log_ids(run=3):
            assert current_ids() == {"job": "watch", "run": 3}
        assert current_ids() == {"job": "watch"}
    assert current_ids() == {}


def test_another_thread_has_its_own() -> None:
    seen: list[object] = []
    with log_ids(job="watch"):
        other = threading.Thread(target=lambda: seen.append(dict(current_ids())))
        other.start()
        other.join()
    assert seen == [{}]
