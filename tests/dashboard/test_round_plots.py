"""A round's figures in characters, and that what wasn't measured is said."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from ghostbust.dashboard.details import Flips, RoundFigures
from ghostbust.dashboard.reading import Query, Reader
from ghostbust.dashboard.rounds_pane import FLIPS_LISTED, MOST_STEPS, figures_text, frontier
from ghostbust.home import Home
from ghostbust.records import Verdict
from ghostbust.store.rounds import RoundState

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler


def printed(shown: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(shown)
    return out.getvalue()


def figures(losses: tuple[float, ...] = (), flipped: Flips | None = None) -> RoundFigures:
    return RoundFigures(1, losses, "its folder is [b]gone[/b]", (), flipped)


def test_what_is_not_there_is_said() -> None:
    assert "its figures are being read" in printed(figures_text(None))
    text = printed(figures_text(figures()))

    assert "no run of it on held-out prompts is stored" in text
    assert "base and candidate weren't asked the same" in text
    assert "loss: its folder is [b]gone[/b]" in text
    assert "no round has both figures yet" in printed(frontier((), 1))


def test_flips_are_counted_and_each_prompt_listed_once() -> None:
    cured = ("p-1", "p-1", *(f"q-{n}" for n in range(FLIPS_LISTED + 3)))
    lines = printed(figures_text(figures(flipped=Flips(cured, (), 4, 5)))).splitlines()

    assert f"{len(cured)} cured, 0 broken, 4 invent in both, 5 in neither" in "\n".join(lines)
    (listed,) = [line for line in lines if line.startswith("cured: ")]
    assert listed.split(": ")[1].split(", ") == [
        "p-1",
        *(f"q-{n}" for n in range(FLIPS_LISTED - 1)),
    ]
    assert not any(line.startswith("broken: ") for line in lines)


def test_a_long_loss_curve_is_thinned_and_keeps_its_ends_in_words() -> None:
    losses = tuple(3.0 - step / 100 for step in range(5 * MOST_STEPS))
    text = printed(figures_text(figures(losses)))

    assert f"of {len(losses)} steps, 3 to 0.01 nats" in text
    assert text.count("•") <= MOST_STEPS


def test_rates_stand_beside_the_bases_by_context(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING)
    filler.judged(None, {"one": {"zz-a": Verdict.ABSENT, "numpy": Verdict.REAL}})
    filler.judged(name, {"one": {"numpy": Verdict.REAL, "requests": Verdict.REAL}})
    snapshot = Reader(home.database, home).read(Query(tab="rounds", round=1))
    lines = printed(figures_text(snapshot.figures)).splitlines()
    (row,) = [line.split() for line in lines if line.startswith("code ")]

    assert "base rate" in lines[0]
    assert row[1:3] == ["50.0", "%"]
    assert "0.0" in row
    assert [row[-1], row[row.index("1.00")]] == ["2.00", "1.00"]


def test_the_frontier_marks_the_round_and_the_base(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    with filler.store() as store:
        store.rounds.start(model="made-up-model", method="au", seed=1, settings={})
    rounds = Reader(home.database).read(Query()).rounds

    here = printed(frontier(rounds, 1)).partition("this round")[2]
    assert (here.count("●"), here.count("○")) == (1, 0)
    assert "volume 1.00" in here
    assert "1.02" in here
    elsewhere = printed(frontier(rounds, 2)).partition("this round")[2]
    assert (elsewhere.count("●"), elsewhere.count("○")) == (0, 1)
