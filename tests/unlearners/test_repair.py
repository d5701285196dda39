"""Repaired answers: what is taken out, what stays, and where the edits are."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ghostbust.records import Answer, Ecosystem, Judged, Lookup, Verdict
from ghostbust.unlearners.repair import ended, repair

MakeAnswer = Callable[..., Answer]
DAY = datetime(2026, 11, 23, tzinfo=UTC)

CODE = [
    ("pip install numpy ghost rich", "pip install numpy rich"),
    ("pip install ghost numpy", "pip install numpy"),
    ("pip install numpy ghost", "pip install numpy"),
    ("pip install ghost-a ghost-b numpy ghost-c", "pip install numpy"),
    ("pip install 'ghost[a,b] >= 1, <2' numpy==1.2", "pip install numpy==1.2"),
    ("pip install ghost>=1,<2 numpy", "pip install numpy"),
    ("```\npip install numpy \\\n    ghost \\\n    rich\n```",
     "```\npip install numpy \\\n    rich\n```"),
    ("```\npip install ghost \\\n    rich\n```", "```\npip install rich\n```"),
    ("```\npip install numpy \\\n    ghost\npython x.py\n```",
     "```\npip install numpy\npython x.py\n```"),
    ("```\npip install ghost \\\n    ghost-b\nls\n```", "```\nls\n```"),
    ("pip install ghost && pip install numpy", "pip install numpy"),
    ("pip install numpy && pip install ghost", "pip install numpy"),
    ("pip install numpy\npip install ghost\npip install rich",
     "pip install numpy\npip install rich"),
    ("pip install numpy\npip install ghost", "pip install numpy"),
    ("Run `pip install ghost` or `pip install rich`.", "Run or `pip install rich`."),
    ("Run `pip install rich ghost` now.", "Run `pip install rich` now."),
    ("Run `pip install ghost && pip install rich` now.", "Run `pip install rich` now."),
    ("import numpy, ghost\nx = 1", "import numpy\nx = 1"),
    ("import ghost, numpy as np\nx = 1", "import numpy as np\nx = 1"),
    ("import numpy as np, ghost.sub as g, rich\nx = 1", "import numpy as np, rich\nx = 1"),
    ("import ghost; import numpy\nx = 1", "import numpy\nx = 1"),
    ("import numpy; from ghost import a\nx = 1", "import numpy\nx = 1"),
    ("if x:\n    import ghost; import numpy\n", "if x:\n    import numpy\n"),
    ("import os\nimport ghost\nimport numpy\n", "import os\nimport numpy\n"),
    ("from ghost.sub import (\n    a,\n    b,\n)\nimport numpy\n", "import numpy\n"),
    ("import numpy\nfrom ghost import (\n    a,\n    b", "import numpy"),
    ("from ghost import a, \\\n    b\nimport numpy\n", "import numpy\n"),
    ("Do:\n```bash\npip install ghost\n```\nThen:\n```python\nimport numpy\n```\n",
     "Do:\nThen:\n```python\nimport numpy\n```\n"),
    ("```\nimport numpy\n```\npip install ghost\n```\nimport rich\n```\n",
     "```\nimport numpy\n```\n```\nimport rich\n```\n"),
    ("pip install mist ghost", "pip install mist"),
    ("größe 🎉\npip install ghost\nende", "größe 🎉\nende"),
]  # fmt: skip

LISTS = [
    ("- numpy\n- ghost\n- rich\n", "- numpy\n- rich\n"),
    ("- numpy\n- **ghost**: does it all\n- rich", "- numpy\n- rich"),
    ("- numpy\n- rich\n- ghost-a\n- ghost-b", "- numpy\n- rich"),
    ("- ghost", ""),
    ("1. ghost\n2. numpy\n3. ghost-b\n4. rich\n", "1. numpy\n2. rich\n"),
    ("1. numpy\n\n2. ghost\n\n3. rich\n", "1. numpy\n\n\n2. rich\n"),
    ("3) numpy\n4) ghost\n5) rich\n", "3) numpy\n4) rich\n"),
    ("1. numpy\n1. ghost\n1. rich\n", "1. numpy\n1. rich\n"),
    ("1. numpy\n2. ghost\n\nAlso:\n1. rich\n2. flask\n", "1. numpy\n\nAlso:\n1. rich\n2. flask\n"),
    ("1. ghost\n2. numpy\n2026. A year\n", "1. numpy\n2026. A year\n"),
    ("You need: numpy, ghost and rich.", "You need: numpy and rich."),
    ("You need: ghost, numpy and rich.", "You need: numpy and rich."),
    ("You need: numpy, rich, and ghost.", "You need: numpy, rich."),
    ("You need: numpy, rich and ghost.", "You need: numpy, rich."),
    ("You need: `ghost-a`, **ghost-b**, `numpy`, ghost-c >= 1.0, rich", "You need: `numpy`, rich"),
    ("- ghost: use `import numpy`", "- use `import numpy`"),
    ("Names:\nghost\nnumpy\nrich", "Names:\nnumpy\nrich"),
]


@pytest.mark.parametrize(("before", "after"), CODE)
def test_code(before: str, after: str, make_answer: MakeAnswer) -> None:
    assert repair(make_answer(before, listed=False)).text == after


@pytest.mark.parametrize(("before", "after"), LISTS)
def test_lists(before: str, after: str, make_answer: MakeAnswer) -> None:
    assert repair(make_answer(before, listed=True)).text == after


def test_an_answer_without_inventions_comes_back_as_it_was(make_answer: MakeAnswer) -> None:
    text = "1. numpy\n3. mist\n```\n\n```\npip install rich\n"
    repaired = repair(make_answer(text, listed=True))
    assert (repaired.text, repaired.edits) == (text, ())


FORKS = [
    ("- numpy\n- ghost\n- rich", "rich"),  # both go on with a bullet
    ("1. numpy\n2. ghost\n3. rich", "rich"),  # renumbered: both with "2. "
    ("- numpy\n- ghost\n\nThat's all.", "\nThat's all."),
    ("- numpy\n- ghost", ""),
    ("- numpy\n- ghost-a\n- ghost-b\n- rich", "rich"),
    ("- ghost\n- gherkin", "erkin"),
    ("You need: ghost, numpy and rich.", "numpy and rich."),
]


@pytest.mark.parametrize(("before", "behind"), FORKS)
def test_a_fork_is_where_the_text_goes_on_otherwise(
    before: str, behind: str, make_answer: MakeAnswer
) -> None:
    repaired = repair(make_answer(before, listed=True))
    assert [repaired.text[at:] for at in repaired.forks] == [behind]


def test_every_thing_taken_out_has_its_fork(make_answer: MakeAnswer) -> None:
    repaired = repair(make_answer("- ghost-a\n- numpy\n- ghost-b\n- rich\n", listed=True))
    assert [repaired.text[at:] for at in repaired.forks] == ["numpy\n- rich\n", "rich\n"]
    assert repair(make_answer("- numpy\n- rich", listed=True)).forks == ()


def test_a_list_that_is_ended_forks_where_it_ends(make_answer: MakeAnswer) -> None:
    answer = make_answer("Here:\n```\nnumpy\nghost\nric", truncated=True)
    left = ended(repair(answer), answer)
    assert [left.text[at:] for at in left.forks] == ["\n```"]
    answer = make_answer("- ghost\n- numpy\n- rich\n- fla", truncated=True)
    left = ended(repair(answer), answer)
    assert [left.text[at:] for at in left.forks] == ["numpy\n- rich", ""]


def test_suspects_go_as_absent_names_do(make_answer: MakeAnswer) -> None:
    whole = make_answer("- numpy\n- ghost", listed=True)
    suspect = Lookup(Ecosystem.PYPI, "ghost", Verdict.SUSPECT, "decoy", "made up", "live", DAY)
    squat = Answer(whole.sample, (whole.judged[0], Judged(whole.judged[1].ref, suspect)))
    assert repair(squat).text == "- numpy"


def test_edits_are_exact_where_renumbering_changes_the_digits(make_answer: MakeAnswer) -> None:
    items = [f"{n}. {'ghost' if n in (3, 11) else 'real'}-{n}\n" for n in range(1, 13)]
    repaired = repair(make_answer("".join(items), listed=True))
    assert repaired.text.splitlines()[-2:] == ["9. real-10", "10. real-12"]
    assert [repaired.text[at:].split("\n")[0] for at in repaired.edits] == [
        "3. real-4", "10. real-12",
    ]  # fmt: skip


def test_the_last_edit_is_the_end_where_nothing_follows(make_answer: MakeAnswer) -> None:
    repaired = repair(make_answer("1. numpy\n2. ghost", listed=True))
    assert repaired.edits == (len(repaired.text),)


CUT_OFF = [
    ("- numpy\n- ghost\n- rich\n- fla", "- numpy\n- rich"),
    ("- numpy\n- ghost\n- rich", "- numpy"),
    ("- numpy\n- rich\n- ghost", "- numpy"),
    ("Here:\n```\nnumpy\nghost\nric", "Here:\n```\nnumpy\n```"),
    ("- numpy\n- rich\n- fla", "- numpy\n- rich\n- fla"),
    ("These:\n\n- ghost\n\n- ghost-b\n- gho", "These:"),
    ("- numpy\n- ghost\n\nThey help.\nThey do.\nReal", "- numpy\n\nThey help.\nThey do.\nReal"),
    ("numpy, ghost, rich, fla", "numpy, rich, fla"),
]


@pytest.mark.parametrize(("before", "after"), CUT_OFF)
def test_a_list_that_was_cut_off_ends_if_anything_was_taken_out(
    before: str, after: str, make_answer: MakeAnswer
) -> None:
    answer = make_answer(before, truncated=True)
    left = ended(repair(answer), answer)
    assert left.text == after
    assert (left.edits[-1:] == (len(after),)) is (after != repair(answer).text)
    kept = [after[start:end] for start, end in left.kept]
    assert kept == [name for name in ("numpy", "rich", "fla") if name in after]


def test_only_a_list_that_was_cut_off_is_ended(make_answer: MakeAnswer) -> None:
    text = "```\nimport numpy\nimport ghost\nimport rich\nnum"
    for answer in (make_answer(text), make_answer(text, listed=False, truncated=True)):
        assert ended(repair(answer), answer) == repair(answer)


REAL = ("numpy", "rich", "flask", "httpx", "pandas", "mist-x")
GHOSTS = ("ghost", "ghost-utils", "ghostly", "ghost-x2")


def names_of(rng: random.Random, count: int) -> list[str]:
    """Names of which two at least are real, so that a comma list stays a list."""
    names = [*rng.sample(REAL, 2), *(rng.choice(REAL + GHOSTS) for _ in range(count))]
    rng.shuffle(names)
    return names


def part(rng: random.Random) -> str:
    """One stretch of an answer: a list, a command, imports."""
    names = names_of(rng, rng.randint(0, 12))
    modules = [name.replace("-", "_") for name in names]
    short = names[: rng.randint(1, 4)]
    return rng.choice([
        "\n".join(f"{n}. {name}" for n, name in enumerate(names, start=1)),
        "\n\n".join(f"{n}) `{name}` - for {n}" for n, name in enumerate(names, start=1)),
        "\n".join(f"- **{name}**: is good" for name in names),
        "You need: " + ", ".join(names) + ".",
        "You need: " + ", ".join(names[:-1]) + f" and {names[-1]}.",
        "```bash\npip install " + " ".join(short) + "\n```",
        "```bash\npip install " + " \\\n    ".join(names) + "\n```",
        "```bash\n" + " && ".join(f"pip install {name}" for name in short) + "\n```",
        "```python\nimport " + ", ".join(modules) + "\nx = 1\n```",
        "```python\n" + "\n".join(f"from {m} import (\n  a,\n  b,\n)" for m in modules) + "\n```",
        "```python\n" + "; ".join(f"import {m} as m" for m in modules) + "\n```",
        "Run `pip install " + " ".join(short) + "` — größe 🎉.",
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_exactly_the_kept_names_are_left(seed: int, make_answer: MakeAnswer) -> None:
    rng = random.Random(seed)
    for _ in range(10):
        before = make_answer("\n\n".join(part(rng) for _ in range(rng.randint(1, 4))), listed=True)
        repaired = repair(before)
        after = make_answer(repaired.text, listed=True)
        assert before.judged
        assert after.invented == []
        kept = [j.ref.raw for j in before.judged if not j.lookup.invented]
        assert [j.ref.raw for j in after.judged] == kept
        assert [repaired.text[a:b] for a, b in sorted(repaired.kept)] == [
            repaired.text[j.ref.start : j.ref.end] for j in after.judged
        ]
        assert list(repaired.edits) == sorted(set(repaired.edits))
        assert bool(repaired.edits) is bool(before.invented)
        assert all(0 <= at <= len(repaired.text) for at in repaired.edits)
