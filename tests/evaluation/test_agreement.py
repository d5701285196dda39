"""Install lines beside imports, and named packages beside those that quoted code needs, by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ghostbust.evaluation.agreement import (
    INSTALL_COLUMNS,
    NEEDS_COLUMNS,
    AskedCode,
    install_counts,
)
from ghostbust.records import Answer, Context, Flag, Verdict

JudgedAnswer = Callable[..., Answer]
NO_COUNTS = (0.0,) * 6


def unmapped(answer: Answer, module: str) -> Answer:
    """The answer, with a module of it tied to no distribution."""
    return replace(
        answer,
        judged=tuple(
            replace(one, lookup=replace(one.lookup, verdict=Verdict.UNKNOWN))
            if one.ref.import_name == module
            else one
            for one in answer.judged
        ),
    )


def code(install: str, *imports: str) -> str:
    body = "\n".join(f"import {one}" for one in imports)
    return f"```bash\n{install}\n```\n```python\n{body}\nprint(1)\n```\n"


def counts(answer: Answer) -> tuple[float, ...]:
    found = install_counts(answer)
    assert tuple(found) == INSTALL_COLUMNS
    return tuple(found.values())


@pytest.mark.parametrize(
    ("install", "imports", "expected"),
    [
        # imported, missing, named, unused, answers, agreeing
        ("pip install requests beautifulsoup4", ("requests", "bs4", "os"), (2, 0, 2, 0, 1, 1)),
        ("pip install requests", ("requests", "numpy"), (2, 1, 1, 0, 1, 0)),
        ("pip install requests numpy", ("numpy.linalg", "numpy"), (1, 0, 2, 1, 1, 0)),
        ("pip install numpy", ("requests",), (1, 1, 1, 1, 1, 0)),
        ("pip install --upgrade pip numpy", ("numpy", "pip"), (1, 0, 1, 0, 1, 1)),
        ("pip install psycopg2-binary", ("psycopg2",), (1, 0, 1, 0, 1, 1)),
        ("pip install psycopg2", ("psycopg2",), (1, 0, 1, 0, 1, 1)),
        ("pip install -r requirements.txt", ("numpy",), NO_COUNTS),
        ("pip install --upgrade pip", ("numpy",), NO_COUNTS),
    ],
)
def test_install_lines(
    install: str, imports: tuple[str, ...], expected: tuple[int, ...], judged_answer: JudgedAnswer
) -> None:
    text = code(install, *imports)
    assert counts(judged_answer(text, context=Context.CODE)) == expected
    assert counts(judged_answer(text, context=Context.HELPS)) == NO_COUNTS


def test_an_answer_that_was_cut_off_may_import_more(judged_answer: JudgedAnswer) -> None:
    text = code("pip install requests numpy", "requests", "pandas")
    cut = judged_answer(text, context=Context.CODE, truncated=True)
    assert counts(cut) == (2, 1, 0, 0, 0, 0)


def test_an_import_without_a_mapping_takes_a_name_that_is_left(judged_answer: JudgedAnswer) -> None:
    """Else moving inventions into unmapped imports would win."""
    both = judged_answer(code("pip install numpy zq-thing", "numpy", "zzq"), context=Context.CODE)
    assert counts(unmapped(both, "zzq")) == (2, 0, 2, 0, 1, 1)
    one = judged_answer(code("pip install numpy", "numpy", "zzq"), context=Context.CODE)
    assert counts(unmapped(one, "zzq")) == (2, 1, 1, 0, 1, 0)


def test_what_the_code_may_do_without_is_not_missing(judged_answer: JudgedAnswer) -> None:
    text = (
        "```bash\npip install numpy\n```\n```python\nimport numpy\ntry:\n    import ujson\n"
        "except ImportError:\n    ujson = None\n```\n"
    )
    answer = judged_answer(text, context=Context.CODE)
    assert any(Flag.OPTIONAL in one.ref.flags for one in answer.judged)
    assert counts(answer) == (1, 0, 1, 0, 1, 1)


QUOTED = "```python\nimport os\nimport bs4\nimport ghost_made_up\nimport requests\n```"


def needs(judged_answer: JudgedAnswer, text: str, quoted: str = QUOTED) -> Answer:
    answer = judged_answer(text, context=Context.NEEDS)
    prompt = replace(answer.sample.prompt, text=f"Which packages does this need?\n\n{quoted}")
    return replace(answer, sample=replace(answer.sample, prompt=prompt))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # asked, found, named, right
        ("1. requests\n2. beautifulsoup4\n", (2, 2, 2, 2)),
        ("1. requests\n2. numpy\n3. requests\n", (2, 1, 2, 1)),
        ("1. ghost_made_up\n", (2, 0, 1, 0)),  # it imports that, but there is no such package
        ("1. pip\n2. os\n", (2, 0, 0, 0)),
        ("I do not know which ones it needs.", (2, 0, 0, 0)),
        (f"It is this:\n{QUOTED}", (2, 0, 0, 0)),  # the code said again
        ("```bash\npip install bs4 requests\n```\n", (2, 2, 2, 2)),
    ],
)
def test_needs(text: str, expected: tuple[int, ...], judged_answer: JudgedAnswer) -> None:
    asked = AskedCode([judged_answer(QUOTED, context=Context.CODE)])
    found = asked.counts(needs(judged_answer, text))
    assert tuple(found) == NEEDS_COLUMNS
    assert tuple(found.values()) == expected
    assert set(asked.counts(judged_answer(text)).values()) == {0}


def test_code_of_the_standard_library_needs_nothing(judged_answer: JudgedAnswer) -> None:
    answer = needs(judged_answer, "1. numpy\n", "import os\nimport json\n\nprint(os.sep)")
    assert list(AskedCode([]).counts(answer).values()) == [0, 0, 1, 0]


def test_imports_that_nobody_judged_count_neither_way(judged_answer: JudgedAnswer) -> None:
    """Those in the table of modules need no verdict."""
    quoted = "import quuxlib\nimport bs4\n\nquuxlib.run(bs4)"
    answer = needs(judged_answer, "1. quuxlib\n2. bs4\n", quoted)
    assert list(AskedCode([]).counts(answer).values()) == [1, 1, 1, 1]
