"""A block of log lines becomes counts, and the answers that matter."""

from __future__ import annotations

import json

import pytest

from ghostbust.loop.ingest.completions import Completion
from ghostbust.loop.ingest.files import Cutter, LogBlock
from ghostbust.loop.ingest.reading import (
    MOST_TEXT,
    BlockReader,
    Counted,
    prompt_of,
)
from ghostbust.measure import NameCounts
from ghostbust.prompts import fresh_tasks, seed_tasks
from ghostbust.records import Context, Ecosystem, content_id
from ghostbust.registries.judge import Judge, Mode

INVENTED = "pip install zz-quux-sensorlib requests"


def block(*lines: object, too_long: int | None = None) -> LogBlock:
    data = "".join(
        f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines
    ).encode()
    made = Cutter(1 << 20).take(data)
    assert made is not None
    return LogBlock(made.data, 0, 1, too_long, made.end)


def read(judge: Judge, *lines: object, mode: Mode = Mode.SNAPSHOT) -> Counted:
    return BlockReader(judge, mode, 1 << 20).read(block(*lines))


def totals(counted: Counted) -> NameCounts:
    total = NameCounts()
    for counts in counted.tally.values():
        total.add(counts)
    return total


def test_clean_answers_are_counts_and_inventing_ones_are_kept(judge: Judge) -> None:
    lines = [{"completion": "pip install requests"}, {"completion": INVENTED, "prompt": "Read it."}]
    counted = read(judge, *lines, {"completion": "Hello."})
    assert totals(counted) == NameCounts(answers=3, real=2, absent=1, inventing=1)
    [found] = counted.found
    assert (found.line, found.prompt.text) == (2, "Read it.")
    assert found.judged is not None
    answer = found.answer(found.judged)
    assert (answer.invented, answer.real) == (["zz-quux-sensorlib"], ["requests"])
    assert counted.completions == counted.lines == 3


def test_lines_that_give_nothing_are_counted_by_reason(judge: Judge) -> None:
    reader = BlockReader(judge, Mode.SNAPSHOT, 200)
    counted = reader.read(
        block(
            "not json",
            {"level": "info"},
            "",
            {"custom_id": "1", "error": {}},
            {"text": "x" * 300},
            {"text": "ok"},
            too_long=9,
        )
    )
    skipped = counted.skipped
    assert (skipped.malformed, skipped.unknown, skipped.too_long, skipped.without) == (1, 1, 2, 1)
    assert skipped.faulty == 4
    assert skipped.first == (9, "longer than 200 bytes")
    assert (counted.lines, counted.completions) == (6, 1)


def test_a_record_at_fault_keeps_no_other_of_its_line_from_being_read(judge: Judge) -> None:
    records = [7, {"level": "info"}, {"text": "a" * (MOST_TEXT + 1)}, {"text": INVENTED}]
    counted = read(judge, [*records, {"text": INVENTED}])
    skipped = counted.skipped
    assert (skipped.malformed, skipped.unknown, skipped.too_long) == (1, 1, 1)
    assert (counted.lines, counted.completions) == (1, 2)
    assert len({(one.line, one.completion.number) for one in counted.found}) == 2


def test_an_endless_answer_is_too_long(judge: Judge) -> None:
    counted = read(judge, {"text": "a" * (MOST_TEXT + 1)})
    assert (counted.skipped.too_long, counted.completions) == (1, 0)


def test_list_items_count_only_where_a_list_was_asked_for(judge: Judge) -> None:
    text = "1. zz-quux-sensorlib\n2. requests\n"
    asked = read(judge, {"text": text, "prompt": "Which Python packages read sensors?"})
    assert totals(asked) == NameCounts(1, 1, 1, inventing=1)
    assert asked.found[0].prompt.context is Context.HELPS
    for prompt in ({"prompt": "Which sensors are there?"}, {}):
        assert totals(read(judge, {"text": text, **prompt})) == NameCounts(1)


def test_the_same_name_is_judged_once_and_always_the_same(judge: Judge) -> None:
    reader = BlockReader(judge, Mode.SNAPSHOT, 1 << 20)
    first = reader.read(block({"text": INVENTED}))
    again = reader.read(block({"text": INVENTED}))
    assert first.found[0].judged == again.found[0].judged
    assert len(reader._verdicts) == 2


def test_live_leaves_every_name_open_and_auto_what_a_snapshot_cant_settle(judge: Judge) -> None:
    lines = [{"text": "pip install requests"}, {"text": INVENTED}, {"text": "Hello."}]
    live = read(judge, *lines, mode=Mode.LIVE)
    assert [(found.line, found.judged) for found in live.found] == [(1, None), (2, None)]
    assert totals(live) == NameCounts(1)
    auto = read(judge, *lines, {"text": "npm install zz-quux-sensorlib"}, mode=Mode.AUTO)
    assert [found.line for found in auto.found] == [2, 4]
    assert totals(auto) == NameCounts(2, 1)


def test_unknown_is_never_invented(judge: Judge) -> None:
    counted = read(judge, {"text": "npm install zz-quux-sensorlib"})
    assert totals(counted) == NameCounts(1, unknown=1)
    assert counted.found == []


def test_names_that_the_conversation_said_first_are_marked(judge: Judge) -> None:
    messages = [
        {"role": "user", "content": "I use zz-quux-sensorlib."},
        {"role": "assistant", "content": "Fine."},
        {"role": "user", "content": "How do I install it?"},
        {"role": "assistant", "content": INVENTED},
    ]
    [found] = read(judge, {"messages": messages}).found
    assert {str(flag) for ref in found.refs for flag in ref.flags} == {"prompt-induced"}


def test_suite_prompts_are_counted_and_not_kept(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = "one two three four five six seven eight"
    monkeypatch.setattr("ghostbust.prompts._known", lambda: {content_id(windows)})
    counted = read(judge, {"text": INVENTED, "prompt": f"Please, {windows}!"}, {"text": INVENTED})
    assert (counted.reserved, len(counted.found)) == (1, 1)
    assert totals(counted).absent == 2


def test_fresh_tasks_that_a_log_holds_are_counted_and_not_kept(judge: Judge) -> None:
    asked = f"Hi! {fresh_tasks()[0].text}"
    turns = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": "Gladly."},
        {"role": "user", "content": "Install it."},
        {"role": "assistant", "content": INVENTED},
    ]
    counted = read(judge, {"text": INVENTED, "prompt": asked}, {"messages": turns})
    assert (counted.reserved, counted.found) == (2, [])


def test_a_conversation_belongs_to_the_family_of_its_first_message() -> None:
    task = seed_tasks()[0].text
    first = prompt_of(Completion("", task))
    later = prompt_of(Completion("", "And now?", (task, "Done.")))
    assert first.family == later.family == content_id(task)
    assert first.private
    assert later.turns == (task, "Done.")


def test_answers_without_a_prompt_are_families_of_their_own() -> None:
    families = {prompt_of(Completion(text, None)).family for text in ("a", "b")}
    assert len(families) == 2


def test_the_prompt_is_of_the_registry_whose_name_was_invented(judge: Judge) -> None:
    [found] = read(judge, {"text": "npm install crossenv"}).found
    assert found.judged is not None
    assert found.answer(found.judged).sample.prompt.ecosystem is Ecosystem.NPM
