"""A day's budget is kept to the unit, by however many processes, and after a restart."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

from ghostbust.store.store import Store

DAY, NEXT = date(2026, 11, 28), date(2026, 11, 29)


def test_all_of_the_amounts_are_taken_or_none(tmp_path: Path) -> None:
    limits = {"samples": 10.0, "tokens": 100.0}
    with Store.open(tmp_path / "db") as store:
        assert store.spending.take(DAY, {"samples": 9, "tokens": 90}, limits)
        assert not store.spending.take(DAY, {"samples": 1, "tokens": 11}, limits)
        assert store.spending.of(DAY) == {"samples": 9, "tokens": 90}
        assert store.spending.take(DAY, {"samples": 1, "tokens": 10}, limits)
        assert not store.spending.take(DAY, {"samples": 1}, limits)
        assert store.spending.take(NEXT, {"samples": 1}, limits), "another day"


def test_what_was_not_used_is_given_back(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.spending.take(DAY, {"tokens": 128}, {"tokens": 128})
        store.spending.take(DAY, {"tokens": -100}, {"tokens": 10})
        assert store.spending.of(DAY) == {"tokens": 28}


def test_without_a_limit_it_is_only_counted(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        assert store.spending.take(DAY, {"gpu_minutes": 0.25}, {})
        assert store.spending.take(DAY, {"gpu_minutes": 0.25}, {})
        assert store.spending.of(DAY) == {"gpu_minutes": 0.5}
    with Store.open(tmp_path / "db") as store:
        assert store.spending.of(DAY) == {"gpu_minutes": 0.5}


def test_several_at_once_never_take_more_than_there_is(tmp_path: Path) -> None:
    Store.open(tmp_path / "db").close()
    taken: list[bool] = []

    def take() -> None:
        with Store.open(tmp_path / "db") as store:
            taken.extend(
                store.spending.take(DAY, {"registry_requests": 1}, {"registry_requests": 50})
                for _ in range(20)
            )

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count(True), taken.count(False)) == (50, 30)
