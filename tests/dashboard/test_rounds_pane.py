"""The rounds, and what is shown of the one under the cursor: gates, figures, provenance."""

from __future__ import annotations

from ghostbust.dashboard.details import Flips, RoundFigures
from ghostbust.dashboard.reading import Query, StoreReader
from ghostbust.dashboard.rounds_pane import (
    FLIPS_LISTED,
    MOST_STEPS,
    figures_text,
    frontier,
    round_details,
)
from ghostbust.home import Home
from ghostbust.records import Verdict
from ghostbust.store.rounds import RoundState
from tests.dashboard.board import Filler, open_board, printed


def printed_newest(home: Home) -> str:
    """The details of the newest round."""
    view = StoreReader(home).read(Query()).rounds[0]
    return printed(round_details(view, None, ()))


def figures(losses: tuple[float, ...] = (), flipped: Flips | None = None) -> RoundFigures:
    return RoundFigures(1, losses, "its folder is [b]gone[/b]", (), flipped)


async def test_the_details_follow_the_cursor(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("rounds")) == 2)
        assert board.rows("rounds")[0][:7] == ["2", "waiting", "au", "1", "0", "1", "PASS"]
        await board.press("4")
        await board.until(lambda: "round-0002" in board.text("#round-details"))
        await board.press("down")
        await board.until(lambda: "round-0001" in board.text("#round-details"))

        assert "FAIL" in board.text("#round-details")


async def test_the_details_stay_when_a_round_is_added_and_change_with_their_own(
    home: Home, filled: Filler
) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("rounds")) == 2)
        await board.press("4", "down")
        filled.round(RoundState.WAITING)
        await board.until(lambda: len(board.rows("rounds")) == 3)
        assert board.table("rounds").selected == 1
        assert "round-0001" in board.text("#round-details")

        with filled.store() as store:
            store.rounds.set_state(1, RoundState.FAILED, "its process was killed")
        await board.until(lambda: "its process was killed" in board.text("#round-details"))


def test_gates_say_base_candidate_and_why_as_text(home: Home, filled: Filler) -> None:
    lines = printed_newest(home).splitlines()

    (gate,) = [line for line in lines if line.startswith("hallucination")]
    assert gate.split()[:4] == ["hallucination", "PASS", "0.286", "0.019"]
    assert "[b]50%[/b]" in printed_newest(home)


def test_provenance_says_what_made_the_round(home: Home, filled: Filler) -> None:
    text = printed_newest(home)

    for fact in ("made-up-model", '{"lr": 0.0002, "rank": 16}', "round-0002-1a2b3c4d", "0.1"):
        assert fact in text


def test_a_round_without_gates_says_so(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        store.rounds.start(model="\x1b[2Jmodel", method="[b]au[/b]", seed=1, settings={})
    text = printed_newest(home)

    assert "its gates weren't run" in text
    assert "\\x1b[2Jmodel" in text
    assert "[b]au[/b]" in text


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
    snapshot = StoreReader(home).read(Query(tab="rounds", round=1))
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
    rounds = StoreReader(home).read(Query()).rounds

    here = printed(frontier(rounds, 1)).partition("this round")[2]
    assert (here.count("●"), here.count("○")) == (1, 0)
    assert "volume 1.00" in here
    assert "1.02" in here
    elsewhere = printed(frontier(rounds, 2)).partition("this round")[2]
    assert (elsewhere.count("●"), elsewhere.count("○")) == (0, 1)
