"""Several indexes asked as one: the first that has the name tells, and "no" takes all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.interface import Origin
from ghostbust.registries.pypi import Indexes

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Index:
    """An index that has one name, or that can't be asked."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, label: str, has: str = "", verdict: Verdict = Verdict.REAL) -> None:
        self.label, self.has, self.verdict = label, has, verdict
        self.asked: list[tuple[str, Lookup | None]] = []

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        self.asked.append((name, known))
        if self.label == "down":
            raise UnansweredError("down: can't be reached")
        verdict = self.verdict if name == self.has else Verdict.ABSENT
        return Lookup(
            Ecosystem.PYPI, name, verdict, "any", f"{self.label}: {verdict}", "live", NOW,
            validator=f"of {self.label}",
        )  # fmt: skip

    async def origin(self, name: str) -> Origin:
        return Origin(None, "", f"{name} at {self.label}")

    async def description(self, name: str) -> str:
        return f"{name} at {self.label}"


async def test_the_first_that_has_it_tells_and_the_others_arent_asked() -> None:
    main, one, two = Index("main", "a"), Index("one", "b"), Index("two", "b")
    indexes = Indexes(main, one, two)
    found = await indexes.look_up("a")
    assert (found.verdict, found.evidence, found.validator) == (
        Verdict.REAL, "main: REAL", "of main",
    )  # fmt: skip
    assert one.asked == []
    found = await indexes.look_up("b")
    assert (found.verdict, found.evidence) == (Verdict.REAL, "one: REAL")
    assert two.asked == []


async def test_a_suspect_of_the_main_index_stays_one() -> None:
    found = await Indexes(Index("main", "a", Verdict.SUSPECT), Index("one", "a")).look_up("a")
    assert found.verdict is Verdict.SUSPECT


async def test_absent_takes_all_of_them() -> None:
    found = await Indexes(Index("main"), Index("one"), Index("two")).look_up("a")
    assert found.verdict is Verdict.ABSENT
    assert found.evidence == "main: ABSENT; one: ABSENT; two: ABSENT"


async def test_one_that_cannot_be_asked_leaves_no_absent() -> None:
    with pytest.raises(UnansweredError, match="down"):
        await Indexes(Index("main"), Index("down"), Index("two")).look_up("a")
    found = await Indexes(Index("main"), Index("down"), Index("two", "a")).look_up("a")
    assert found.verdict is Verdict.REAL
    extra = Index("one", "a")
    with pytest.raises(RegistryError):
        await Indexes(Index("down"), extra).look_up("a")
    assert extra.asked == []


async def test_validators_are_the_main_indexs_only() -> None:
    main, extra = Index("main"), Index("one", "b")
    found = await Indexes(main, extra).look_up("b")
    assert found.validator == ""
    await Indexes(main, extra).look_up("b", found)
    assert (main.asked[-1], extra.asked[-1]) == (("b", found), ("b", None))


async def test_the_origin_is_told_by_the_one_that_has_it() -> None:
    indexes = Indexes(Index("main", "a"), Index("one", "b"))
    assert (await indexes.origin("b")).evidence == "b at one"
    assert (await indexes.origin("c")).evidence == "c at main"


async def test_the_description_is_that_of_the_index_that_has_it() -> None:
    indexes = Indexes(Index("main", "a"), Index("one", "b"))
    assert await indexes.description("b") == "b at one"
    assert await indexes.description("c") == "c at main"
