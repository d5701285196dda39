"""Rounds, adapters and jobs: what is shown of each, and a person's decisions with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from textual.widgets import Static

from ghostbust.dashboard.details import Flips, RoundFigures
from ghostbust.dashboard.pane import ReasonDialog
from ghostbust.dashboard.reading import Activity, Event, Query, RoundView, StoreReader
from ghostbust.dashboard.work_panes import (
    FLIPS_LISTED,
    MOST_STEPS,
    figures_text,
    frontier,
    jobs_text,
    log_rows,
    round_details,
)
from ghostbust.home import Home
from ghostbust.publishers.directory import published
from ghostbust.records import GateReport, GateResult, GateVerdict, Verdict
from ghostbust.store.daemon import JobRow
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.store import Store
from tests.dashboard.board import Filler, open_board, printed


def printed_newest(home: Home) -> str:
    """The details of the newest round."""
    view = StoreReader(home).read(Query()).rounds[0]
    return printed(round_details(view, None, ()))


def figures(losses: tuple[float, ...] = (), flipped: Flips | None = None) -> RoundFigures:
    return RoundFigures(1, losses, "its folder is [b]gone[/b]", (), flipped)


async def test_the_details_follow_the_cursor_and_stay_when_a_round_is_added(
    home: Home, filled: Filler
) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("rounds")) == 2)
        assert board.rows("rounds")[0][:7] == ["2", "waiting", "au", "1", "0", "1", "PASS"]
        await board.press("4")
        await board.until(lambda: "round-0002" in board.text("#round-details"))
        await board.press("down")
        await board.until(lambda: "round-0001" in board.text("#round-details"))

        assert "FAIL" in board.text("#round-details")
        filled.round(RoundState.WAITING)
        await board.until(lambda: len(board.rows("rounds")) == 3)
        assert board.table("rounds").selected == 1
        assert "round-0001" in board.text("#round-details")

        with filled.store() as store:
            store.rounds.set_state(1, RoundState.FAILED, "its process was killed")
        await board.until(lambda: "its process was killed" in board.text("#round-details"))


def test_gates_say_base_candidate_and_why_and_provenance_what_made_it(
    home: Home, filled: Filler
) -> None:
    text = printed_newest(home)
    (gate,) = [line for line in text.splitlines() if line.startswith("hallucination")]
    assert gate.split()[:4] == ["hallucination", "PASS", "0.286", "0.019"]
    assert "[b]50%[/b]" in text
    assert "(look 2, alpha 0.0076)" in text
    assert "older measure" not in text
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
    filler.judged(None, {"one": {"zz-a": Verdict.ABSENT, "numpy": Verdict.REAL}}, samples=2)
    filler.judged(name, {"one": dict.fromkeys(("numpy", "pip", "torch"), Verdict.REAL)}, samples=2)
    snapshot = StoreReader(home).read(Query(tab="rounds", round=1))
    lines = printed(figures_text(snapshot.figures), 80).splitlines()
    base, candidate = (line.split() for line in lines if line.startswith("code "))

    assert base[1:4] == ["base", "50.0", "%"]
    inventing, supported, every, unknown, unsupported, installers = 6, 8, 9, 10, 12, 14
    assert base[inventing:] == ["100.0", "%", "1.00", "2.00", "0.0", "%", "0.0", "%", "0"]
    assert candidate[1] == "adapter"
    found = [candidate[place] for place in (inventing, supported, every, unknown)]
    assert found == ["0.0", "1.00", "2.00", "0.0"]
    assert (candidate[unsupported], candidate[installers]) == ("50.0", "2")


def test_the_frontier_marks_the_round_and_the_base(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    with filler.store() as store:
        store.rounds.start(model="made-up-model", method="au", seed=1, settings={})
    rounds = StoreReader(home).read(Query()).rounds

    here = printed(frontier(rounds, 1)).partition("this round")[2]
    assert (here.count("●"), here.count("○")) == (1, 0)
    assert "supported 1.00" in here
    assert "1.02" in here
    elsewhere = printed(frontier(rounds, 2)).partition("this round")[2]
    assert (elsewhere.count("●"), elsewhere.count("○")) == (0, 1)


def test_gates_of_an_older_measure_are_marked() -> None:
    details: dict[str, float | int | str] = {"drop": 0.5}
    by_rate = GateResult("hallucination", GateVerdict.PASS, "", 0.4, 0.2, None, "", details)
    volume = replace(by_rate, gate="volume", details={"ratio": 1.2})
    at = datetime(2026, 11, 1, tzinfo=UTC)
    one = Round(
        7, "m", "au", 0, {}, "", RoundState.REJECTED, "", at, at, 0, 0, 0, None, None, None
    )  # fmt: skip
    view = RoundView(one, GateReport("round-7", (by_rate, volume)))
    assert "x by an older measure" in printed(frontier([view], 1))
    text = " ".join(printed(round_details(view, None, [view])).split())
    assert "in which installers count as packages, and by points, not bounds: hall" in text


async def test_approve_then_roll_back(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5")
        await board.until(lambda: "volume PASS ratio 1.02" in board.text("#adapter-details"))
        await board.press("a")
        await board.answer(*"good", "enter")
        await board.until(lambda: "serves" in board.rows("adapters")[0][1])
        assert board.said == ["round-0001-1a2b3c4d serves now, before it the base"]
        assert published(home.deployed) is not None

        await board.press("r")
        await board.answer(*"bad")
        assert "to the base?" in str(board.app.screen.query(Static).first().render())
        await board.press("enter")
        await board.until(lambda: board.rows("adapters")[0][1] == "")
    assert published(home.deployed) is None
    with Store.open(home.database) as store:
        assert [move.reason for move in store.promotions.all()] == ["bad", "good"]


async def test_reject_ends_the_wait_and_is_refused_afterwards(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "x")
        await board.answer(*"no", "enter")
        await board.until(lambda: board.rows("adapters")[0][2] == "1 rejected")
        await board.press("a")
        await board.answer(*"please", "enter")
        await board.until(lambda: len(board.said) == 2)

        assert board.said == [
            "round-0001-1a2b3c4d is rejected",
            "round-0001-1a2b3c4d doesn't wait for approval: its round is rejected",
        ]
    assert published(home.deployed) is None


async def test_escape_decides_nothing(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "a")
        await board.answer(*"well", "escape")
        await board.until(lambda: not isinstance(board.app.screen, ReasonDialog))
        await board.pilot.pause(0.1)

        assert board.said == []
    with Store.open(home.database) as store:
        assert store.rounds.get(1).state is RoundState.WAITING


async def test_nothing_to_decide_on(home: Home) -> None:
    async with open_board(home) as board:
        await board.press("5", "a", "x", "r")
        await board.until(lambda: len(board.said) == 3)

        assert board.said[:2] == ["there is no adapter yet"] * 2
        assert "nothing to roll back" in board.said[2]
    assert not home.database.exists()


async def test_the_details_say_where_it_lies_and_why(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 2)
        assert board.line("#adapter-details").splitlines() == [
            str(home.adapters / "round-0002-1a2b3c4d"),
            "round 2, waiting: for a person to decide",
            "hallucination PASS rate 0.2860 -> 0.0190: a drop of 93.4% [90.1%, 95.8%], at least"
            " [b]50%[/b]",
            "volume PASS ratio 1.02",
        ]
        await board.press("5", "down")
        await board.until(lambda: "round 1, rejected" in board.line("#adapter-details"))


AT = datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_jobs_spending_and_reasons_are_text_and_an_idle_home_says_so() -> None:
    idle = printed(jobs_text(Activity((), (), (), ())), 78)
    assert "nobody works in the home folder now" in idle
    assert "no daemon has scheduled a job here yet" in idle
    assert "spent today" not in idle
    job = JobRow("watch", due=AT, outcome="failed", reason="[red]no\x1b model[/]", failures=1)
    activity = Activity(("lock: process 7 (watch)",), (job,), (("samples", 1234.0),), ())
    text = printed(jobs_text(activity), 78)
    assert "lock: process 7 (watch)" in text
    assert "failed once" in text
    assert "failed [red]no\\x1b model[/]" in " ".join(text.split())
    assert "spent today: samples 1,234" in text


def test_events_keep_their_keys_when_newer_ones_come() -> None:
    twice = [Event(AT, "run", "the same"), Event(AT, "run", "the same")]
    before = [row.key for row in log_rows(twice)]
    after = [row.key for row in log_rows([Event(AT + timedelta(1), "run", "new"), *twice])]
    assert len(set(before)) == 2
    assert after[1:] == before


async def test_jobs_and_the_log_are_live(home: Home, filler: Filler) -> None:
    filler.rate(0.1, None)
    async with open_board(home, size=(120, 40)) as board:
        await board.press("7")
        await board.until(lambda: "nobody works" in board.text("#jobs-text"))
        with home.exclusive("round"), filler.store() as store:
            store.jobs.begin("watch")
            await board.until(lambda: "lock: process" in board.text("#jobs-text"))
            await board.until(lambda: "works" in board.text("#jobs-text"))
            store.jobs.finish("watch", "failed", "[red]no model[/red]")
        await board.until(lambda: "failed [red]no model[/red]" in board.text("#jobs-text"))
        filler.rate(0.5, "round-9")
        await board.until(lambda: "of round-9: done" in board.rows("jobs")[0][2])
